"""Databases that look as if m26 had run for long: so many auctions, and an event for each."""

from __future__ import annotations

import asyncio

import asyncpg
from benches import databases, ours
from benches.pages import PLATFORM, RULES, START, Market, records
from benches.stores import PART

from m26.embedded.postgres import Postgres
from m26.normalizer import Normalizer
from m26.store import partitions
from m26.store.database import opened
from m26.store.load import Loader

ALIVE = 200_000
"""Auctions that have not ended, the newest ones."""
ROOM = 1_000_000
"""Events that a benchmark may add before another partition is due."""
FIRST_ID = 10**9
"""Auctions of the history have smaller ids, as older ones do."""

# $1 auctions, $2 those that are alive, $3 the newest posting time, $4 card ids, $5 their versions,
# $6 the stream head. Both tables are filled from it, at the same time.
_NUMBERED = """
WITH numbered AS (
    SELECT
        n, $6::bigint + n AS seq, n > $1::bigint - $2::bigint AS alive,
        ($4::bigint[])[1 + n % cardinality($4::bigint[])] AS card_id,
        ($5::bigint[])[1 + n % cardinality($4::bigint[])] AS card_version,
        to_timestamp($3::bigint) - ($1 - n) * interval '0.4 s' AS posted
    FROM generate_series(1, $1::bigint) AS n
)"""
_AUCTIONS = f"""{_NUMBERED}
INSERT INTO m26.auction
SELECT
    '{PLATFORM}', n, card_id, card_version, 4000000000 + n, posted - interval '3 days', posted,
    posted + interval '1 day', CASE WHEN alive THEN 'active' ELSE 'ended' END,
    500, 2000, 500, 550, 1, 1000, 400, 2500, posted, posted, posted,
    CASE WHEN NOT alive THEN 'sold' END, CASE WHEN NOT alive THEN 'bid' END,
    CASE WHEN NOT alive THEN 'status' END, CASE WHEN NOT alive THEN 1 END::real,
    CASE WHEN NOT alive THEN 500 END, CASE WHEN NOT alive THEN posted + interval '1 day' END
FROM numbered"""
_EVENTS = f"""{_NUMBERED}
INSERT INTO m26.auction_event
SELECT
    seq, 'listed', '{PLATFORM}', n, card_id, card_version, 4000000000 + n, posted,
    posted, posted + interval '1 day', 'active', 500, 2000, 500, 550, 1,
    1000, 400, 2500
FROM numbered"""


async def made(server: Postgres, name: str, *, auctions: int) -> tuple[str, int]:
    """A new database that holds all cards and `auctions` of history; its DSN and its cursor.

    Args:
        server: the benchmarks' own.
        name: of the database.
        auctions: of the history, the newest 200,000 of them alive.
    """
    dsn = await databases.create(server, name)
    market = Market(first_id=FIRST_ID)
    catalogue = market.catalogue(at=START)
    async with opened(dsn) as store:
        await store.migrate()
        loader = Loader(store, Normalizer(RULES))
        stored = await loader.store(PART, records(catalogue))
    versions = ours.versions(catalogue)
    head = stored.seq + auctions
    connection = await asyncpg.connect(dsn)
    try:
        await partitions.ensure(connection, head + ROOM, known=-1)
    finally:
        await connection.close()
    cards = list(versions), list(versions.values())
    given = (auctions, min(ALIVE, auctions), START, *cards, stored.seq)
    await asyncio.gather(*(databases.execute(dsn, sql, *given) for sql in (_AUCTIONS, _EVENTS)))
    await databases.execute(dsn, "UPDATE m26.stream_head SET seq = $1", head)
    await databases.execute(dsn, "VACUUM ANALYZE")
    return dsn, stored.pos
