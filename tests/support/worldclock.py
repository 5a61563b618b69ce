"""One clock for all processes of a test: a file that the simulator, m26 and the test share."""

from __future__ import annotations

import mmap
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio.lowlevel

from m26.clock import Clock

START = 1_790_000_000.0
_YIELDS = 5


class WorldClock:
    """Time that stands still until moved (speed 0), or runs `speed` times as fast as the machine's.

    Args:
        path: the file; hand it to ``m26 sim --clock``.  One that is there is taken as it is,
            unless `base` or `speed` are given.
        base: Unix seconds to begin at.
        speed: 0, or how much faster than the machine's clock.
        grace: real seconds that a virtual sleep waits before it moves the clock, so that requests
            of others that are under way end in the time in which they were sent.
    """

    def __init__(
        self,
        path: Path,
        *,
        base: float | None = None,
        speed: float | None = None,
        grace: float = 0.0,
    ) -> None:
        self.path, self._grace = path, grace
        self.on_sleep: Callable[[float, float], Any] | None = None
        """Called with the time and the seconds of each sleep, before it begins."""
        self._wakes: list[float] = []
        if base is not None or speed is not None or not path.exists():
            first = START if base is None else base
            path.touch()
            with path.open("r+b") as file:  # in place: others may have it mapped
                file.write(struct.pack("<3d", first, time.time(), speed or 0.0))
        with path.open("r+b") as file:
            self._values = memoryview(mmap.mmap(file.fileno(), 24)).cast("d")

    @property
    def speed(self) -> float:
        """0 for a clock that only moves when it is moved."""
        return float(self._values[2])

    def time(self) -> float:
        """Now, Unix seconds."""
        return float(self._values[0] + (time.time() - self._values[1]) * self._values[2])

    def set(self, now: float) -> None:
        """Make it `now`."""
        # Only the base is written, in one piece: no reader sees a mix of two times.
        self._values[0] = now - (time.time() - self._values[1]) * self._values[2]

    def advance(self, seconds: float) -> None:
        """Move it forward."""
        self._values[0] += seconds

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds` of this clock; one that stands still is moved there at once.

        Sleeps that overlap within one process do so in this clock's time too: the one that ends
        first moves the clock, and only as far as its own end.
        """
        assert seconds >= 0
        if self.on_sleep is not None:
            self.on_sleep(self.time(), seconds)
        if self.speed:
            await anyio.sleep(seconds / self.speed)
            return
        wake = self.time() + seconds
        self._wakes.append(wake)
        try:
            while True:
                await anyio.sleep(self._grace)
                for _ in range(_YIELDS):  # let replies that are there be read
                    await anyio.lowlevel.checkpoint()
                if wake <= min(self._wakes):
                    break
        finally:
            self._wakes.remove(wake)
        if self.time() < wake:
            self.set(wake)

    def clock(self, *, deadlines: float | None = None) -> Clock:
        """This clock as m26 takes it.

        Args:
            deadlines: how much shorter than usual deadlines on the network are; default: as the
                clock runs, and as usual for one that stands still.
        """
        return Clock(time=self.time, sleep=self.sleep, speed=deadlines or self.speed or 1.0)
