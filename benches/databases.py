"""Databases of a benchmark: made and dropped, asked, and compared by a digest of their rows."""

from __future__ import annotations

from typing import Any

import anyio
import asyncpg
from benches.stores import COLUMNS

from m26.embedded.postgres import Postgres
from m26.embedded.roles import ADMIN, OWNER

_DIGEST = "count(*), sum(hashtextextended(ROW({})::text, 0)::numeric)"
_STATE = ", ".join(name for name in COLUMNS[2:] if name != "observed_at")
_IDS = "ARRAY(SELECT id FROM unnest(auction_ids) AS id ORDER BY id)"
AUCTIONS = f"SELECT {_DIGEST.format(_STATE)} FROM m26.auction"
EVENTS = f"SELECT {_DIGEST.format('e.*')} FROM m26.auction_event AS e"
SEEN = f"SELECT {_DIGEST.format(f'part, pos, platform, observed_at, {_IDS}')} FROM m26.sighting"
PLACE = """
SELECT s.seq, array_agg(c.part || c.pos ORDER BY c.part)
FROM m26.stream_head AS s, m26.ingest_cursor AS c GROUP BY s.seq"""


async def set_fsync(server: Postgres, value: str) -> None:
    """Whether the server waits for its disk: ``off`` while databases are made or dropped alone."""
    await execute(_admin(server), f"ALTER SYSTEM SET fsync = {value}")
    await execute(_admin(server), "SELECT pg_reload_conf()")
    with anyio.fail_after(10):
        while (await row(server.dsn, "SHOW fsync"))[0] != value:
            await anyio.sleep(0.01)


async def create(server: Postgres, name: str, *, template: str = "template1") -> str:
    """Make a database; its DSN."""
    statement = f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE {template} STRATEGY file_copy"
    await execute(_admin(server), statement)
    return server.dsn_of(name)


async def drop(server: Postgres, name: str) -> None:
    """Drop a database, whoever is connected."""
    await execute(_admin(server), f"DROP DATABASE {name} WITH (FORCE)")


def _admin(server: Postgres) -> str:
    return server.dsn_of(OWNER, role=ADMIN)


async def execute(dsn: str, statement: str, *arguments: Any) -> None:
    """Run a statement on a connection of its own."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement, *arguments)
    finally:
        await connection.close()


async def row(dsn: str, query: str) -> tuple[Any, ...]:
    """The one row that a query gives."""
    connection = await asyncpg.connect(dsn)
    try:
        return tuple(
            tuple(value) if isinstance(value, list) else value
            for value in await connection.fetchrow(query)
        )
    finally:
        await connection.close()
