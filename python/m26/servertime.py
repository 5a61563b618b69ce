"""What replies tell of the server's clock in; the times of pages, and those of requests, out.

The rule is one pure function in Rust (`m26._native.ServerClock`). It is asked once for each reply,
when it is received; what it says stands in the reply's journal record.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple, Self

from m26._native import Peek, ServerClock, peek
from m26.clock import Clock
from m26.models import Page

_MICROS = 1_000_000
_STEP = _MICROS
"""By so much a clock must be off to count as set: less is two reads one after the other."""
NEAR = 30.0
"""Seconds; times no further apart than this agree."""


class Told(NamedTuple):
    """What a reply tells of when it was made, microseconds; 0 is nothing."""

    date: int = 0
    """Its ``Date`` header."""
    response: int = 0
    """Its ``responseTime``."""
    auctions: int = 0
    """How many it lists."""

    @classmethod
    def by(cls, seen: Peek, date: int = 0) -> Self:
        """What its envelope and its header tell."""
        return cls(date, seen.response_time or 0, seen.count)


class Dating:
    """Gives pages their times, in the order of their part; each platform has its own clock.

    A page whose times were decided before keeps them.
    """

    def __init__(self) -> None:
        self.clocks: dict[str, ServerClock] = {}
        """By platform, as the last page left it."""

    def __call__(self, page: Page) -> Page:
        """The page with its times; as it is where nothing tells any."""
        known = self.clocks.get(page.platform) or ServerClock()
        if page.served_at:
            skew = page.served_at - page.fetched_at if page.fetched_at else known.skew
            self.clocks[page.platform] = ServerClock(skew=skew, newest=page.observed_at)
            return page
        if not page.is_reply:
            return page
        self.clocks[page.platform], dated = _given(known, page, Told.by(peek(page.body)))
        return dated


class ServerTime:
    """The clock of one platform's server, in one run.

    Args:
        clock: ours.
        known: what an earlier run knew of the server's.
    """

    def __init__(self, clock: Clock | None = None, known: ServerClock | None = None) -> None:
        self._clock = clock or Clock()
        self._known = known or ServerClock()
        self._date: int | None = None
        """The server's clock minus ours by the last ``Date``, microseconds."""
        self._offset = self._clock.offset()
        self._near = NEAR * self._clock.speed
        self._turn = threading.Lock()

    @property
    def _slack(self) -> int:
        """Microseconds beyond `NEAR` that times may be apart, where our clock runs faster."""
        return round((self._near - NEAR) * _MICROS)

    @property
    def skew(self) -> float:
        """The server's clock minus ours as it is believed, seconds."""
        return self._known.skew / _MICROS

    def keep(self, page: Page, told: Told, append: Callable[[Page], object]) -> Page:
        """Give a reply its times and `append` it, before another reply is given any.

        One that is not appended was given none. Blocks: call it from a worker thread.

        Returns:
            The page as it was appended.
        """
        with self._turn:
            page = replace(page, fetched_at=self._follow(page.fetched_at))
            after, dated = _given(self._known, page, told, slack=self._slack)
            append(dated)
            self._known = after
            self._note(told.date, page.fetched_at)
        return dated

    def heard(self, date: int, received_at: int) -> None:
        """Take in the ``Date`` of a reply that is no page; both in microseconds, 0 is none."""
        with self._turn:
            received_at = self._follow(received_at)
            self._known = self._known.heard(ours=received_at, date=date, slack=self._slack)
            self._note(date, received_at)

    def stamp(self, *, doubted: bool) -> float:
        """The server's time for a request that leaves now, Unix seconds.

        What is proven is used, unless it is doubted. Else it is the latest that any source says,
        and never before our own clock: the gateway refuses a message that has expired, and takes
        one that expires somewhat late.

        Args:
            doubted: leave out what is believed: a request that went by it was refused.
        """
        known, date, now = self._known, self._date, self._clock.time()  # a reply may come beside it
        set_by = self._set_by() / _MICROS
        skew = known.skew / _MICROS - set_by
        told = 0.0 if date is None else date / _MICROS - set_by
        if doubted:
            return now + max(0.0, told)
        if known.proven and (date is None or abs(told - skew) <= self._near):
            return now + skew
        return now + max(0.0, told, skew)

    def _note(self, date: int, received_at: int) -> None:
        if date:
            self._date = date - received_at

    def _follow(self, received_at: int) -> int:
        """Our clock may have been set: nothing of the server's has changed by that.

        Returns:
            `received_at` by the clock as it is now; it may have been set since.
        """
        by = self._set_by()
        if not by:
            return received_at
        self._known = self._known.shifted(by)
        self._date = None if self._date is None else self._date - by
        self._offset += by / _MICROS
        age = round(self._clock.time() * _MICROS) - received_at
        return received_at if abs(age) <= abs(age - by) else received_at + by

    def _set_by(self) -> int:
        """By how much our clock was set since the last reply, microseconds."""
        by = round((self._clock.offset() - self._offset) * _MICROS)
        return by if abs(by) > _STEP else 0


class ServerTimes:
    """The clocks of all platforms that a home asks, as its journal's last pages left them.

    Args:
        clock: ours.
        pages: the last ones, in their order.
    """

    def __init__(self, clock: Clock | None = None, pages: Iterable[Page] = ()) -> None:
        self._clock = clock or Clock()
        dating = Dating()
        for page in pages:
            dating(page)
        self._known = dating.clocks
        self._of: dict[str, ServerTime] = {}

    def of(self, platform: str) -> ServerTime:
        """The clock of a platform's server; accounts share it."""
        if platform not in self._of:
            self._of[platform] = ServerTime(self._clock, self._known.get(platform))
        return self._of[platform]


def _given(
    known: ServerClock, page: Page, told: Told, *, slack: int = 0
) -> tuple[ServerClock, Page]:
    if not told.response and not told.auctions:  # an error reply: there is nothing to date
        return known.heard(ours=page.fetched_at, date=told.date, slack=slack), page
    after, served_at, observed_at = known.give(
        ours=page.fetched_at, date=told.date, response=told.response, slack=slack
    )
    return after, replace(page, served_at=served_at, observed_at=observed_at)
