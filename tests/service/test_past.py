"""A moment of the past: what is asked of it once, beside storing, and by sessions that go on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import anyio
import asyncpg
import pytest
from tests.support.asked import JOSE, SANDERS, SOLD, Market
from tests.support.wire import T0, auction, body

from m26.errors import UsageError
from m26.status.metrics import Metrics
from m26.store.closings import Closing
from m26.store.database import opened
from m26.store.fair import Fair
from m26.store.prices import Prices

pytestmark = pytest.mark.anyio
BEFORE = datetime.fromtimestamp(T0 + 30, UTC)


@asynccontextmanager
async def begun(dsn: str) -> AsyncIterator[tuple[Market, Prices]]:
    async with opened(dsn, most=1) as store:
        await store.migrate()
        connection = await asyncpg.connect(dsn)
        try:
            market = Market(store, connection)
            await market.begin()
            yield market, Prices(store)
        finally:
            await connection.close()


async def test_a_session_that_told_of_the_past_tells_of_the_present_next(database: str) -> None:
    async with begun(database) as (market, prices):
        now = await prices.card("ps5", SANDERS)
        for _ in range(2):  # the tables are there already
            past = await prices.card("ps5", SANDERS, at=BEFORE)
            assert now is not None
            assert past is not None
            assert (past["price"]["floor"], now["price"]["floor"]) == (5_010, 5_040)
        assert await prices.card("ps5", SANDERS) == now
        await market.grow(body(auction(4, bid=4_400, bids=2, **SOLD), at=T0 + 120))
        async with market.store.acquire(timeout=5) as connection:
            assert await connection.fetchval("SELECT count(*) FROM pg_temp.auction") == 0


async def test_tables_of_an_older_schema_are_made_anew(database: str) -> None:
    async with begun(database) as (market, prices):
        async with market.store.acquire(timeout=5) as connection:
            await connection.execute("CREATE TEMP TABLE auction (platform text)")
        found = await prices.asks("ps5", SANDERS, at=BEFORE)
        assert found is not None
        assert [ask["price"] for ask in found["items"]] == [5_010, 5_020, 5_030, 5_040, 5_050]


async def test_a_moment_that_has_not_come_is_none(database: str) -> None:
    async with begun(database) as (_, prices):
        with pytest.raises(UsageError, match="has not come: on that market it is 2026-09-21T14:18"):
            await prices.latest("ps5", at=datetime(2027, 1, 1, tzinfo=UTC))


async def test_what_an_older_capture_tells_later_is_told_of_the_past(database: str) -> None:
    async with begun(database) as (market, prices):
        await market.process.store(body(auction(30, buyoutPrice=4_000), at=T0 + 20), part="file:1")
        found = await prices.asks("ps5", SANDERS, at=BEFORE)
        assert found is not None
        assert found["items"][0]["price"] == 4_000


async def test_what_comes_late_takes_no_outcome_back(database: str) -> None:
    async with begun(database) as (market, prices):
        lot, end = {"auction_id": 40, "buyoutPrice": 4_000}, (T0 + 150) * 1_000_000
        sold: Closing = ("sold", "buyout", "absent", 0.9, 4_000, 0.9, end - 1, end + 1, end)
        store = market.process.store
        await store(body(auction(**lot), at=T0 + 61), body(auction(bids=1, **lot), at=T0 + 100))
        await store(body(at=T0 + 200), inferred=[(0, "ps5", 40, end, sold)])
        await store(body(auction(40, buyoutPrice=3_000), at=T0 + 80), part="file:2")
        events = await market.process.events()
        kinds = [(kind, late) for _, kind, *_, late in events[-2:]]
        assert kinds == [("closed", False), ("changed", True)]
        for at, lowest in ((T0 + 90, 3_000), (T0 + 120, 4_000), (T0 + 250, 5_040)):
            found = await prices.asks("ps5", SANDERS, at=datetime.fromtimestamp(at, UTC))
            assert found is not None
            assert found["items"][0]["price"] == lowest


async def test_days_whose_events_are_pruned_are_told_as_they_are(database: str) -> None:
    async with begun(database) as (market, prices):
        await market.connection.execute(
            """
            INSERT INTO m26.price_day (platform, card_id, bucket, n, n_copies, n_bid, n_buyout,
                median, coins, listed, final)
            VALUES ('ps5', $1, '2026-01-01Z', 7, 7, 0, 7, 700, 4900, 9, true)""",
            SANDERS,
        )
        now, then = [await prices.prices("ps5", SANDERS, at=at) for at in (None, BEFORE)]
        assert now is not None
        assert then is not None
        assert then["items"][0] == now["items"][0]
        assert (now["items"][0]["n"], now["items"][0]["final"]) == (7, True)


async def test_a_card_was_worth_what_it_had_sold_for_by_then(database: str) -> None:
    async with begun(database) as (market, prices):
        for n, (at, price) in enumerate([(10_000, 1_000)] * 8 + [(90_000, 9_000)] * 8):
            lot = {"auction_id": 100 + n, "buyoutPrice": 0, "postingTime": T0 + at}
            known = {**lot, "secondsRemaining": 600}
            offered, over = ({**known}, {**lot, **SOLD, "bids": 2})
            await market.process.store(
                body(auction(**offered), at=T0 + at + 60 * n),
                body(auction(bid=price, **over), at=T0 + at + 60 * n + 50),
            )
        await market.grow(now=T0 + 100_000)
        await Fair(market.store, turn=anyio.Lock(), metrics=Metrics()).step()
        worth = {}
        for at in (None, datetime.fromtimestamp(T0 + 50_000, UTC)):
            found = await prices.card("ps5", SANDERS, at=at)
            assert found is not None
            worth[at and "then"] = found["price"]
        assert worth["then"]["n"] < worth[None]["n"]
        assert 900 < worth["then"]["fair"] < 5_000 < worth[None]["fair"]
        basket = await prices.basket("ps5", [SANDERS, JOSE], at=BEFORE)
        assert basket["items"][0]["fair"] is not None
