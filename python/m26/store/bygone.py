"""Auctions that ended before outcomes were inferred: once after an upgrade, beside collecting.

Their replies are read no more, so that the table is what is left: it is gone through by auction
ids, some hundred rows at a time, and what it proves is concluded in Rust (`m26._native.Bygone`).
Each outcome is an event that `States.derive` makes as of any that is inferred, in a transaction
that locks the stream head like any batch; `stream_head.bygone` says how far that is. What had not
ended for a day when the last row was listed is left until later: most of it is told or inferred
from replies by then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog

from m26 import _native
from m26.status.metrics import Metrics
from m26.store import closings, partitions, statements, steps
from m26.store.database import Store
from m26.store.knowledge import columns
from m26.store.migrate import SchemaNewerError, check_epoch

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    from m26.store.closings import Inferred

_log = structlog.get_logger()
_LATER = 3_600.0
"""Seconds until what had not ended for long enough is looked at again: it is hours, mostly."""
_UNWRITTEN = 50
"""Steps before the place is written in any case; each write makes collectors read states back."""

_PLACE = "SELECT lower(bygone), upper(bygone) FROM m26.stream_head"
_TIMES = ("acquired_at", "posted_at", "expires_at", "first_seen", "observed_at", "last_seen")
_T = {t: f"(extract(epoch FROM a.{t}) * 1000000)::bigint" for t in _TIMES}

# $1, $2 the auction before; $3 id of those from which on none is bygone, $4 how many. Of one that
# was told as ended, and nothing was concluded: as what it was on offer last.
_ROWS = f"""
SELECT a.platform, a.status, a.auction_id, a.card_id, a.card_instance_id, {_T["acquired_at"]},
    {_T["posted_at"]}, {_T["expires_at"]}, a.start_price, a.buyout_price, a.median_price,
    {_T["first_seen"]}, {_T["observed_at"]}, {_T["last_seen"]}, a.bids, a.current_bid,
    a.is_open AND a.auction_id < $3,
    CASE WHEN a.status = 'active' THEN {_T["last_seen"]}
        ELSE (extract(epoch FROM e.observed_at) * 1000000)::bigint END,
    coalesce(e.bids, a.bids), coalesce(e.current_bid, a.current_bid)
FROM (
    SELECT *, outcome IS NULL OR outcome = 'unknown' AND evidence = 'status' AS is_open
    FROM m26.auction
    WHERE (auction_id, platform) > ($1, $2)
    ORDER BY auction_id, platform LIMIT $4
) AS a
LEFT JOIN LATERAL (
    SELECT observed_at, bids, current_bid FROM m26.auction_event
    WHERE a.is_open AND a.status <> 'active' AND auction_id = a.auction_id
        AND platform = a.platform AND status = 'active' AND NOT late
    ORDER BY seq DESC LIMIT 1
) AS e ON true
ORDER BY a.auction_id, a.platform"""  # noqa: S608 - columns of ours

# $1 events, $2 the lowest id that is still to be looked at; NULL: none. A rival may be further.
_MOVE = """
UPDATE m26.stream_head SET seq = seq + $1, bygone =
    CASE WHEN $2::bigint < upper(bygone)
        THEN int8range(greatest(lower(bygone), $2), upper(bygone)) END"""


class Bygone:
    """Goes through the table once; two processes at it do no harm to each other.

    Args:
        store: the database.
        committed: called when there are new events.
        metrics: count them.
        size: auctions to go through in one step, and outcomes that are written in one.
        pause: seconds between two steps.
        later: seconds until the rest is looked at again.
    """

    def __init__(
        self,
        store: Store,
        *,
        committed: Callable[[], None],
        metrics: Metrics,
        size: int = 500,
        pause: float = steps.PAUSE,
        later: float = _LATER,
    ) -> None:
        self._store, self._committed, self._metrics = store, committed, metrics
        self._size, self._pause, self._later = size, pause, later
        self._states = _native.States(capacity=1)
        self._nothing = _native.Normalizer(per_copy=[], positions={}).normalize(
            [], platforms=[], fetched_at=[]
        )
        self._reading: _native.Bygone | None = None
        """None: the next step begins where the database says."""
        self._is_read = False
        """All rows are read, and what is found has to be written."""
        self._place, self._end = (0, ""), 0
        """The auction that was read last, and the id from which on none is bygone."""
        self._found: list[Inferred] = []
        self._unwritten = 0
        self.concluded = 0
        """Outcomes that this process gave."""

    async def run(self) -> None:
        """Conclude what there is; an outage is waited out."""
        try:
            await steps.taken(
                self._store, self._work, lost=self._lost, waits="history.bygone_waits"
            )
        except SchemaNewerError as error:
            _log.warning("history.bygone_ends", reason=error.message)  # the newer one goes on
        if self.concluded:
            _log.info("history.concluded", auctions=self.concluded)

    def _lost(self) -> None:
        self._reading, self._found, self._unwritten = None, [], 0
        self._states.abort()

    async def _work(self, connection: PoolConnectionProxy[Any]) -> float | None:
        """Look at some more auctions; seconds until the next step, None after the last."""
        if self._reading is None:
            if await self._fold(connection):
                return self._pause
            low, high = await connection.fetchrow(_PLACE)  # type: ignore[misc]  # it is there
            if high is None:
                return None
            self._reading, self._is_read = _native.Bygone(), False
            self._place, self._end = (low, ""), high
        if len(self._found) < self._size and not self._is_read:
            await self._read(connection, self._reading)
        self._unwritten += 1
        if len(self._found) >= self._size or self._is_read or self._unwritten >= _UNWRITTEN:
            await self._write(connection, self._reading.lowest)
        if self._found or not self._is_read:
            return self._pause
        is_done = self._reading.lowest is None
        self._reading = None
        return None if is_done else self._later

    async def _fold(self, connection: PoolConnectionProxy[Any]) -> bool:
        """Bring `last_seen` up to date, some pages at a time; whether there may be more."""
        async with connection.transaction():
            check_epoch(await connection.fetchval(statements.LOCK_HEAD))
            done: int = await connection.fetchval(statements.FOLD_SIGHTINGS, self._size)
        return done == self._size

    async def _read(self, connection: PoolConnectionProxy[Any], reading: _native.Bygone) -> None:
        async with connection.transaction(readonly=True):
            await connection.execute(statements.BY_INDEX)
            rows = await connection.fetch(_ROWS, *self._place, self._end, self._size)
        self._found += reading.take([tuple(row) for row in rows])
        self._is_read = len(rows) < self._size
        if self._is_read:
            self._found += reading.rest()
        else:
            self._place = (rows[-1]["auction_id"], rows[-1]["platform"])

    async def _write(self, connection: PoolConnectionProxy[Any], lowest: int | None) -> None:
        """Write some of what was found, and the place.

        Args:
            connection: not in a transaction.
            lowest: id of those that are still waiting.
        """
        found, left = self._found[: self._size], self._found[self._size :]
        places = {auction_id for _, _, auction_id, *_ in left}
        places |= set() if self._is_read else {self._place[0]}
        places |= set() if lowest is None else {lowest}
        done = Counter[str]()
        async with connection.transaction():
            head, epoch = await connection.fetchrow(statements.LOCK)  # type: ignore[misc]
            check_epoch(epoch)
            if found:
                done = await self._conclude(connection, head, found)
            await connection.execute(_MOVE, done.total(), min(places, default=None))
        self._found, self._unwritten = left, 0
        for evidence, count in done.items():
            self._metrics.outcomes.labels(evidence).inc(count)
        if done:
            self.concluded += done.total()
            self._metrics.events.labels("closed").inc(done.total())
            self._committed()

    async def _conclude(
        self, connection: PoolConnectionProxy[Any], head: int, found: list[Inferred]
    ) -> Counter[str]:
        """Write those that are stronger than what stands; how many, by evidence."""
        await connection.execute(statements.BY_INDEX)
        await partitions.ensure(connection, head + len(found), known=-1)
        keys = columns((platform, auction_id) for _, platform, auction_id, *_ in found)
        states = await connection.fetch(statements.READ_OUTCOMES, *keys)
        self._states.lend([tuple(row) for row in states])
        delta = self._states.derive(
            self._nothing, 0, 0, head=head, part="", positions=[], inferred=found
        )
        await closings.write(connection, delta)
        self._states.abort()  # what was lent is of this transaction
        return Counter(closing[2] for *_, closing in delta.closed)
