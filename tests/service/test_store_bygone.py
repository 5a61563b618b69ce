"""A database of before outcomes were inferred: what ended long ago gets what the record proves."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from tests.support.trading import Lot, Upstream, record
from tests.support.wire import T0, auction, body, records

from m26.models import Record
from m26.normalizer import Normalizer
from m26.status.metrics import Metrics
from m26.store.batch import Concluded
from m26.store.bygone import Bygone
from m26.store.database import Store, opened
from m26.store.inference import Inference
from m26.store.load import Loader
from m26.upstream.profile import Profile

pytestmark = pytest.mark.anyio
RULES = Profile.load("madden26").card
HOUR = 3_600
BEFORE = """
ALTER TABLE m26.stream_head DROP COLUMN bygone;
DELETE FROM m26.schema_migration WHERE name LIKE '%bygone%'"""
# Of each ten the first was seen with a bid in its last minute, the second without one, the others
# long before; the copy of the ninth is a later tenth's, bought shortly before the ninth's end.
AUCTIONS = """
INSERT INTO m26.auction (
    platform, auction_id, card_id, card_version, card_instance_id, acquired_at, posted_at,
    expires_at, status, start_price, buyout_price, current_bid, next_bid, bids, first_seen,
    last_seen, observed_at)
SELECT 'ps5', id, 13522975, 77, CASE way WHEN 9 THEN id + 91 ELSE id END,
    posted_at - interval '1 second' * CASE way WHEN 0 THEN 5600 ELSE 86400 END, posted_at,
    posted_at + interval '1 hour', 'active', 100, 5000, 100, 200, (way = 1)::int, posted_at,
    posted_at + interval '1 minute' * CASE WHEN way < 3 THEN 59 ELSE 9 END, posted_at
FROM (
    SELECT id, id % 10 AS way, to_timestamp($2::bigint + id * 100) AS posted_at
    FROM generate_series(1, $1::bigint) AS id) AS a"""
EVENTS = """
INSERT INTO m26.auction_event (
    platform, auction_id, card_id, card_version, card_instance_id, posted_at, expires_at, seq, kind,
    observed_at, status, start_price, buyout_price, current_bid, next_bid, bids, late)
SELECT platform, auction_id, card_id, card_version, card_instance_id, posted_at, expires_at,
    row_number() OVER (ORDER BY auction_id), 'listed', observed_at, status, start_price,
    buyout_price, current_bid, next_bid, bids, false
FROM m26.auction"""


class Silent(Inference):
    """That of the version before: none."""

    def conclude(self, part: str, records: Sequence[Record], batch: Any) -> Concluded:
        return Concluded()


def lot(auction_id: int, outcome: str, *, end: int = HOUR, **fields: Any) -> Lot:
    made = Lot(auction_id, 0, HOUR, 2000, end, outcome, 600, auction_id, -9_000)
    return replace(made, **fields)


@asynccontextmanager
async def migrated(dsn: str) -> AsyncIterator[tuple[Store, asyncpg.Connection[Any]]]:
    async with opened(dsn) as store:
        await store.migrate()
        connection = await asyncpg.connect(dsn)
        try:
            yield store, connection
        finally:
            await connection.close()


async def upgrade(store: Store, connection: asyncpg.Connection[Any]) -> None:
    """The version before filled it, and ours migrates it."""
    await connection.execute(BEFORE)
    await store.migrate()


async def fill(store: Store, connection: asyncpg.Connection[Any], auctions: int) -> None:
    """An upgraded database with so many auctions, an hour each, all of them ended long ago."""
    await connection.execute(
        "CREATE TABLE m26.auction_event_p00000 PARTITION OF m26.auction_event"
        " FOR VALUES FROM (0) TO (5000000)"
    )
    begin = T0 - auctions * 100 - 30 * HOUR
    await connection.execute(AUCTIONS, auctions, begin)
    await connection.execute(EVENTS)
    await connection.execute(
        "UPDATE m26.stream_head SET seq = (SELECT max(seq) FROM m26.auction_event)"
    )
    await upgrade(store, connection)


def bygone(store: Store, *, size: int = 2_000, later: float = HOUR) -> tuple[Bygone, Metrics]:
    metrics = Metrics()
    made = Bygone(store, committed=lambda: None, metrics=metrics, size=size, pause=0, later=later)
    return made, metrics


async def told(connection: asyncpg.Connection[Any]) -> dict[int, tuple[Any, ...]]:
    rows = await connection.fetch(
        "SELECT auction_id, outcome, outcome_via, evidence, final_price FROM m26.auction"
    )
    return {row[0]: tuple(row)[1:] for row in rows}


async def until_done(connection: asyncpg.Connection[Any]) -> None:
    while await connection.fetchval("SELECT bygone FROM m26.stream_head") is not None:
        await asyncio.sleep(0.01)


async def test_what_ended_long_ago_gets_what_the_record_proves_and_else_is_unknown(
    database: str,
) -> None:
    market = [
        lot(1, "bid"), lot(2, "expired"), lot(3, "expired"),
        lot(4, "bid", copy=70), lot(5, "expired", copy=80),
        lot(6, "expired"), lot(7, "buyout", end=900), lot(8, "buyout", posted=2000, end=2100),
        lot(14, "expired", posted=4000, end=7600, copy=70, acquired=3601),
        lot(15, "expired", posted=4000, end=7600, copy=80),
        lot(20, "expired", posted=30 * HOUR, end=31 * HOUR),
    ]  # fmt: skip
    upstream = Upstream(market)
    looks: list[tuple[int, Sequence[int]]] = [
        (300, range(1, 8)), (960, [7]), (1800, [3]), (2200, [8]), (3500, [1, 2, 4, 5]),
        (3610, [6]), (4100, [14, 15]), (30 * HOUR, [20]),
    ]  # fmt: skip
    given = [record(n, *upstream.refresh(*look), look[0]) for n, look in enumerate(looks)]
    async with migrated(database) as (store, connection):
        normalizer = Normalizer(RULES)
        await Loader(store, normalizer, inference=Silent(normalizer)).store("j", given)
        before = await told(connection)
        assert before[8] == ("unknown", None, "status", None)  # never seen on offer
        await upgrade(store, connection)
        made, metrics = bygone(store, later=0.01)
        async with asyncio.TaskGroup() as group:
            work = group.create_task(made.run())
            while made.concluded < 8:
                await asyncio.sleep(0.01)

            after = await told(connection)
            assert after == before | {
                1: ("sold", "bid", "final_window", 300),
                2: ("expired", None, "past_expiry", None),
                3: ("unknown", None, "gap", None),
                4: ("sold", "bid", "relisted", 300),
                5: ("expired", None, "relisted", None),
                8: ("sold", "buyout", "status", 2000),  # as unsold ones were told as expired
                14: ("unknown", None, "gap", None),
                15: ("unknown", None, "gap", None),
            }
            assert after[20] == (None,) * 4  # on offer still
            assert metrics.value("m26_events_total", kind="closed") == 8
            assert metrics.value("m26_outcomes_total", evidence="relisted") == 2

            later = record(len(given), *upstream.search(31 * HOUR - 5), 31 * HOUR - 5)
            newer = Upstream([lot(30, "expired", posted=60 * HOUR, end=61 * HOUR)])
            last = record(later.end, *newer.search(60 * HOUR), 60 * HOUR)
            await Loader(store, normalizer, inference=Silent(normalizer)).store("j", [later, last])
            await until_done(connection)
            assert (await told(connection))[20] == ("expired", None, "past_expiry", None)
            assert (await told(connection))[30] == (None,) * 4  # of this version
            await work
        again, _ = bygone(store)
        await again.run()  # once
        assert again.concluded == 0


async def test_it_goes_on_where_it_was_cut_off_and_each_outcome_is_one_event_beside_a_collector(
    database: str,
) -> None:
    async with migrated(database) as (store, connection):
        await fill(store, connection, 3_000)
        loader, stored = Loader(store, Normalizer(RULES)), 0

        async def collect() -> None:
            nonlocal stored
            ids = range(stored * 50 + 1, stored * 50 + 51)
            page = body(*(auction(10_000_000 + n) for n in ids), at=T0 + stored)
            await loader.store("j", records(page, start=stored))
            stored += 1

        async with opened(database) as other:
            for cut in (300, 900):
                made, _ = bygone(other, size=100)
                work = asyncio.create_task(made.run())
                while made.concluded < cut and not work.done():
                    await collect()
                await connection.execute(  # all connections but those of the collector and ours
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE query LIKE '%bygone%' AND pid <> pg_backend_pid()"
                )
                while made.concluded < cut + 200 and not work.done():
                    await collect()
                work.cancel()
                await asyncio.wait([work])
                assert work.cancelled()
        low = await connection.fetchval("SELECT lower(bygone) FROM m26.stream_head")
        assert 1 < low < 3_000
        rivals = [bygone(store, size=70)[0] for _ in range(2)]
        await asyncio.gather(*(rival.run() for rival in rivals))
        await collect()

        await _judge(connection, 3_000, others=50 * stored)


async def _judge(connection: asyncpg.Connection[Any], auctions: int, *, others: int) -> None:
    of_way: dict[int, Counter[Any]] = {way: Counter() for way in range(10)}
    for auction_id, (outcome, via, evidence, price) in (await told(connection)).items():
        if auction_id <= auctions:
            of_way[auction_id % 10][outcome, via, evidence, price] += 1
    each = auctions // 10
    assert of_way[1] == {("sold", "bid", "final_window", 100): each}
    assert of_way[2] == {("expired", None, "past_expiry", None): each}
    assert of_way[4] == {("unknown", None, "gap", None): each}
    bought = ("sold", "buyout", "relisted", 5000)
    assert of_way[9] == {bought: each - 9, ("unknown", None, "gap", None): 9}
    closed = await connection.fetch(
        "SELECT kinds, count(*) FROM (SELECT auction_id, array_agg(kind ORDER BY seq) AS kinds"
        " FROM m26.auction_event WHERE auction_id <= $1 GROUP BY auction_id) AS e GROUP BY kinds",
        auctions,
    )
    assert [tuple(row) for row in closed] == [(["listed", "closed"], auctions)]
    differ = await connection.fetchval(
        "SELECT count(*) FROM m26.auction AS a JOIN m26.auction_event AS e USING (auction_id)"
        " WHERE e.kind = 'closed' AND (a.outcome, a.confidence, a.final_price, a.closed_at, a.bids)"
        " IS DISTINCT FROM (e.outcome, e.confidence, e.final_price, e.closed_at, e.bids)"
    )
    assert differ == 0
    row = await connection.fetchrow(
        "SELECT h.seq, h.bygone, count(*), min(e.seq), max(e.seq)"
        " FROM m26.stream_head AS h, m26.auction_event AS e GROUP BY h.seq, h.bygone"
    )
    events = 2 * auctions + others
    assert tuple(row or ()) == (events, None, events, 1, events)


async def test_what_is_seen_after_it_was_concluded_counts_more(database: str) -> None:
    async with migrated(database) as (store, connection):
        await fill(store, connection, 10)
        loader = Loader(store, Normalizer(RULES))
        await loader.store("j", records(body(auction(10_000_000), at=T0), platform="ps5"))
        made, _ = bygone(store)
        await made.run()
        assert (await told(connection))[2] == ("expired", None, "past_expiry", None)

        seen = body(
            auction(2, bid=900, bids=3, auctionStatus="AUCTIONSTATUS_CANCELLED"), at=T0 + 60
        )
        await loader.store("j", records(seen, start=1, platform="ps5"))
        assert (await told(connection))[2] == ("cancelled", None, "status", None)


async def test_a_database_of_this_version_has_none(database: str) -> None:
    async with migrated(database) as (store, connection):
        assert await connection.fetchval("SELECT bygone FROM m26.stream_head") is None
        made, _ = bygone(store)
        await made.run()
        assert made.concluded == 0


async def test_a_newer_schema_is_left_alone(database: str) -> None:
    async with migrated(database) as (store, connection):
        await fill(store, connection, 100)
        head = await connection.fetchval(
            "UPDATE m26.stream_head SET schema_epoch = schema_epoch + 1 RETURNING seq"
        )
        made, _ = bygone(store)
        await made.run()
        assert made.concluded == 0
        assert await connection.fetchval("SELECT seq FROM m26.stream_head") == head
