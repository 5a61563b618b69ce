"""Redis: committed events out to a stream, and back in for whoever follows it."""
