"""Prices beside storing: over outages and rivals, with coverage, and as views show them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import asyncpg
import pytest
from structlog.testing import capture_logs
from tests.oracle.prices import judge
from tests.support.servers import until
from tests.support.storing import Process
from tests.support.wire import T0, auction, body, card

from m26.status.metrics import Metrics
from m26.store.database import Store, opened
from m26.store.indexes import Indexes
from m26.store.rollups import Rollups

pytestmark = pytest.mark.anyio
SOLD = {"auctionStatus": "AUCTIONSTATUS_ENDED", "secondsRemaining": 0}


@asynccontextmanager
async def migrated(dsn: str) -> AsyncIterator[tuple[Store, asyncpg.Connection[Any]]]:
    async with opened(dsn) as store:
        await store.migrate()
        connection = await asyncpg.connect(dsn)
        try:
            yield store, connection
        finally:
            await connection.close()


def rollups(store: Store, *, now: float = T0, **options: Any) -> Rollups:
    turn = anyio.Lock()
    return Rollups(store, turn=turn, metrics=Metrics(), now=lambda: now, pause=0.02, **options)


async def sell(connection: asyncpg.Connection[Any]) -> Process:
    """Three listings, one of them bought at once."""
    process = Process(connection, far=False)
    await process.store(body(auction(1), auction(2, buyoutPrice=900), auction(3, buyoutPrice=0)))
    await process.store(body(auction(1, bid=5000, bids=3, **SOLD), at=T0 + 60))
    return process


async def test_views_show_prices_with_names_and_how_old_the_look_is(database: str) -> None:
    async with migrated(database) as (store, connection):
        process = await sell(connection)
        assert not await rollups(store, now=T0 + 60).step()
        await process.store(body(auction(2, buyoutPrice=900), at=T0 + 90))  # a sighting, no event
        assert not await rollups(store, now=T0 + 100).step()

        price = dict(await connection.fetchrow("SELECT * FROM m26.card_price"))
        assert (price["name"], price["overall"], price["floor"]) == ("Drew Sanders", 82, 900)
        assert json.loads(price["depth"]) == [{"price": 900, "count": 1}]
        assert (price["last_sale"], price["sales_day"], price["quicksell"]) == (5000, 1, 270)
        assert price["floor_seen_at"] == datetime.fromtimestamp(T0 + 90, UTC)
        assert price["floor_age"] == timedelta()
        assert price["fair"] is price["net"] is price["method"] is None
        offers = await connection.fetch(
            "SELECT auction_id, name, buyout_price, age FROM m26.offer ORDER BY auction_id"
        )
        assert [tuple(row) for row in offers] == [
            (2, "Drew Sanders", 900, timedelta()),
            (3, "Drew Sanders", None, timedelta(seconds=90)),
        ]
        [sale] = await connection.fetch("SELECT name, net, version_hex FROM m26.sale")
        assert tuple(sale)[:2] == ("Drew Sanders", 4500)
        assert sale["version_hex"] == price["version_hex"]
        hour = await connection.fetchrow("SELECT * FROM m26.price_hour WHERE n > 0")
        assert (hour["median"], hour["n_buyout"], hour["floor_last"]) == (5000, 1, 900)


async def test_an_ask_whose_time_is_over_is_none_though_no_event_says_so(database: str) -> None:
    async with migrated(database) as (store, connection):
        await sell(connection)
        await rollups(store, now=T0 + 60).step()
        floor = "SELECT floor, asks FROM m26.market_now"
        assert tuple(await connection.fetchrow(floor)) == (900, 1)
        await rollups(store, now=T0 + 3_601).step()
        assert tuple(await connection.fetchrow(floor)) == (None, 0)
        assert await connection.fetchval("SELECT count(*) FROM m26.offer") == 0
        assert await judge(connection, loads=json.loads)


async def test_what_changes_without_an_event_is_followed_at_once(database: str) -> None:
    async with migrated(database) as (store, connection):
        process = await sell(connection)
        await rollups(store, now=T0 + 60).step()
        dearer = card(instance=2, discardValue=300)
        sooner = auction(2, buyoutPrice=900, secondsRemaining=600, card=dearer)
        stored = await process.store(body(sooner, at=T0 + 70))
        assert stored.seq == await connection.fetchval("SELECT max(seq) FROM m26.rollup_cursor")
        await rollups(store, now=T0 + 80).step()
        assert await connection.fetchval("SELECT quicksell FROM m26.market_now") == 300
        await rollups(store, now=T0 + 671).step()
        assert await connection.fetchval("SELECT floor FROM m26.market_now") is None
        assert await connection.fetchval("SELECT count(*) FROM m26.auction_moved") == 0
        assert await judge(connection, loads=json.loads)


async def test_buckets_and_cards_say_how_much_of_the_market_was_seen(database: str) -> None:
    async with migrated(database) as (store, connection):
        await sell(connection)
        write = """
            INSERT INTO m26.coverage_hour SELECT p.part, 'ps5',
                date_trunc('hour', to_timestamp($1::float8)) - h * interval '1 hour', '{}',
                p.seen, 1, p.listed, 1, 0, 0, 0, 0
            FROM (VALUES ('a', 30, 80), ('b', 40, 100)) AS p (part, seen, listed),
                generate_series(0, 2) AS h"""
        await connection.execute(write, T0)
        await rollups(store, now=T0 + 60).step()
        for table in ("price_hour", "price_day", "market_now"):
            found = await connection.fetch(f"SELECT DISTINCT coverage FROM m26.{table}")
            assert [row[0] for row in found] == [pytest.approx(0.4)], table


async def test_one_process_at_a_time_takes_events_and_the_other_says_so(database: str) -> None:
    async with migrated(database) as (_, connection), opened(database) as other:
        await sell(connection)
        rival = rollups(other)
        async with connection.transaction():
            await connection.execute("SELECT FROM m26.rollup_cursor FOR UPDATE")
            assert not await rival.step()
            assert rival.view["state"] == "elsewhere"
        assert not await rival.step()
        assert rival.view["state"] == "current"
        assert await judge(connection, loads=json.loads)


async def test_they_wait_for_their_indexes_and_outlive_an_outage(database: str) -> None:
    async with migrated(database) as (store, connection):
        process = await sell(connection)
        made = rollups(store, now=T0 + 60)
        async with anyio.create_task_group() as group:
            group.start_soon(made.run)
            await anyio.sleep(0.1)
            assert made.view["state"] == "waiting"
            await Indexes(store).run()
            await until(lambda: made.view["state"] == "current")
            with capture_logs() as logs:
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                await process.store(body(auction(4, buyoutPrice=700), at=T0 + 61))
                with anyio.fail_after(20):
                    while await connection.fetchval("SELECT min(floor) FROM m26.market_now") != 700:
                        await anyio.sleep(0.02)
            assert {log["event"] for log in logs} <= {"rollups.wait"}
            group.cancel_scope.cancel()
        assert await judge(connection, loads=json.loads)


async def test_how_far_the_building_is_is_told(database: str) -> None:
    async with migrated(database) as (store, connection):
        await sell(connection)
        await connection.execute(
            "CREATE TEMP TABLE one AS"
            " SELECT * FROM m26.auction_event WHERE kind = 'listed' LIMIT 1;"
            " UPDATE one SET kind = 'bid'"
        )
        columns = ", ".join(
            row[0]
            for row in await connection.fetch(
                "SELECT attname FROM pg_attribute WHERE attrelid = 'one'::regclass AND attnum > 1"
            )
        )
        await connection.execute(
            f"INSERT INTO m26.auction_event (seq, {columns})"
            f" SELECT 4 + i, {columns} FROM one, generate_series(1, 39996) AS i;"
            " UPDATE m26.stream_head SET seq = 40000"
        )
        made = rollups(store, now=T0 + 60)
        assert await made.step()
        assert made.view["state"] == "building"
        assert (made.view["percent"], made.view["events_behind"]) == (2, 39_000)
        while await made.step():
            pass
        assert (made.view["state"], made.view["percent"]) == ("current", 100)
        assert made._metrics.value("m26_rollup_events_total") == 40_000
        assert await judge(connection, loads=json.loads)
