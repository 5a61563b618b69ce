"""Time: what the asking side's clock says, waiting until it says more, and how it is written."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH = datetime.fromtimestamp(0, UTC)
_MICRO = timedelta(microseconds=1)


async def _sleep(seconds: float) -> None:
    import anyio  # who only reads and writes times needs no event loop

    await anyio.sleep(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The machine's clock, or one that runs faster: a month of pauses fits into a test."""

    time: Callable[[], float] = time.time
    """Unix seconds."""
    sleep: Callable[[float], Awaitable[Any]] = _sleep
    """Waits that many of its seconds."""
    speed: float = 1.0
    """How much faster than the machine's it runs: deadlines on the network are divided by it."""
    steady: Callable[[], float] | None = None
    """Seconds of a clock that is never set; None: the machine's where `time` is the machine's, else
    `time` is not set either."""

    def offset(self) -> float:
        """Seconds between `time` and the clock that is never set: another when `time` was set."""
        steady = self.steady or (since_start if self.time is time.time else self.time)
        return self.time() - steady()


def since_start() -> float:
    """Seconds since the machine's start, also those that it slept."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def iso(seconds: float) -> str:
    """Unix seconds as ``2026-08-15T20:57:15Z``, with milliseconds only where they are not zero."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00").removesuffix(".000") + "Z"


def unix(text: str) -> float:
    """The inverse of `iso`."""
    return datetime.fromisoformat(text).timestamp()


def micros_of(at: datetime) -> int:
    """Microseconds since 1970 at a moment."""
    return (at - EPOCH) // _MICRO


def at_micros(micros: int) -> datetime:
    """The inverse of `micros_of`."""
    return EPOCH + micros * _MICRO
