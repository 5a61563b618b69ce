"""A limit in, what of the history may go out: the plan of a pruning, and how far one has gone.

Events go by whole partitions, since their numbers are dense; an auction goes with its first event.
An auction runs for three days, so that all that is known of those that go lies in days before
`Plan.before`: these days are final from then on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from m26.errors import UsageError
from m26.store.fair_statements import DAYS
from m26.store.partitions import EVENTS
from m26.store.rollup_statements import BEHIND, LONGEST, RUNS

if TYPE_CHECKING:
    from asyncpg import Record
    from asyncpg.pool import PoolConnectionProxy

LEAST = timedelta(days=DAYS + 5)
"""Nothing younger goes: so far back a fair price looks, and three days an auction runs."""
BY_TIME = {"price_hour": "bucket", "coverage_hour": "hour", "sweep": "started_at"}
"""What goes by its time alone, with the days that are final."""

# By the server's clock and by ours, whichever is behind: one that is wrong must not cost anything.
# The auctions that are not looked at yet by `corrections` and `bygone`, and by prices.
_STATE = """
SELECT h.seq AS head, h.pruned_before, h.pruned_to, h.bygone IS NOT NULL AS has_bygone,
    coalesce(h.uncorrected, h.seq) AS uncorrected,
    (SELECT min(seq) FROM m26.rollup_cursor) AS rolled, least(now(), (
        SELECT observed_at FROM m26.auction_event ORDER BY seq DESC LIMIT 1)) AS newest
FROM m26.stream_head AS h"""
PARTITIONS = """
SELECT c.relname AS name, right(c.relname, 5)::bigint AS number,
    pg_total_relation_size(c.oid) AS bytes
FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = 'm26.auction_event'::regclass ORDER BY number"""
_NEWEST = "SELECT observed_at FROM m26.{0} ORDER BY seq DESC LIMIT 1"
_FIRST = "SELECT observed_at FROM m26.{0} ORDER BY seq LIMIT 1"
# Every auction that begins here has one event `listed` that was not late.
_CONTENT = f"""
SELECT count(*) AS events, count(*) FILTER (WHERE kind = 'listed' AND NOT late) AS auctions,
    min(observed_at) AS first, max(observed_at) AS last,
    date_trunc('day', max(least(posted_at, observed_at)) + interval '{LONGEST}', 'UTC')
        + interval '24 hours' AS before
FROM m26.{{0}}"""  # noqa: S608 - constants
_AT_MOST = RUNS + timedelta(days=1)
"""From a partition's newest event to the day before which its auctions are over: `RUNS`, and the
rest of a day."""
_BEFORE = "SELECT count(*) FROM m26.{0} WHERE {1} < $1"
_DAYS = "SELECT count(*) FROM m26.price_day WHERE bucket < $1 AND NOT final"
# What rows of a table take on disk, with their indexes; it is an estimate of PostgreSQL's.
_ROW_BYTES = """
SELECT pg_total_relation_size(oid) / greatest(reltuples, 1) FROM pg_class
WHERE oid = to_regclass('m26.' || $1)"""
# $1 to $2: events. What they tell of final days changes none of their figures, and is a surprise.
NOTE_FINAL = """
INSERT INTO m26.drift AS d (path, kind, count, sample)
SELECT 'price_day', 'final', count(*), 'auction ' || min(e.auction_id)
FROM m26.auction_event AS e, m26.stream_head AS h
WHERE e.seq > greatest($1, h.pruned_head) AND e.seq <= $2 AND e.kind <> 'bid'
    AND coalesce(e.closed_at, e.posted_at) < h.pruned_before
HAVING count(*) > 0
ON CONFLICT (path, kind) DO UPDATE
SET count = d.count + excluded.count, last_seen = now(), sample = excluded.sample"""
_OLDEST = f"""
SELECT h.pruned_before + interval '{DAYS} days' AS oldest FROM m26.stream_head AS h"""  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class Part:
    """A partition of events that may go."""

    last_seq: int
    bytes: int
    events: int
    auctions: int
    """That begin in it."""
    first: datetime
    last: datetime
    """Its oldest and its newest event."""
    before: datetime
    """The first day that nothing of its auctions reaches into."""


@dataclass(frozen=True, slots=True)
class Going:
    """What goes of a table."""

    table: str
    rows: int
    bytes: int
    to_disk: bool
    """Whether the disk has the bytes back; else later rows take the place."""


@dataclass(slots=True)
class Plan:
    """What a pruning takes out, and what holds it back."""

    limit: datetime | None
    """What is older may go; None: there is no event."""
    before: datetime | None = None
    """Days before it are final then; None: nothing goes."""
    last_seq: int = 0
    first: datetime | None = None
    last: datetime | None = None
    """The oldest and the newest event that go."""
    going: list[Going] = field(default_factory=list)
    final_rows: int = 0
    """Rows of `price_day` that stay, and are never computed again."""
    stays_from: datetime | None = None
    """The oldest event that stays."""
    stays: int = 0
    """Events that stay."""
    next_at: datetime | None = None
    """When the oldest partition that stays is old enough, if time goes on as it does."""
    holds: list[str] = field(default_factory=list)
    """Who still needs something of what is old enough, and what to do."""
    is_begun: bool = False
    """An earlier pruning has not ended: it goes on first."""


async def oldest_moment(connection: PoolConnectionProxy[Any]) -> datetime | None:
    """The oldest moment that can be asked about, as it was known then; None: nothing is pruned.

    From then on every auction that was on offer is there with all its events, and so are the sales
    that a fair price was made of.
    """
    found: datetime | None = await connection.fetchval(_OLDEST)
    return found


async def check_moment(connection: PoolConnectionProxy[Any], at: datetime) -> None:
    """Refuse a moment of which too much is pruned.

    Raises:
        UsageError: with the oldest that can be asked about.
    """
    oldest = await oldest_moment(connection)
    if oldest is not None and at < oldest:
        raise UsageError(
            f"what was known at {at} is pruned: moments from {oldest} on can be asked about",
            hint="ask about a later one; of days before, daily prices are kept",
        )


async def prunable(connection: PoolConnectionProxy[Any], older: timedelta) -> int:
    """Bytes of partitions whose newest event is older than `older`; it reads none of them."""
    state = await connection.fetchrow(_STATE)
    total = 0
    for each in await connection.fetch(PARTITIONS):
        newest = await connection.fetchval(_NEWEST.format(each["name"]))
        if state is None or newest is None or newest >= state["newest"] - older:
            break
        total += each["bytes"]
    return total


async def plan(
    connection: PoolConnectionProxy[Any],
    older: timedelta,
    *,
    published: int | None = None,
    holds: Sequence[str] = (),
) -> Plan:
    """What may go that is older than `older`. It reads all partitions that are.

    Args:
        connection: of those that may take their time.
        older: counted back from the newest event.
        published: the last event that the Redis stream ever had; None: it follows by itself.
        holds: what keeps everything back beside.
    """
    state = await connection.fetchrow(_STATE)
    assert state is not None
    partitions = await connection.fetch(PARTITIONS)
    limit = state["newest"] - older if partitions and state["head"] else None
    made = Plan(limit, holds=list(holds))
    made.is_begun = any(each["number"] < next_number(state["pruned_to"]) for each in partitions)
    if limit is None:
        return made
    old = await _old(connection, partitions, limit)
    goes = _held(old, state, published, made.holds)
    await _stay(connection, made, partitions[len(goes)], older)  # the newest event's never goes
    if goes:
        made.before = max(part.before for part in goes)
        made.last_seq, made.first, made.last = goes[-1].last_seq, goes[0].first, goes[-1].last
        made.going = await _going(connection, goes, made.before)
        made.final_rows = await connection.fetchval(_DAYS, made.before)
    made.stays = state["head"] - max(made.last_seq, partitions[0]["number"] * EVENTS - 1, 0)
    return made


def next_number(seq: int) -> int:
    """Number of the first partition that is not wholly at or before event `seq`."""
    return (seq + 1) // EVENTS


async def _old(
    connection: PoolConnectionProxy[Any], partitions: Sequence[Record], limit: datetime
) -> list[Part]:
    """The partitions of which everything is older than `limit`, up to the first that is not."""
    found: list[Part] = []
    for each in partitions:
        # no user text: names of our own tables
        newest = await connection.fetchval(_NEWEST.format(each["name"]))
        if newest is None or newest >= limit:
            break
        row = await connection.fetchrow(_CONTENT.format(each["name"]))
        part = Part((each["number"] + 1) * EVENTS - 1, each["bytes"], *row)  # type: ignore[misc]
        if max(part.last, part.before) > limit:
            break
        found.append(part)
    return found


def _held(
    old: Sequence[Part], state: Record, published: int | None, holds: list[str]
) -> Sequence[Part]:
    """Those that nobody needs any more; who needs the others is added to `holds`."""
    last_seq = old[-1].last_seq if old else 0
    if old and state["rolled"] < max(last_seq, state["head"] - BEHIND):
        holds.append(
            f"prices have {state['rolled']:,} of {state['head']:,} events: `m26 run` builds them"
        )
    if old and (state["has_bygone"] or state["uncorrected"]):
        holds.append(
            "outcomes of before an upgrade are still to be looked at: `m26 run` does it once"
        )
    if holds:
        return []
    if published is not None and published < last_seq:
        holds.append(f"the Redis stream ends at event {published:,}: `m26 run` publishes the rest")
        return [part for part in old if part.last_seq <= published]
    return old


async def _stay(
    connection: PoolConnectionProxy[Any], made: Plan, oldest: Record, older: timedelta
) -> None:
    """Note the oldest that stays, and when it may go."""
    # no user text: names of our own tables
    newest = await connection.fetchval(_NEWEST.format(oldest["name"]))
    made.stays_from = await connection.fetchval(_FIRST.format(oldest["name"]))
    if newest is not None and not made.holds:
        made.next_at = newest + _AT_MOST + older


async def _going(
    connection: PoolConnectionProxy[Any], goes: Sequence[Part], before: datetime
) -> list[Going]:
    made = [
        Going("auction_event", sum(p.events for p in goes), sum(p.bytes for p in goes), True)  # noqa: FBT003
    ]
    counts = {"auction": sum(part.auctions for part in goes)}
    for table, column in BY_TIME.items():
        # no user text: the tables above
        counts[table] = await connection.fetchval(_BEFORE.format(table, column), before)
    for table, rows in counts.items():
        each = await connection.fetchval(_ROW_BYTES, table)
        made.append(Going(table, rows, int(rows * each), False))  # noqa: FBT003
    return made
