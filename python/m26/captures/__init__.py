"""Capture files in, the HTTP flows they hold out: one reader for credentials and for rows."""
