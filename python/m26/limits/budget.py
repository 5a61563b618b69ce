"""The request budget of one account: evenly paced, capped, the same for all of its processes."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import anyio
from anyio.to_thread import run_sync

from m26.limits.book import DAY, MINUTE, Book, Durable, Entries, Pause
from m26.limits.waiting import when_free
from m26.upstream.profile import BudgetLimits

# Rules of the gateway's login call: at most so many within so many seconds.
# Between a slot and the wire lie a look into vault and cache and a handshake: one second more.
_LOGIN_LIMITS = ((1, 16.0), (3, 601.0), (12, 3601.0))
_LOGIN = "login"
_REST = 60.0
"""Seconds without a request after which the next ones are no burst."""
_EASE = 10
"""Intervals after which the burst is one larger again."""
_PATIENCE = 5.0
"""A limit's wait is reported when it is longer than these seconds and three intervals."""
_LONGEST_BLOCK = 2.0
"""Seconds from its first slot to its last, at the most."""
_LOOK = 60.0
"""Seconds after which a long wait is worked out again: another process may change the book."""


class Wait(NamedTuple):
    """Why and until when (Unix seconds) a request must wait; no reason: for its even pace."""

    reason: str
    until: float


_NONE = Wait("", 0.0)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is left of a budget, and when there is more. Times are Unix seconds."""

    left: dict[str, int]
    """Requests left in the rolling ``day`` and ``minute``."""
    refills_at: dict[str, float]
    """When each window has room for more than now; absent where it is full."""
    next_at: float
    """When the next request may leave."""


def _ignore(_reason: str, _until: float) -> None:
    """The default: waits are not reported."""


class Budget:
    """Hands out request slots; waits until one is free.

    What is spent is written down before it is used, in blocks of about a second's worth, so that
    a kill can only count too many, never too few. All processes of an account spend from one book.

    Args:
        path: where it is kept.
        limits: requests a day, a minute, and back to back.
        clock: Unix seconds.
        sleep: waits; a test's virtual clock goes here together with `clock`.
        on_wait: told when a limit (not mere pacing) makes a request wait: why, and until when in
            Unix seconds; told again with an empty reason when the wait is over.
        steady: seconds of a clock that is never set; see `Book`.
        durable: how far the journal is on disk; see `Book`.
    """

    def __init__(
        self,
        path: Path,
        limits: BudgetLimits,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[Any]] = anyio.sleep,
        on_wait: Callable[[str, float], None] = _ignore,
        steady: Callable[[], float] | None = None,
        durable: Callable[[], Durable] | None = None,
    ) -> None:
        self.book = Book(path, clock=clock, steady=steady, durable=durable)
        self._limits = limits
        self._clock = clock
        self._sleep = sleep
        self._on_wait = on_wait
        self._one_at_a_time = anyio.Lock()
        self._slots: deque[float] = deque()
        """When each request that is left of our block may leave."""
        self._block = (0, 0)
        """How it stands in the book, counted already: its latest time, its size."""
        self._unused, self._used_at = 0, 0.0

    @property
    def _interval(self) -> float:
        """Seconds between two requests when evenly paced."""
        return DAY / self._limits.per_day

    @property
    def left(self) -> dict[str, int]:
        """Requests left in the rolling ``day`` and ``minute``."""
        return self.outlook().left

    @property
    def paused(self) -> Pause | None:
        """Why no request may leave now, whoever asks; None when one may."""
        pause = self.book.look().pause
        return pause if pause is not None and pause.until > self._clock() else None

    def outlook(self) -> Outlook:
        """What is left, and when there is more."""
        entries, now = self.book.look(), self._clock()
        windows = {"day": (DAY, self._limits.per_day), "minute": (MINUTE, self._limits.per_minute)}
        left, refills_at = {}, {}
        for name, (seconds, limit) in windows.items():
            seen = [(at, count) for at, count in entries.spent if at > now - seconds]
            spent = sum(count for _, count in seen)
            left[name] = max(0, limit - spent)
            if seen:
                refills_at[name] = _room(seen, max(0, spent - limit) + 1) + seconds
        wait = self._obstacle(entries, "", now)
        return Outlook(left, refills_at, now if wait is None else wait.until)

    async def spend(self, name: str) -> None:
        """Wait for a slot and use it.

        Args:
            name: what for; ``login`` has limits of its own on top.

        Raises:
            StorageError: the budget cannot be written down, so no request may leave.
        """
        await self._wait(name, use=True)

    async def free(self, name: str) -> None:
        """The same, but the slot is left to whoever uses it: what for is decided when it is free.

        Raises:
            StorageError: the budget cannot be read.
        """
        await self._wait(name, use=False)

    async def _wait(self, name: str, *, use: bool) -> None:
        told = False
        try:
            while True:
                async with self._one_at_a_time:
                    wait = self._next_of_block(name, use=use)
                    if wait is None:
                        wait = await when_free(partial(self._take, name, use=use))
                if wait is _NONE:
                    return
                seconds = max(0.001, wait.until - self._clock())
                if wait.reason and (told or seconds > max(_PATIENCE, 3 * self._interval)):
                    self._on_wait(wait.reason, wait.until)
                    told = True
                await self._sleep(min(seconds, _LOOK))
        finally:
            if told:
                self._on_wait("", 0.0)

    def slow_down(self, seconds: float) -> None:
        """Halve the rate for a while."""
        with self.book.turn() as entries:
            entries.slow_until = max(entries.slow_until, self._clock() + seconds)
            self.book.save(entries)

    async def close(self) -> None:
        """Write down what was really spent, and how far the journal is on disk."""
        async with self._one_at_a_time:
            if self._unused or self.book.promises_too_little:
                await run_sync(self._close)

    def _close(self) -> None:
        with self.book.turn() as entries:
            self._give_back(entries)
            self.book.save(entries)

    def _next_of_block(self, name: str, *, use: bool) -> Wait | None:
        """The next slot that is ours already; None when there is none, or not for `name`."""
        now = self._clock()
        while len(self._slots) > self._limits.burst and self._slots[self._limits.burst] <= now:
            self._slots.popleft()  # it passed unused, and no burst makes up for it
        if not self._slots or name == _LOGIN or now > self._block[0]:
            return None
        if self._slots[0] > now + _LONGEST_BLOCK:  # the clock was set back
            return None
        if self._slots[0] > now:
            return Wait("", self._slots[0])
        if not use:
            return _NONE
        self._slots.popleft()
        self._unused, self._used_at = self._unused - 1, now
        return _NONE

    def _take(self, name: str, *, use: bool) -> Wait:
        with self.book.turn() as entries:
            now = self._clock()
            returned = self._give_back(entries)
            if entries.last is not None and now - entries.last >= max(_REST, 2 * self._interval):
                entries.eased_at = now
            wait = self._obstacle(entries, name, now)
            if wait is None and use:
                self._use(entries, name, now)
            if (wait is None and use) or returned:
                self.book.save(entries)
            return wait or _NONE

    def _obstacle(self, entries: Entries, name: str, now: float) -> Wait | None:
        """Why and until when a request must wait; None when it may leave now."""
        limits, logins = self._limits, entries.logins
        if entries.pause is not None and entries.pause.until > now:
            pause = entries.pause
            return Wait(f"paused, {pause.reason}: {pause.message}", pause.until)
        if name == _LOGIN:
            for count, window in reversed(_LOGIN_LIMITS):
                if len(logins) >= count and logins[-count] + window > now:
                    return Wait(f"logins: {count} in {window:.0f} s", logins[-count] + window)
        for said, window, limit in (
            ("day", DAY, limits.per_day),
            ("minute", MINUTE, limits.per_minute),
        ):
            seen = [(at, count) for at, count in entries.spent if at > now - window]
            over = sum(count for _, count in seen) + 1 - limit
            if over > 0:
                return Wait(f"the {said}'s requests are spent", _room(seen, over) + window)
        interval = self._pace(entries, now)
        paced = self._due(entries, now) - (self._credit(entries, now) - 1) * interval
        return Wait("", paced) if paced > now else None

    def _use(self, entries: Entries, name: str, now: float) -> None:
        """Write a block into the book: its slots are those of GCRA, one after the other."""
        interval, credit = self._pace(entries, now), self._credit(entries, now)
        due = self._due(entries, now)
        size = 1 if name == _LOGIN else self._size(entries, interval, now)
        slots = [max(now, due + (i + 1 - credit) * interval) for i in range(size)]
        # Counted at the latest moment at which the last of them may still be used.
        latest = math.ceil(slots[-1] + (1 if size > 1 else 0))
        entries.spent.append((latest, size))
        entries.due = due + size * interval
        entries.last = slots[-1]
        if name == _LOGIN:
            entries.logins = [*(t for t in entries.logins if t > now - _LOGIN_LIMITS[-1][1]), now]
        self._slots, self._block = deque(slots[1:]), (latest, size)
        self._unused, self._used_at = size - 1, now

    def _size(self, entries: Entries, interval: float, now: float) -> int:
        minute = sum(count for at, count in entries.spent if at > now - MINUTE)
        day = sum(count for _, count in entries.spent)
        room = min(self._limits.per_day - day, self._limits.per_minute - minute)
        return min(max(1, math.ceil(1.0 / interval)), room)

    def _give_back(self, entries: Entries) -> bool:
        """Take back what is left of our block; True when there was something."""
        unused, self._unused = self._unused, 0
        self._slots.clear()
        if not unused or self._block not in entries.spent:
            return False
        at, size = self._block
        index = entries.spent.index(self._block)
        entries.spent[index : index + 1] = [(at, size - unused)]
        entries.due = max(entries.due - unused * self._interval, self._used_at + self._interval)
        return True

    def _pace(self, entries: Entries, now: float) -> float:
        return self._interval * (2 if now < entries.slow_until else 1)

    def _due(self, entries: Entries, now: float) -> float:
        """When the next request is due; never further ahead than a burst and a block."""
        ahead = self._pace(entries, now) * (self._limits.burst + 1) + 1.0
        return min(max(now, entries.due), now + ahead)

    def _credit(self, entries: Entries, now: float) -> int:
        """How many may leave back to back: one after a rest, then more and more."""
        if entries.eased_at is None:
            return self._limits.burst
        grown = 1 + int(max(0.0, now - entries.eased_at) / (_EASE * self._interval))
        return min(self._limits.burst, grown)


def _room(seen: list[tuple[int, int]], count: int) -> float:
    """When `count` requests will have left a window: time of the entry that is the last of them."""
    for at, spent in seen:
        count -= spent
        if count <= 0:
            return at
    return seen[-1][0]
