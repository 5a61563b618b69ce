"""Asking the gateway: what is asked next and why, one request at a time, each reply kept."""
