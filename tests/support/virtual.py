"""A clock that moves only when someone sleeps on it."""

from __future__ import annotations

import anyio


class Clock:
    """Unix seconds, and a sleep that returns at once with the clock moved."""

    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds
        await anyio.lowlevel.checkpoint()
