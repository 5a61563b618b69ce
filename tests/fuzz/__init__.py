"""Fuzzing of what reads other people's bytes: mutated replies and captures, pages beside orjson.

``python -m tests.fuzz TARGET --seconds 60 --seed 7``; the Rust core has more in ``rust/fuzz``.
"""
