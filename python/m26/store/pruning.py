"""A plan of `retention` in, its events, auctions and hours out of the database, beside storing.

First it is decided, in one small transaction: from then on nobody stores, reads back or computes
anything of what goes. Then it is taken out step by step, each a transaction of its own; a partition
of events goes last, so that who was killed finds by it what is left. Steps may be done twice.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import anyio
import asyncpg
import structlog

from m26.errors import StorageError
from m26.store import connection as connections
from m26.store import retention, steps
from m26.store.database import Store, answering
from m26.store.migrate import check_epoch
from m26.store.statements import BY_INDEX, LOCK

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

_log = structlog.get_logger()
_SIZE = 5_000
"""Events whose auctions are deleted in one step: some tenths of a second."""
_PATIENCE = 600.0
"""Seconds for which readers of a partition are waited for, as long as a migration waits."""
_LOCK_TIMEOUT = "100ms"
"""Batches queue up behind who waits for the lock that a partition's end takes: not for longer."""
_AGAIN = 1.0
"""Seconds between two tries: batches go on in between."""

_DECIDE = """
UPDATE m26.stream_head
SET pruned_before = greatest(pruned_before, $1), pruned_to = $2, pruned_head = seq
WHERE pruned_to < $2"""
_DECIDED = "SELECT pruned_before, pruned_to FROM m26.stream_head"

# $1 since when days are open. The days of which something is left to do.
_DAYS = """
SELECT bucket FROM m26.price_day WHERE bucket < $1 AND NOT final
UNION
{}
ORDER BY 1""".format(
    "\nUNION\n".join(
        f"SELECT date_trunc('day', {column}, 'UTC') FROM m26.{table} WHERE {column} < $1"  # noqa: S608 - constants
        for table, column in retention.BY_TIME.items()
    )
)
# $1 a day.
_FINAL = "UPDATE m26.price_day SET final = true WHERE bucket = $1 AND NOT final"
_OF_DAY = "DELETE FROM m26.{0} WHERE {1} >= $1 AND {1} < $1 + interval '24 hours'"
_ENDS = "SELECT min(seq), max(seq) FROM m26.{0}"
# $1 to $2: events. Without locks that a batch waits for: none writes these rows any more.
_AUCTIONS = """
DELETE FROM m26.auction AS a
USING (
    SELECT DISTINCT auction_id, platform FROM m26.auction_event WHERE seq > $1 AND seq <= $2
) AS e
WHERE a.auction_id = e.auction_id AND a.platform = e.platform"""
# Cards whose last sale may be gone are computed anew, at the next look for what has aged.
_AGE = """
UPDATE m26.market_now AS n SET ages_at = c.at
FROM m26.market_clock AS c, m26.stream_head AS h
WHERE c.platform = n.platform AND n.last_sale_at < h.pruned_before"""
# At its pace, which leaves the disk to others. It comes by itself only once a fifth of a table is
# dead, and until then later rows do not take the place.
_AS_AUTOVACUUM = "SET vacuum_cost_delay = '2ms'"
# $1 a partition: who has it or the whole history open for longest.
_READER = """
SELECT a.pid, a.application_name AS name,
    extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds
FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'relation' AND l.granted AND l.pid <> pg_backend_pid()
    AND l.relation IN (to_regclass('m26.' || $1), to_regclass('m26.auction_event'))
ORDER BY a.xact_start LIMIT 1"""


async def plan(
    store: Store, older: timedelta, *, published: int | None, holds: Sequence[str] = ()
) -> retention.Plan:
    """`retention.plan`, by a connection that may take its time."""
    async with _unhurried(store) as connection:
        return await retention.plan(connection, older, published=published, holds=holds)


async def decide(store: Store, plan: retention.Plan) -> None:
    """From now on what the plan names is not there any more, whoever asks or stores.

    Raises:
        SchemaNewerError: a newer m26 has migrated the database.
    """
    async with _unhurried(store) as connection, connection.transaction():
        _, epoch = await connection.fetchrow(LOCK)  # type: ignore[misc]  # it is there
        check_epoch(epoch)
        await connection.execute(_DECIDE, plan.before, plan.last_seq)


async def finish(
    store: Store,
    *,
    told: Callable[[str], None] = lambda _: None,
    pause: float = steps.PAUSE,
    size: int = _SIZE,
    patience: float = _PATIENCE,
) -> Counter[str]:
    """Take out what is decided; rows that went, by table. Where nothing is, it does nothing.

    Args:
        store: the database.
        told: what is done, now and then, for people.
        pause: seconds between two steps.
        size: events whose auctions go in one step.
        patience: how long readers are waited for, seconds.

    Raises:
        StorageError: somebody reads the events for longer than that; the same again goes on.
    """
    gone = Counter[str]()
    async with _unhurried(store) as connection:
        before, last_seq = await connection.fetchrow(_DECIDED)  # type: ignore[misc]  # as above
        if before is None:
            return gone
        for row in await connection.fetch(_DAYS, before):
            told(f"{row[0]:%Y-%m-%d} is final")
            await _day(connection, row[0], gone)
            await anyio.sleep(pause)
        for each in await connection.fetch(retention.PARTITIONS):
            if each["number"] >= retention.next_number(last_seq):
                break
            told(f"{each['name']}, {each['bytes'] / 2**20:,.0f} MiB")
            # no user text: the name of a partition
            first, last = await connection.fetchrow(  # type: ignore[misc]  # a row
                _ENDS.format(each["name"])
            )
            for low in range((first or 1) - 1, last or 0, size):
                async with connection.transaction():
                    await connection.execute(BY_INDEX)
                    gone["auction"] += _count(await connection.execute(_AUCTIONS, low, low + size))
                await anyio.sleep(pause)
            await connection.execute(_AGE)
            await _drop(connection, each["name"], patience)
            gone["partitions"] += 1
        if gone["partitions"]:
            told("making room of what was deleted")
            await connection.execute(_AS_AUTOVACUUM)
            for table in ("auction", "price_day", *retention.BY_TIME):
                await connection.execute(f"VACUUM m26.{table}")  # no user text: constants
    return gone


@asynccontextmanager
async def _unhurried(store: Store) -> AsyncIterator[PoolConnectionProxy[Any]]:
    """A connection that may take its time."""
    with answering():
        async with store.unhurried() as pool, pool.acquire() as connection:
            yield connection


async def _day(connection: PoolConnectionProxy[Any], day: datetime, gone: Counter[str]) -> None:
    """Make a day final: its prices stay as they are, what they were made of goes."""
    async with connection.transaction():
        await connection.execute(BY_INDEX)
        gone["price_day"] += _count(await connection.execute(_FINAL, day))
        for table, column in retention.BY_TIME.items():
            # no user text: constants
            gone[table] += _count(await connection.execute(_OF_DAY.format(table, column), day))


def _count(status: str) -> int:
    """Rows of a command, as PostgreSQL tells them: `DELETE 7`."""
    return int(status.rpartition(" ")[2])


async def _drop(connection: PoolConnectionProxy[Any], name: str, patience: float) -> None:
    """Drop a partition; readers are waited for, and batches wait for no longer than the lock is."""
    deadline = time.monotonic() + patience
    while True:
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
                # no user text: the name of a partition
                await connection.execute(f"DROP TABLE IF EXISTS m26.{name}")
        except asyncpg.PostgresError as error:
            if not connections.is_busy(error):
                raise
            reader = await connection.fetchrow(_READER, name)
            if time.monotonic() > deadline:
                raise StorageError(
                    f"{name} was not dropped in {patience:.0f} s: {_named(reader)}",
                    hint="End that session's transaction, then run the same command again: it goes"
                    " on from there.",
                ) from error
            _log.info("prune.waits", reason=_named(reader), partition=name)
        else:
            return
        await anyio.sleep(_AGAIN)


def _named(reader: asyncpg.Record | None) -> str:
    """Who reads events, for people."""
    if reader is None:
        return "somebody reads it"
    who = reader["name"] or "a session without a name"
    return f"{who}, pid {reader['pid']}, reads events since {reader['seconds'] or 0:.0f} s"
