"""Names in, reproducible random numbers out: what is drawn for one thing disturbs no other."""

from __future__ import annotations

import random

Lots = random.Random


def lots(*names: object) -> Lots:
    """A source of random numbers that is the same for the same names, in every process."""
    return Lots("/".join(map(str, names)))
