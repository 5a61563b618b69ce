"""Answers about a market: how old a look is, pages, windows and the index, and by which indexes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import asyncpg
import pytest
from tests.support.asked import JOSE, LONELY, SANDERS, Market
from tests.support.wire import T0, auction, body, card

from m26.errors import OutageError
from m26.status.metrics import Metrics
from m26.store import price_statements
from m26.store.database import opened
from m26.store.indexes import Indexes
from m26.store.prices import Prices
from m26.store.rollups import Rollups

pytestmark = pytest.mark.anyio
DAY = 86_400


@asynccontextmanager
async def market(dsn: str) -> AsyncIterator[tuple[Market, Prices]]:
    async with opened(dsn) as store:
        await store.migrate()
        await Indexes(store).run()
        connection = await asyncpg.connect(dsn)
        try:
            yield Market(store, connection), Prices(store)
        finally:
            await connection.close()


async def test_a_floor_that_was_not_looked_at_says_so_until_it_is(database: str) -> None:
    async with market(database) as (there, prices):
        rollups = Rollups(
            there.store, turn=anyio.Lock(), metrics=Metrics(), now=lambda: T0 + 20, wait=30
        )

        async def floor(at: float, *shown: dict[str, Any]) -> tuple[float | None, bool, list[str]]:
            await there.process.store(body(*shown, at=at))
            await rollups.step()
            (price,) = (await prices.market("ps5", q=str(SANDERS)))["items"]
            return price["floor_age"], price["floor_stale"], price["flags"]

        cheap, other = auction(1, buyoutPrice=900), auction(2, card=card(JOSE), buyoutPrice=0)
        assert await floor(T0, cheap) == (0, False, [])
        assert await floor(T0 + 25, other) == (25, False, [])
        assert await floor(T0 + 40, other) == (40, True, ["stale"])
        assert await floor(T0 + 55, cheap) == (0, False, [])  # a sighting, and no event
        await there.store.fold_sightings()
        assert await floor(T0 + 66, other) == (11, False, [])
        dearer = auction(3, buyoutPrice=950)
        assert await floor(T0 + 70, dearer) == (15, False, [])  # the card's row is made anew


async def test_an_ask_is_none_when_its_time_is_over_or_its_end_is_known(database: str) -> None:
    async with market(database) as (there, prices):
        over = {"auctionStatus": "AUCTIONSTATUS_ENDED", "secondsRemaining": 0}
        brief = auction(1, buyoutPrice=800, secondsRemaining=60)
        await there.grow(body(brief, auction(2, buyoutPrice=900)), now=T0)
        asks = [(await prices.asks("ps5", SANDERS) or {"items": []})["items"]]
        await there.grow(now=T0 + 400)  # nobody looks, and time passes
        asks.append((await prices.asks("ps5", SANDERS) or {"items": []})["items"])
        await there.grow(body(auction(2, bid=900, bids=1, **over), at=T0 + 410), now=T0 + 410)
        asks.append((await prices.asks("ps5", SANDERS) or {"items": []})["items"])
        assert [[each["price"] for each in level] for level in asks] == [[800, 900], [900], []]
        card_page = await prices.card("ps5", SANDERS)
        assert card_page is not None
        assert (card_page["price"]["floor"], card_page["asks"]) == (None, [])


async def test_a_market_is_told_page_by_page(database: str) -> None:
    async with market(database) as (there, prices):
        cards = [card(100 + n, overallRating=80 + n % 3) for n in range(7)]
        await there.grow(body(*(auction(n, card=each) for n, each in enumerate(cards, 1))))
        told, after = [], None
        while True:
            page = await prices.market("ps5", limit=3, after=after)
            told += [(each["overall"], each["card_id"]) for each in page["items"]]
            if (after := page["next"]) is None:
                break
        assert len(told) == 7
        assert told == sorted(told, key=lambda key: (-(key[0] or 0), key[1]))
        assert [each["card_id"] for each in (await prices.latest("ps5"))["items"]] == [
            *range(100, 107)
        ]


async def test_cards_are_found_by_the_names_they_have_by_now(database: str) -> None:
    async with market(database) as (there, prices):

        async def called(q: str) -> list[int]:
            return [each["card_id"] for each in (await prices.market("ps5", q=q))["items"]]

        deion = card(101, secondName="Able", overallRating=81)
        await there.grow(
            body(auction(1, card=card(100, secondName="Able")), auction(2, card=deion))
        )
        assert sorted(await called("able")) == [100, 101]
        again, new = card(101, secondName="Baker", overallRating=81), card(102, secondName="Able")
        await there.grow(body(auction(3, card=again), auction(4, card=new), at=T0 + 60))
        assert (sorted(await called("able")), await called("baker")) == ([100, 102], [101])


async def test_a_pooler_that_loses_statements_costs_one_answer(database: str) -> None:
    async with market(database) as (there, _):
        await there.begin()
        async with opened(database, most=1) as store:
            prices = Prices(store)
            before = await prices.asks("ps5", SANDERS)
            async with store.acquire(timeout=5) as connection:
                await connection.execute("DEALLOCATE ALL")  # as one that lends another session does
            with pytest.raises(OutageError, match="26000"):
                await prices.asks("ps5", SANDERS)
            assert await prices.asks("ps5", SANDERS) == before
            async with store.acquire(timeout=5) as connection:
                kept = await connection.fetchval("SELECT count(*) FROM pg_prepared_statements")
            assert kept <= 1  # but for the one that counts them


async def test_movers_and_index_compare_cards_with_themselves(database: str) -> None:
    async with market(database) as (there, prices):
        await there.begin()
        sold = {"auctionStatus": "AUCTIONSTATUS_ENDED", "secondsRemaining": 0}
        for number, (ago, price) in enumerate(((8, 400), (8, 600), (7, 500), (1, 1_000)), 100):
            posted = T0 - ago * DAY
            lot = {"card": card(JOSE, instance=number), "postingTime": posted}
            await there.process.store(body(auction(number, **lot), at=posted + 60))
            done = auction(number, bid=price, bids=1, buyoutPrice=0, **{**lot, **sold})
            await there.process.store(body(done, at=posted + 90))
        await there.grow()
        week = await prices.movers("ps5", window=168, min_sales=1)
        (jose,) = week["items"]
        assert (jose["card_id"], jose["median_before"], jose["n_before"]) == (JOSE, 500, 1)
        assert jose["change"] == pytest.approx(jose["median"] / 500 - 1, abs=1e-4)
        assert (await prices.movers("ps5", window=168, min_sales=2))["items"] == []
        hours = await prices.movers("ps5", window=6, min_sales=1)
        assert hours["items"] == []  # nothing was sold in the six hours before
        days = (await prices.index("ps5"))["items"]
        assert [each["change"] for each in days][:2] == [
            None,
            0.25,
        ]  # against the lower one of 400 and 600
        assert days[0]["index"] == 100


async def test_what_is_unknown_is_told_apart_from_nothing(database: str) -> None:
    async with market(database) as (there, prices):
        assert (await prices.as_of("ps5"))["market_time"] is None
        assert await prices.card("ps5", SANDERS) is None
        await there.begin()
        lonely = await prices.card("ps5", LONELY)
        assert lonely is not None
        assert (lonely["price"]["last_sale_age"], lonely["price"]["floor_age"]) == (None, None)
        unpriced = (await prices.deals("ps5"))["unpriced"]
        assert unpriced == 0
        await there.connection.execute("UPDATE m26.market_now SET fair = NULL")
        deals = await prices.deals("ps5")
        assert (deals["items"], deals["unpriced"]) == ([], 2)
        await there.connection.execute("UPDATE m26.stream_head SET seq = seq + 80000")
        assert (await prices.as_of("ps5"))["building"] == 0


async def test_asks_and_sales_are_found_by_their_indexes(database: str) -> None:
    async with market(database) as (there, _):
        await there.begin()
        plans = ""
        async with there.connection.transaction():
            await there.connection.execute("SET LOCAL search_path = m26")
            await there.connection.execute("SET LOCAL enable_seqscan = off")
            for statement, values in (
                (price_statements.ASKS, ("ps5", [SANDERS], 10)),
                (price_statements.DEALS, ("ps5",)),
                (price_statements.SALES, ("ps5", None, None, None, None, 10)),
            ):
                rows = await there.connection.fetch(f"EXPLAIN {statement}", *values)
                plans += "\n".join(row[0] for row in rows)
        for name in ("auction_ask_idx", "auction_sold_idx"):
            assert name in plans, f"{name}\n{plans}"
