"""What questions about a market are answered with, from docs/DATA.md and docs/PRICES.md alone.

Auctions and sightings in, in Python; the product asks the database. It shares nothing with it.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from m26.market.deals import Wanted
from m26.store.prices import Prices

Row = dict[str, Any]
_LONGEST = timedelta(hours=73)


async def judge(connection: asyncpg.Connection[Any], prices: Prices, platform: str) -> None:
    """Hold the answers about a market against its auctions."""
    now = await connection.fetchval("SELECT at FROM m26.market_clock WHERE platform = $1", platform)
    query = "SELECT * FROM m26.auction WHERE platform = $1"
    auctions = [dict(row) for row in await connection.fetch(query, platform)]
    sighted = await connection.fetch("SELECT observed_at, auction_ids FROM m26.sighting")
    seen = {row["auction_id"]: max(row["observed_at"], row["last_seen"]) for row in auctions}
    for at, ids in sighted:
        seen |= {each: max(seen[each], at) for each in ids if each in seen}
    asks = _asks(auctions, now)
    for card_id in {row["card_id"] for row in auctions}:
        await _judge_asks(prices, platform, card_id, asks[card_id], seen)
    await _judge_deals(connection, prices, platform, asks)
    await _judge_sales(prices, platform, auctions)


def _asks(auctions: list[Row], now: datetime) -> dict[int, list[Row]]:
    """Of each card what is on offer: no end is known, and its time is not over."""
    found: dict[int, list[Row]] = defaultdict(list)
    for row in sorted(auctions, key=lambda row: (row["buyout_price"] or 0, row["auction_id"])):
        is_open = row["outcome"] is None and row["status"] == "active"
        runs = row["posted_at"] > now - _LONGEST and row["expires_at"] > now
        if is_open and runs and row["buyout_price"] is not None:
            found[row["card_id"]].append(row)
    return found


async def _judge_asks(
    prices: Prices, platform: str, card_id: int, asks: list[Row], seen: dict[int, datetime]
) -> None:
    told = await prices.asks(platform, card_id)
    assert told is not None
    expected, upto = [], 0
    for price in sorted({row["buyout_price"] for row in asks}):
        level = [row for row in asks if row["buyout_price"] == price]
        upto += len(level)
        looks = [seen[row["auction_id"]] for row in level]
        ends = min(row["expires_at"] for row in level)
        ids = sorted(row["auction_id"] for row in level)
        expected.append((price, len(level), upto, min(looks), max(looks), ends, ids))
    assert [
        (
            *(each["price"], each["count"], each["cumulative"]),
            datetime.fromisoformat(each["oldest_seen"]),
            datetime.fromisoformat(each["newest_seen"]),
            *(datetime.fromisoformat(each["ends_at"]), each["auction_ids"]),
        )
        for each in told["items"]
    ] == expected
    wanted = len(asks) + 1
    (item,) = (await prices.basket(platform, wanted * [card_id]))["items"]
    bought = [row["buyout_price"] for row in asks]
    assert (item["asks"], item["missing"], item["cost"]) == (bought, 1, sum(bought))


async def _judge_deals(
    connection: asyncpg.Connection[Any],
    prices: Prices,
    platform: str,
    asks: dict[int, list[Row]],
) -> None:
    """Each card is worth 1,150: which asks pay then."""
    await connection.execute(
        "UPDATE m26.market_now SET fair = 1150, fair_low = 1000, fair_high = 1300, n = 5,"
        " n_copies = 5, method = 'level'"
    )
    every = Wanted(min_confidence=0, max_age=None)
    told = await prices.deals(platform, every)
    assert {each["auction_id"]: each["profit"] for each in told["items"]} == {
        row["auction_id"]: 1_035 - row["buyout_price"]
        for rows in asks.values()
        for row in rows
        if row["buyout_price"] < 1_035
    }
    assert all(each["buyout_price"] < each["net"] == 1_035 for each in told["items"])


async def _judge_sales(prices: Prices, platform: str, auctions: list[Row]) -> None:
    """Page by page, of the market and of each card."""
    sold = [row for row in auctions if row["outcome"] == "sold"]
    sold.sort(key=lambda row: (row["closed_at"], row["auction_id"]), reverse=True)
    for card_id in (None, *{row["card_id"] for row in auctions}):
        ids, after = [], None
        for _ in range(len(sold) + 1):
            told = await prices.sales(platform, card_id, limit=2, after=after)
            assert told is not None
            ids += [each["auction_id"] for each in told["items"]]
            after = told["next"]
            if after is None:
                break
        assert ids == [row["auction_id"] for row in sold if card_id in (None, row["card_id"])]
