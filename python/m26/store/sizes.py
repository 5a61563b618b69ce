"""What the tables take and how fast they grow: PostgreSQL's figures and the newest days in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from m26.store import retention

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

_SPAN = timedelta(days=7)
"""Growth is that of the newest week: the days of a week differ."""
_SHORTEST = timedelta(hours=1)
"""Of less nobody can say what a day comes to."""

_TABLES = """
SELECT coalesce(p.relname, c.relname) AS table, sum(pg_total_relation_size(c.oid))::bigint AS bytes
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
LEFT JOIN pg_class p ON p.oid = i.inhparent
WHERE n.nspname = 'm26' AND c.relkind = 'r' GROUP BY 1 ORDER BY 2 DESC"""
_HEAD = """
SELECT h.seq AS last, coalesce((SELECT min(seq) FROM m26.auction_event), h.seq + 1) AS first
FROM m26.stream_head AS h"""
_AT = "SELECT observed_at FROM m26.auction_event WHERE seq >= $1 ORDER BY seq LIMIT 1"

# $1 since when, $2 the number of the first event since then.
_NEW = {
    "auction_event": "SELECT count(*) FROM m26.auction_event WHERE seq >= $2 AND $1 < now()",
    "auction": """SELECT count(*) FROM m26.auction_event
        WHERE seq >= $2 AND kind = 'listed' AND NOT late AND $1 < now()""",
}
_BY_TIME = {**retention.BY_TIME, "price_day": "bucket", "card": "first_seen"}
_NEW |= {
    table: f"SELECT count(*) FROM m26.{table} WHERE {column} >= $1 AND $2 >= 0"  # noqa: S608 - constants
    for table, column in _BY_TIME.items()
}


@dataclass(frozen=True, slots=True)
class TableSize:
    """One table, partitions added up."""

    table: str
    rows: int
    bytes: int
    """With indexes."""
    rows_per_day: int | None
    bytes_per_day: int | None
    """None: it does not grow with time, or that is not known."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """All tables, and the history's ends."""

    tables: list[TableSize]
    measured_since: datetime | None
    """What growth rests on; None: there is too little."""
    oldest_event: datetime | None
    oldest_moment: datetime | None
    """See `retention.oldest_moment`."""
    prunable_bytes: int
    """Of partitions older than was asked."""

    @property
    def bytes(self) -> int:
        """Of all tables."""
        return sum(each.bytes for each in self.tables)

    @property
    def bytes_per_day(self) -> int | None:
        """Of all tables that grow with time."""
        if self.measured_since is None:
            return None
        return sum(each.bytes_per_day or 0 for each in self.tables)


async def measure(connection: PoolConnectionProxy[Any], older: timedelta) -> Sizes:
    """Measure them; `older` is that of what a pruning would free. It counts rows.

    Args:
        connection: of those that may take their time.
        older: counted back from the newest event.
    """
    last, first = await connection.fetchrow(_HEAD)  # type: ignore[misc]  # it is there
    since, seq, days = await _window(connection, first, last)
    tables = []
    for name, size in await connection.fetch(_TABLES):
        # no user text: names of our own tables
        rows = (
            last + 1 - first
            if name == "auction_event"
            else await connection.fetchval(f"SELECT count(*) FROM m26.{name}")  # noqa: S608
        )
        new = None
        if since is not None and name in _NEW:
            new = await connection.fetchval(_NEW[name], since, seq) / days
        grown = None if new is None else round(new * size / max(rows, 1))
        tables.append(TableSize(name, rows, size, None if new is None else round(new), grown))
    return Sizes(
        tables,
        since,
        await connection.fetchval(_AT, first),
        await retention.oldest_moment(connection),
        await retention.prunable(connection, older),
    )


async def _window(
    connection: PoolConnectionProxy[Any], first: int, last: int
) -> tuple[datetime | None, int, float]:
    """Since when growth is measured, by which event, and how many days that is."""
    newest = await connection.fetchval(_AT, last)
    oldest = await connection.fetchval(_AT, first)
    if newest is None or oldest is None or newest - oldest < _SHORTEST:
        return None, last, 1.0
    since, low, high = newest - _SPAN, first, last
    while low < high:  # events come nearly in the order of their times
        middle = (low + high) // 2
        if await connection.fetchval(_AT, middle) < since:
            low = middle + 1
        else:
            high = middle
    found = max(since, oldest)
    return found, low, (newest - found) / timedelta(days=1)
