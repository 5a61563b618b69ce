"""Fuzzing of what reads other people's bytes in Python: mutated replies and captures.

``python -m tests.fuzz TARGET --seconds 60 --seed 7``; the Rust core has its own in ``rust/fuzz``.
"""
