"""The servers m26 starts itself, PostgreSQL and Valkey: find a binary, supervise it, stop it."""
