"""Captured replies in, files of rows out; no network, no database."""

from m26.offline.readers import capture_files, read_captures

__all__ = ["capture_files", "read_captures"]
