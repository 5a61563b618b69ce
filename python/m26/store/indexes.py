"""Indexes that are built beside storing: their table in, each of them built once and valid out.

A migration has the database to itself and must be quick: an index of a table that is large by then
is built after it, while batches go on. One that was left half built is dropped and built anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import structlog

from m26.store import connection as connections
from m26.store.database import Store
from m26.store.partitions import BY_TIME

if TYPE_CHECKING:
    from asyncpg.pool import Pool, PoolConnectionProxy

_log = structlog.get_logger()


class Index(NamedTuple):
    """An index of a table that is not partitioned."""

    name: str
    on: str
    """Table, columns and condition, as CREATE INDEX has them."""


ROLLUPS: tuple[Index, ...] = (
    Index(
        "auction_sale_idx",
        "m26.auction (platform, card_id, closed_at) WHERE outcome = 'sold'",
    ),
    Index("auction_card_idx", "m26.auction (platform, card_id, posted_at)"),
)
"""Those by which prices are rolled up: of a card's sales, and its asks in any bucket."""
INDEXES: tuple[Index, ...] = (
    *ROLLUPS,
    Index(
        "auction_ask_idx",
        "m26.auction (platform, card_id, buyout_price) WHERE outcome IS NULL"
        " AND status = 'active' AND buyout_price IS NOT NULL",
    ),
    Index(
        "auction_sold_idx", "m26.auction (platform, closed_at, auction_id) WHERE outcome = 'sold'"
    ),
)
"""An index comes with the query that uses it; the last two with `prices`: of a card's asks by
price, and of all sales by time."""

_LOCK = 0x6D323669  # "m26i": one builder at a time per database
_LONGEST = 86_400.0
_SOONEST, _SLOWEST = 1.0, 600.0
"""Seconds between two tries."""

# Those of before have no index by time; what is asked about is mostly in the newest.
_PARTITIONS = """
SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = 'm26.auction_event'::regclass ORDER BY c.relname DESC"""
# $1 name. Whoever was killed may have left a server process that still builds.
_LOOK = """
SELECT i.indisvalid AS is_valid, EXISTS (
    SELECT FROM pg_stat_progress_create_index AS p WHERE p.index_relid = i.indexrelid
) AS is_building
FROM pg_index AS i WHERE i.indexrelid = to_regclass('m26.' || $1)"""
# Held by a connection that does nothing else: nobody can build inside of a transaction. The second
# is a simple query, which ends the first for good: for its snapshot the build would wait.
_TAKE = "SELECT pg_try_advisory_xact_lock($1)"
_KEEP = "SET LOCAL idle_in_transaction_session_timeout = 0"


class Indexes:
    """Builds what is missing; of several processes one at a time.

    Args:
        store: the database.
        indexes: those that have to be there.
        pause: seconds until the first look after one that another process builds.
    """

    def __init__(
        self, store: Store, *, indexes: Sequence[Index] = INDEXES, pause: float = _SOONEST
    ) -> None:
        self._store, self._indexes, self._pause = store, indexes, pause

    async def run(self) -> None:
        """Return when all are there; an outage is waited out."""
        wait = self._pause
        while True:
            try:
                if await self._work():
                    return
            except connections.OUTAGES as error:
                _log.warning("index.waits", reason=connections.plain(error))
            await anyio.sleep(wait)
            wait = min(_SLOWEST, wait * 2)

    async def _work(self) -> bool:
        """Build what is missing; whether all are there."""
        async with self._store.acquire(timeout=_SOONEST) as connection:
            names = [row[0] for row in await connection.fetch(_PARTITIONS)]
            by_time = [Index(f"{name}_time_idx", f"m26.{name} {BY_TIME}") for name in names]
            wanted = (*self._indexes, *by_time)
            missing = [index for index in wanted if not await _is_valid(connection, index)]
        if not missing:
            return True
        async with (
            self._store.unhurried() as pool,
            pool.acquire() as guard,
            guard.transaction(),
        ):
            if not await guard.fetchval(_TAKE, _LOCK):
                return False
            await guard.execute(_KEEP)
            return all([await _build(pool, index) for index in missing])


async def are_there(connection: PoolConnectionProxy[Any], indexes: Sequence[Index]) -> bool:
    """Whether all of them are built."""
    return all([await _is_valid(connection, index) for index in indexes])


async def _is_valid(connection: PoolConnectionProxy[Any], index: Index) -> bool:
    found = await connection.fetchrow(_LOOK, index.name)
    return found is not None and found["is_valid"]


async def _build(pool: Pool[Any], index: Index) -> bool:
    """Build one index; False while a server process that nobody waits for does."""
    async with pool.acquire() as connection:
        found = await connection.fetchrow(_LOOK, index.name)
        if found is not None and (found["is_valid"] or found["is_building"]):
            return bool(found["is_valid"])
        # no user text: the table above
        if found is not None:
            await connection.execute(
                f"DROP INDEX CONCURRENTLY IF EXISTS m26.{index.name}", timeout=_LONGEST
            )
        await connection.execute(
            f"CREATE INDEX CONCURRENTLY {index.name} ON {index.on}", timeout=_LONGEST
        )
    _log.info("index.built", index=index.name, again=found is not None)
    return True
