"""The request budget of one account: evenly paced, capped, and kept over restarts and kills."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import orjson
import structlog

from m26.runfile import write_private
from m26.upstream.profile import BudgetLimits

_log = structlog.get_logger()

_DAY = 86_400.0
_MINUTE = 60.0
# Rules of the gateway's login call: at most so many within so many seconds.
_LOGIN_LIMITS = ((1, 15.0), (3, 600.0), (12, 3600.0))
_LOGIN = "login"


def _unheard(_reason: str, _until: float) -> None:
    """Nobody wants to know about waits."""


class Budget:
    """Hands out request slots; waits until one is free.

    What is spent is written down before it is used, in blocks of about a second's worth, so that
    a kill can only count too many, never too few.

    Args:
        path: where it is kept.
        limits: requests a day, a minute, and back to back.
        clock: Unix seconds.
        sleep: waits; a test's virtual clock goes here together with `clock`.
        on_wait: told when a limit (not mere pacing) makes a request wait: why, and until when in
            Unix seconds; told again with an empty reason when the wait is over.
    """

    def __init__(
        self,
        path: Path,
        limits: BudgetLimits,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[Any]] = anyio.sleep,
        on_wait: Callable[[str, float], None] = _unheard,
    ) -> None:
        self._path = path
        self._limits = limits
        self._clock = clock
        self._sleep = sleep
        self._on_wait = on_wait
        self._lock = anyio.Lock()
        self._credit = 0
        self._slow_until = 0.0
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = _read(path)
        now = clock()
        self._minutes: dict[int, int] = {
            int(minute): count
            for minute, count in state.get("minutes", {}).items()
            if abs(int(minute) * _MINUTE - now) < _DAY
        }
        self._logins: list[float] = [t for t in state.get("logins", []) if abs(now - t) < _DAY]
        # Spent lately, by the coarse minutes on disk: counted at the latest moment possible.
        self._recent = deque(
            min(now, (minute + 1) * _MINUTE)
            for minute, count in sorted(self._minutes.items())
            if (minute + 1) * _MINUTE > now - _MINUTE
            for _ in range(count)
        )
        # When the next request would be due if all were evenly spaced (GCRA's arrival time).
        ahead = state.get("due", now) - now
        self._due = now + min(max(ahead, 0.0), self.interval * limits.burst)

    @property
    def interval(self) -> float:
        """Seconds between two requests when evenly paced; doubled while slowed down."""
        return _DAY / self._limits.per_day * (2 if self._clock() < self._slow_until else 1)

    @property
    def left(self) -> dict[str, int]:
        """Requests left in the rolling ``day`` and ``minute``."""
        now = self._clock()
        self._forget(now)
        return {
            "day": max(0, self._limits.per_day - sum(self._minutes.values())),
            "minute": max(0, self._limits.per_minute - len(self._recent)),
        }

    async def spend(self, name: str) -> None:
        """Wait for a slot and use it.

        Args:
            name: what for; ``login`` has limits of its own on top.

        Raises:
            StorageError: the budget cannot be written down, so no request may leave.
        """
        async with self._lock:
            told = False
            while (wait := self._wait(name)) is not None:
                reason, until = wait
                if reason:
                    self._on_wait(reason, until)
                    told = True
                await self._sleep(max(0.001, until - self._clock()))
            if told:
                self._on_wait("", 0.0)
            await self._use(name)

    def slow_down(self, seconds: float) -> None:
        """Halve the rate for a while."""
        self._slow_until = max(self._slow_until, self._clock() + seconds)

    async def close(self) -> None:
        """Write down what was really spent."""
        self._credit = 0
        await self._write()

    def _wait(self, name: str) -> tuple[str, float] | None:
        """Why and until when a request must wait; None when it may leave now."""
        now, limits = self._clock(), self._limits
        self._forget(now)
        if name == _LOGIN:
            for count, window in _LOGIN_LIMITS:
                if len(self._logins) >= count and self._logins[-count] + window > now:
                    return f"logins: {count} in {window:.0f} s", self._logins[-count] + window
        if sum(self._minutes.values()) >= limits.per_day:
            oldest = min(self._minutes)
            return "the day's requests are spent", oldest * _MINUTE + _DAY + _MINUTE
        if len(self._recent) >= limits.per_minute:
            return "the minute's requests are spent", self._recent[0] + _MINUTE
        paced = self._due - self.interval * (limits.burst - 1)
        return ("", paced) if paced > now else None

    async def _use(self, name: str) -> None:
        now = self._clock()
        self._due = max(now, self._due) + self.interval
        self._recent.append(now)
        if name == _LOGIN:
            self._logins.append(now)
        if self._credit == 0 or name == _LOGIN:
            self._credit = max(1, math.ceil(1.0 / self.interval))
            self._count(now)
            await self._write()
        else:
            self._count(now)
        self._credit -= 1

    def _count(self, now: float) -> None:
        minute = int(now // _MINUTE)
        self._minutes[minute] = self._minutes.get(minute, 0) + 1

    def _forget(self, now: float) -> None:
        while self._recent and self._recent[0] <= now - _MINUTE:
            self._recent.popleft()
        for minute in [m for m in self._minutes if (m + 1) * _MINUTE <= now - _DAY]:
            del self._minutes[minute]
        self._logins = [t for t in self._logins if t > now - _LOGIN_LIMITS[-1][1]]

    async def _write(self) -> None:
        now = self._clock()
        minutes = dict(self._minutes)
        ahead = max(0, self._credit - 1)  # the one being used is counted already
        if ahead:
            minutes[int(now // _MINUTE)] = minutes.get(int(now // _MINUTE), 0) + ahead
        state = {
            "minutes": {str(minute): count for minute, count in minutes.items()},
            "logins": self._logins,
            "due": self._due,
        }
        await anyio.to_thread.run_sync(write_private, self._path, orjson.dumps(state))


def _read(path: Path) -> dict[str, Any]:
    try:
        state = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        # Unreadable is not empty: believe that all of a polite day's burst was just spent.
        _log.warning("budget.unreadable", path=str(path), error=str(error))
        return {"due": time.time() + _DAY}
    return state if isinstance(state, dict) else {}
