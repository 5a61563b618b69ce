"""Time as the asking side sees it: what the clock says, and waiting until it says more."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anyio


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The machine's clock, or one that runs faster: a month of pauses fits into a test."""

    time: Callable[[], float] = time.time
    """Unix seconds."""
    sleep: Callable[[float], Awaitable[Any]] = anyio.sleep
    """Waits that many of its seconds."""
    speed: float = 1.0
    """How much faster than the machine's it runs: deadlines on the network are divided by it."""
