"""Captured replies in, files of rows out; no network, no database."""

from m26.offline.readers import read_captures

__all__ = ["read_captures"]
