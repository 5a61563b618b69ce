"""PostgreSQL: the schema, the one transaction that stores a batch, and what is read back."""
