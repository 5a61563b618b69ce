"""A clock that moves only when someone sleeps on it."""

from __future__ import annotations

import anyio

from m26 import clock


class Clock:
    """Unix seconds, and a sleep that returns at once with the clock moved."""

    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def clock(self) -> clock.Clock:
        """The same as a `clock.Clock`, for the client."""
        return clock.Clock(time=self, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds
        await anyio.lowlevel.checkpoint()
