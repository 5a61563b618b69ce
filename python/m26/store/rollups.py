"""Committed events in; what sales and asks come to, in buckets and as of now, out.

A step takes the next events in the order of `seq`, finds which figures they may have changed,
computes those anew from the auctions as they are, and moves its own cursor, all in one transaction:
a kill, an outage or a rival process costs time alone. Storing never waits for it, and it locks
nothing that storing writes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import structlog

from m26.status.metrics import Metrics
from m26.status.views import RollupsState, RollupsView
from m26.store import clock_statements, coverage_statements, index_statements, migrate, retention
from m26.store import connection as connections
from m26.store import rollup_statements as statements
from m26.store.database import Store
from m26.store.rounds import for_ever

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

_log = structlog.get_logger()

_PAUSE = 0.75
"""Seconds between two looks for events: figures are at most a second behind them."""
_DEADLINE = 28.0
"""Of a step, seconds: the server ends its transaction at 30."""
_SHORT, _LONG = 4.0, 12.0
"""A full step that took less may be larger, one that took more smaller: the more events are in one,
the fewer figures are computed twice; a long one holds up the server's own cleaning."""
_FEWEST, _MOST = 1_000, 200_000
"""Events of a step."""
_AGED = 1_000
"""Cards of which something has aged, in one step."""
_TICK = timedelta(seconds=10)
"""By so much market time passes before it is written down where nothing else happens."""
_COVER = 300.0
"""Seconds between two looks at coverage: as often as it is told."""
_RUNNING = timedelta(days=4)
"""So long an hour's coverage changes: as its auctions run, and a day for what is known later."""
_INDEXED = {"hour": timedelta(days=3), "day": timedelta(days=60)}
"""How far back the market's index is made at first."""


class Times(NamedTuple):
    """A platform's newest server time, and its market time so far."""

    platform: str
    newest: datetime
    at: datetime | None


def market_time(times: Times, *, now: datetime, wait: timedelta) -> datetime:
    """By what time prices of a platform are as old as they are, and asks over.

    The newest server time that is known; where that is older than `wait`, the server's time as our
    clock has it. It goes back only if it was wrong by more than `wait`: then our clock was.

    Args:
        times: of the platform.
        now: the server's time, by our clock.
        wait: two of the intervals at which the platform is asked.
    """
    at = times.newest if times.newest > now - wait else now
    return times.at if times.at is not None and at < times.at <= at + wait else at


class _Passed(NamedTuple):
    """What became of a platform's times."""

    before: Times
    at: datetime

    @classmethod
    def to(cls, before: Times, *, now: datetime, wait: timedelta) -> _Passed:
        return cls(before, market_time(before, now=now, wait=wait))


async def _is_due(connection: PoolConnectionProxy[Any], passed: Sequence[_Passed]) -> bool:
    """Whether so much time has passed that something is another than before, or is to be noted."""
    if any(old is None or not old <= at < old + _TICK for (_, _, old), at in passed):
        return True
    platforms, ats = [before.platform for before, _ in passed], [at for _, at in passed]
    return bool(await connection.fetchval(clock_statements.IS_DUE, platforms, ats))


async def _pass(
    connection: PoolConnectionProxy[Any], passed: Sequence[_Passed], wait: timedelta
) -> None:
    """Let market time pass."""
    platforms, newest = [b.platform for b, _ in passed], [b.newest for b, _ in passed]
    values = (platforms, newest, [at for _, at in passed], wait)
    await connection.execute(clock_statements.SET_TIMES, *values)
    back = [b.platform for b, at in passed if b.at is not None and at < b.at]
    if back:
        _log.warning("rollups.time_back", platforms=back)
        await connection.execute(clock_statements.AGAIN, back)


@dataclass(frozen=True, slots=True)
class _Step:
    """What a step did."""

    seq: int
    head: int
    events: int = 0
    aged: int = 0


class Rollups:
    """Keeps `price_hour`, `price_day` and `market_now`; of several processes one at a time.

    Args:
        store: the database.
        turn: held while `market_now` is written; `Fair` has the same.
        metrics: lag and rate of it.
        now: the server's time by our clock, Unix seconds.
        wait: two planned intervals of requests, seconds.
        pause: seconds between two looks.
        most: events of a step.
    """

    def __init__(
        self,
        store: Store,
        *,
        turn: anyio.Lock,
        metrics: Metrics,
        now: Callable[[], float] = time.time,
        wait: float = 60.0,
        pause: float = _PAUSE,
        most: int = _MOST,
    ) -> None:
        self._store, self._turn, self._metrics, self._now = store, turn, metrics, now
        self._wait, self._pause, self._most = timedelta(seconds=wait), pause, most
        self._size = min(_FEWEST, most)
        self._behind_since: float | None = None
        self._covered_at: float | None = None
        self._rate = 0.0
        self._view = RollupsView(
            state="waiting", percent=0, lag_seconds=0, events_behind=0, events_per_second=0
        )

    @property
    def view(self) -> RollupsView:
        """How far it is."""
        return self._view

    async def run(self) -> None:
        """Roll up for ever; an outage is waited out. Ends only by cancellation."""
        await for_ever(
            self._store,
            self.step,
            waits="rollups.wait",
            pause=lambda: self._pause,
            failed=self._failed,
        )

    def _failed(self) -> None:
        self._size = max(_FEWEST, self._size // 2)  # it may have taken too long

    async def step(self) -> bool:
        """Take the next events; whether there are more at once.

        Raises:
            SchemaNewerError: a newer m26 has migrated the database.
        """
        began, size = time.monotonic(), min(self._size, self._most)
        async with self._turn, self._store.acquire(timeout=_DEADLINE) as connection:
            done = await connections.within(_DEADLINE, connection, self._step(connection, size))
            caught_up = done is None or done.seq == done.head
            if caught_up and done is not None and self._is_to_cover(began):
                await connections.within(_DEADLINE, connection, self._cover(connection))
                self._covered_at = began
        spent = time.monotonic() - began
        if done is None:
            self._tell("elsewhere", 0, 0)
            return False
        if done.events == size:
            self._size = size * 2 if spent < _SHORT else size // 2 if spent > _LONG else size
            self._size = max(_FEWEST, self._size)
        self._count(done, spent, began)
        return not caught_up or done.aged == _AGED

    async def _step(self, connection: PoolConnectionProxy[Any], size: int) -> _Step | None:
        async with connection.transaction():
            await connection.execute(statements.SETTINGS)
            seq, head, epoch = await connection.fetchrow(statements.PLACE)  # type: ignore[misc]
            migrate.check_epoch(epoch)
            rows = await connection.fetch(clock_statements.TIMES, seq, min(head, seq + size))
            now = datetime.fromtimestamp(self._now(), UTC)
            passed = [_Passed.to(Times(*row), now=now, wait=self._wait) for row in rows]
            if seq == head and not await _is_due(connection, passed):
                return _Step(seq, head)
            locked = await connection.fetchrow(statements.LOCK)
            if locked is None:
                return None
            seq, head, _ = locked
            upto = min(head, seq + size)
            await connection.execute(coverage_statements.SEE)
            await _pass(connection, passed, self._wait)
            await connection.execute(statements.CREATE_TOUCHED)
            if upto > seq:
                await connection.execute(statements.TOUCH, seq, upto)
                await connection.execute(retention.NOTE_FINAL, seq, upto)
            await connection.execute(statements.TOUCH_MOVED)
            aged = await connection.fetchval(statements.TOUCH_AGED, _AGED)
            await connection.execute(statements.BUCKETS)
            await connection.execute(statements.NOW, upto)
            await connection.execute(statements.MOVE, upto)
            return _Step(upto, head, events=upto - seq, aged=aged)

    def _is_to_cover(self, now: float) -> bool:
        return self._covered_at is None or now - self._covered_at > _COVER

    async def _cover(self, connection: PoolConnectionProxy[Any]) -> None:
        """Write down how much of its market each bucket saw; of all of them at first."""
        first = self._covered_at is None
        since = datetime.fromtimestamp(0 if first else self._now(), UTC)
        async with connection.transaction():
            await connection.execute(statements.SETTINGS)
            if await connection.fetchrow(statements.LOCK) is None:
                return  # another process does it
            for statement in coverage_statements.COVER.values():
                await connection.execute(statement, since if first else since - _RUNNING)
            await connection.execute(coverage_statements.COVER_NOW)
            for platform, at in await connection.fetch(clock_statements.CLOCKS):
                for width, back in _INDEXED.items():
                    begin = at - (back if first else _RUNNING)
                    values = (platform, begin - timedelta(days=1), begin)
                    await connection.execute(index_statements.KEEP[width], *values)

    def _count(self, done: _Step, spent: float, began: float) -> None:
        self._metrics.rollup_events.inc(done.events)
        if done.events:
            self._rate = done.events / max(spent, 1e-3)
        left = done.head - done.seq
        if left == 0:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = began
        lag = 0.0 if self._behind_since is None else time.monotonic() - self._behind_since
        self._metrics.rollup_lag.set(lag)
        percent = 100 if left == 0 else 100 * done.seq // done.head
        self._tell("building" if left > statements.BEHIND else "current", left, percent)

    def _tell(self, state: RollupsState, left: int, percent: int) -> None:
        lag = round(self._metrics.value("m26_rollup_lag_seconds"), 3)
        self._view = RollupsView(
            state=state,
            percent=percent,
            lag_seconds=lag,
            events_behind=left,
            events_per_second=round(self._rate),
        )
