"""Partitions of the event history, made before the first event that needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from m26.store.migrate import check_epoch
from m26.store.statements import LOCK

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

EVENTS = 5_000_000
"""Events a partition holds: about three weeks of one account at the default budget."""
BY_TIME = "USING brin (observed_at) WITH (autosummarize = on)"
"""Its index `…_time_idx`, by which a moment of the past is found: events come nearly in the order
of their times, so that it is small, and costs a batch less than a microsecond for each."""


async def ensure(connection: PoolConnectionProxy[Any], last_seq: int, *, known: int) -> int:
    """Make the partitions up to the one that `last_seq` falls into; its number.

    Called with the stream head locked, so no other writer makes one at the same time.

    Args:
        connection: in the batch's transaction.
        last_seq: the highest number that an event of the batch can get.
        known: this partition and all before it are there.
    """
    newest = number = last_seq // EVENTS
    while number > known and not await connection.fetchval(
        "SELECT to_regclass('m26.' || $1)::text", _name(number)
    ):
        first, name = number * EVENTS, _name(number)
        # Attached, and not made as one: that would wait for everybody who reads events.
        await connection.execute(
            # no user text: both numbers are computed above
            f"CREATE TABLE m26.{name} (LIKE m26.auction_event INCLUDING ALL);"
            f"ALTER TABLE m26.auction_event ATTACH PARTITION m26.{name}"
            f" FOR VALUES FROM ({first}) TO ({first + EVENTS});"
            f"CREATE INDEX {name}_time_idx ON m26.{name} {BY_TIME}"
        )
        number -= 1
    return newest


async def newest(connection: PoolConnectionProxy[Any], last_seq: int, *, known: int) -> int:
    """The partition that `last_seq` falls into, where it is there; -1 where it is not."""
    number = last_seq // EVENTS
    if number <= known:
        return known
    found = await connection.fetchval("SELECT to_regclass('m26.' || $1)::text", _name(number))
    return number if found else -1


async def ahead(connection: PoolConnectionProxy[Any]) -> None:
    """Make the partition that comes next, so that no batch has to."""
    number = await connection.fetchval("SELECT seq FROM m26.stream_head") // EVENTS + 1
    if await newest(connection, number * EVENTS, known=-1) >= 0:
        return
    async with connection.transaction():
        _, epoch = await connection.fetchrow(LOCK)  # type: ignore[misc]  # it is there
        check_epoch(epoch)
        await ensure(connection, number * EVENTS, known=number - 1)


def _name(number: int) -> str:
    return f"auction_event_p{number:05d}"
