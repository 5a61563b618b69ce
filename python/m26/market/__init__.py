"""What the record says of the market: rows in, answers with sample size and age out. No I/O of its own."""
