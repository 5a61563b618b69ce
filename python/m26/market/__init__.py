"""What the record says of the market: rows in, answers with sample size out; no I/O."""
