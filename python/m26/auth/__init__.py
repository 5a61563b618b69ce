"""Credentials: captures, the vault, token refresh, login, signatures, and the session over them."""
