"""Capture files in, the HTTP exchanges they hold out: one reader for credentials and for rows."""
