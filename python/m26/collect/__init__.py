"""Asking the gateway: the request budget, one request carried to its end, sweeps of the market."""
