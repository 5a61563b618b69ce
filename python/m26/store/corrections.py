"""Outcomes that an older rule stored, decided anew: once after an upgrade, beside collecting.

The history is gone through from its end, some thousand events at a time; `stream_head.uncorrected`
says how far. What becomes of an auction is decided by the same rule as for what comes in, in Rust.
Each correction is one `closed` event, in a transaction that locks the stream head like any batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

import structlog

from m26 import _native
from m26.clock import at_micros
from m26.status.metrics import Metrics
from m26.store import partitions, steps
from m26.store.database import Store
from m26.store.statements import BY_INDEX, LOCK, OUTCOME

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

_log = structlog.get_logger()
_UNWRITTEN = 50
"""Steps without a correction before the place is written: collectors then read states back."""

_PLACE = "SELECT seq, uncorrected FROM m26.stream_head"

# $1 to $2: events. Of the auctions that an event of these closed, and whose outcome may be another
# by the newer rule: each of their states, in order. What a newer rule has decided is not among them
# but for `unknown`, and for sales without a buyout price, of which all rules say the same.
_STATES = """
SELECT a.auction_id, a.platform, a.outcome, a.confidence, s.status,
    (extract(epoch FROM s.observed_at) * 1000000)::bigint AS observed_at,
    (extract(epoch FROM s.expires_at) * 1000000)::bigint AS expires_at,
    s.bids, s.buyout_price, s.current_bid
FROM (
    SELECT DISTINCT auction_id, platform FROM m26.auction_event
    WHERE seq > $1 AND seq <= $2 AND kind = 'closed' AND status = 'ended'
) AS e
JOIN m26.auction AS a ON a.auction_id = e.auction_id AND a.platform = e.platform
JOIN m26.auction_event AS s
    ON s.auction_id = e.auction_id AND s.platform = e.platform AND NOT s.late
WHERE a.evidence = 'status' AND (
    a.outcome = 'unknown' OR a.outcome = 'sold' AND a.outcome_via = 'bid' AND a.confidence = 1)
ORDER BY a.auction_id, a.platform, s.seq"""

# An event of a correction: its auction as it is, so that a new column comes by itself.
_OWN = {
    "seq": "$1::bigint + row_number() OVER (ORDER BY seen_at, auction_id, platform)",
    "kind": "'closed'",
    "observed_at": "seen_at",
    "late": "false",
}
_NAMES = ", ".join(name for name, _ in _native.EVENT_COLUMNS)
_VALUES = ", ".join(_OWN.get(name, name) for name, _ in _native.EVENT_COLUMNS)

# $1 stream head, $2 … the columns of _Correction. One whose outcome is not what it was when it was
# looked at is left out: an observation has closed it since, by the newer rule.
_CORRECT = f"""
WITH given AS (
    SELECT * FROM unnest(
        $2::bigint[], $3::text[], $4::text[], $5::real[], $6::timestamptz[], $7::text[],
        $8::text[], $9::text[], $10::real[], $11::bigint[], $12::real[], $13::timestamptz[],
        $14::timestamptz[], $15::timestamptz[]
    ) AS g (auction_id, platform, was_outcome, was_confidence, seen_at, {", ".join(OUTCOME)})
), corrected AS (
    UPDATE m26.auction AS a SET {", ".join(f"{name} = g.{name}" for name in OUTCOME)}
    FROM given AS g
    WHERE a.auction_id = g.auction_id AND a.platform = g.platform
        AND a.outcome = g.was_outcome AND a.confidence = g.was_confidence
    RETURNING a.*, g.seen_at
), written AS (
    INSERT INTO m26.auction_event ({_NAMES})
    SELECT {_VALUES}
    FROM corrected
    RETURNING seq
)
SELECT count(*) FROM written"""  # noqa: S608 - columns of ours

_MOVE = """
UPDATE m26.stream_head
SET seq = seq + $1, uncorrected = least(coalesce(uncorrected, $2), $2)"""


@dataclass(frozen=True, slots=True)
class _Correction:
    """An auction, its outcome as it is, when the right one was seen, and that."""

    auction_id: int
    platform: str
    was_outcome: str
    was_confidence: float
    seen_at: datetime
    outcome: tuple[Any, ...]
    """As it should be, in the order of `OUTCOME`."""

    def columns(self) -> tuple[Any, ...]:
        """In the order of `_CORRECT`."""
        was = (self.auction_id, self.platform, self.was_outcome, self.was_confidence)
        return *was, self.seen_at, *self.outcome


class Corrections:
    """Goes through the history once; two processes at it do no harm to each other.

    Args:
        store: the database.
        committed: called when there are new events.
        metrics: count them.
        size: events to go through in one step.
        pause: seconds between two steps.
    """

    def __init__(
        self,
        store: Store,
        *,
        committed: Callable[[], None],
        metrics: Metrics,
        size: int = 2_000,
        pause: float = steps.PAUSE,
    ) -> None:
        self._store, self._committed, self._metrics = store, committed, metrics
        self._size, self._pause = size, pause
        self._place: int | None = None
        """Events up to this one are still to be looked at; None: as the database says."""
        self._unwritten = 0
        self.corrected = 0
        """Auctions corrected by this process."""

    async def run(self) -> None:
        """Correct what there is; an outage is waited out."""
        await steps.taken(
            self._store, self._work, lost=self._lost, waits="history.correction_waits"
        )
        if self.corrected:
            _log.info("history.corrected", auctions=self.corrected)

    def _lost(self) -> None:
        self._place = None

    async def _work(self, connection: PoolConnectionProxy[Any]) -> float | None:
        """Look at some more events; seconds until the next step, None after the last."""
        if self._place is None:
            head, place = await connection.fetchrow(_PLACE)  # type: ignore[misc]  # it is there
            if place == 0:
                return None
            self._place = head if place is None else place
        low = max(0, self._place - self._size)
        found = await self._look(connection, low, self._place)
        self._unwritten += 1
        if found or low == 0 or self._unwritten >= _UNWRITTEN:
            await self._write(connection, found, low)
            self._unwritten = 0
        self._place = low
        return self._pause if low else None

    async def _look(
        self, connection: PoolConnectionProxy[Any], low: int, high: int
    ) -> list[_Correction]:
        async with connection.transaction(readonly=True):
            await connection.execute(BY_INDEX)
            rows = await connection.fetch(_STATES, low, high)
        by_auction = groupby((tuple(row) for row in rows), key=lambda row: row[:4])
        found = (_decided(key, [row[4:] for row in states]) for key, states in by_auction)
        return [correction for correction in found if correction is not None]

    async def _write(
        self, connection: PoolConnectionProxy[Any], found: list[_Correction], low: int
    ) -> None:
        done = 0
        async with connection.transaction():
            head = await connection.fetchval(LOCK)
            if found:
                await partitions.ensure(connection, head + len(found), known=-1)
                columns = zip(*(each.columns() for each in found), strict=True)
                done = await connection.fetchval(_CORRECT, head, *map(list, columns))
            await connection.execute(_MOVE, done, low)
        if done:
            self.corrected += done
            self._metrics.events.labels("closed").inc(done)
            self._committed()


def _decided(key: tuple[Any, ...], states: list[tuple[Any, ...]]) -> _Correction | None:
    """The correction of one auction; None where the rules agree, or the newer one knows less."""
    auction_id, platform, was_outcome, was_confidence = key
    decided = _native.outcome(states)
    if decided is None:
        return None
    seen_at, (outcome, via, *rest, after, before, at) = decided
    if outcome == "unknown" or (outcome, via) == ("sold", "bid"):
        return None
    given = (
        outcome,
        via,
        *rest,
        *(None if t is None else at_micros(t) for t in (after, before, at)),
    )
    return _Correction(auction_id, platform, was_outcome, was_confidence, at_micros(seen_at), given)
