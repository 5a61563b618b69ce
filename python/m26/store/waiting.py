"""Since when the oldest record that is not stored has waited."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from m26.clock import Clock
from m26.models import Record


@dataclass(slots=True)
class Waiting:
    """Goes by the time a record was received, and never believes a clock more than itself.

    A record that came while we watched cannot be older than the moment when none was left, however
    the clock was set since.
    """

    clock: Clock
    """By which records are dated."""
    _since: float = field(default_factory=time.monotonic)
    _empty_at: float | None = None
    _pos: int = -1

    @property
    def seconds(self) -> float:
        """How long the oldest one has waited, in the machine's seconds; if there is one."""
        return time.monotonic() - self._since

    def nothing(self) -> None:
        """Everything that was there is stored."""
        self._since = self._empty_at = time.monotonic()

    def oldest(self, record: Record) -> None:
        """`record` is the first that is not stored."""
        page = record.page
        if record.pos == self._pos or page is None or not page.fetched_at:
            return  # it goes on to wait, or it does not say since when
        self._pos = record.pos
        age = max(0.0, self.clock.time() - page.fetched_at / 1e6) / self.clock.speed
        # Of an earlier run it may have waited since before the machine started: below 0.
        came = time.monotonic() - age
        self._since = came if self._empty_at is None else max(came, self._empty_at)
