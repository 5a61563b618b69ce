"""A clock file in, the simulator's time out: what moves the file moves the whole world."""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable
from pathlib import Path

from m26.errors import ConfigError

_SIZE = 24


def clock(path: Path | None) -> Callable[[], float]:
    """The time as `path` tells it, Unix seconds; the machine's where there is no path.

    The file holds three float64 in the machine's (little-endian) form: base, real0 and speed.
    Now is ``base + (time.time() - real0) * speed``; at speed 0 time stands still until somebody
    writes another base.

    Raises:
        ConfigError: the file is missing or too short.
    """
    if path is None:
        return time.time
    try:
        with path.open("rb") as file:
            numbers = memoryview(mmap.mmap(file.fileno(), _SIZE, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"cannot read the clock file {path}: {error}",
            hint="It holds three little-endian float64: base, real0 and speed.",
        ) from None
    # An aligned double is read and written in one piece, so that no half-written time is seen.
    values = numbers.cast("d")
    return lambda: values[0] + (time.time() - values[1]) * values[2]
