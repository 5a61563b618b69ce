"""What sales and asks come to, from the text of docs/DATA.md alone: auctions in, prices out.

One card and one bucket at a time, in Python, where the product has SQL; it shares nothing with it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

Row = dict[str, Any]
Prices = dict[str, dict[tuple[Any, ...], Row]]

_WIDTHS = {"price_hour": timedelta(hours=1), "price_day": timedelta(days=1)}
_DAY, _LONGEST = timedelta(days=1), timedelta(hours=73)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEFT_OUT = {
    *("revision", "seq", "floor_seen_at", "ages_at"),  # tell how a row came about
    *("fair", "fair_low", "fair_high", "net", "method", "flags", "priced_at", "training_ratio"),
    *("said_at", "said_low", "said_high"),  # fair ones are judged by `tests.oracle.fair`
    "coverage",  # is told apart
}


def expected(
    auctions: Iterable[Row], times: dict[str, datetime], discards: dict[int, int]
) -> Prices:
    """All of it at each platform's market time; `discards`: quick-sell values by card."""
    cards: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in auctions:
        cards[row["platform"], row["card_id"]].append(row)
    made: Prices = {name: {} for name in (*_WIDTHS, "market_now")}
    for key, rows in cards.items():
        for name, width in _WIDTHS.items():
            moments = [row["posted_at"] for row in rows] + [s["closed_at"] for s in _sales(rows)]
            for begin in {at - (at - _EPOCH) % width for at in moments}:
                made[name][*key, begin] = _bucket(rows, begin, begin + width, times[key[0]])
        now = _now(rows, times[key[0]])
        made["market_now"][key] = {**now, "quicksell": discards[key[1]]}
    return made


def _sales(rows: Iterable[Row]) -> list[Row]:
    def sure(row: Row) -> float:
        given = row["price_confidence"]
        return row["confidence"] if given is None else given  # type: ignore[no-any-return]

    sold = [row for row in rows if row["outcome"] == "sold" and sure(row) > 0.7999]
    return sorted(sold, key=lambda row: (row["closed_at"], row["auction_id"]))


def _of(values: list[int], share: float) -> int | None:
    """The first value that so large a share does not exceed."""
    ordered = sorted(values)
    return next((v for n, v in enumerate(ordered, 1) if n / len(ordered) >= share), None)


def _bucket(rows: list[Row], begin: datetime, end: datetime, now: datetime) -> Row:
    sales = [sale for sale in _sales(rows) if begin <= sale["closed_at"] < end]
    prices = [sale["final_price"] for sale in sales]
    via = Counter(sale["outcome_via"] for sale in sales)
    posted = [row for row in rows if begin - _LONGEST < row["posted_at"] < end]

    def floor(until: datetime) -> int | None:
        ends = [min(filter(None, (row["closed_at"], row["expires_at"]))) for row in posted]
        asks = [row["buyout_price"] for row, end in zip(posted, ends, strict=True) if end > until]
        return min((ask for ask in asks if ask is not None), default=None)

    return {
        "n": len(sales),
        "n_copies": len({sale["card_instance_id"] for sale in sales}),
        "n_bid": via["bid"],
        "n_buyout": via["buyout"],
        "low": min(prices, default=None),
        "q1": _of(prices, 0.25),
        "median": _of(prices, 0.5),
        "q3": _of(prices, 0.75),
        "high": max(prices, default=None),
        "first": prices[0] if prices else None,
        "last": prices[-1] if prices else None,
        "coins": sum(prices),
        "floor_min": floor(begin),
        "floor_last": floor(min(end, now)),
        "listed": sum(row["posted_at"] >= begin for row in posted),
        "final": False,
    }


def _now(rows: list[Row], now: datetime) -> Row:
    asks = sorted(
        (row["buyout_price"], row["auction_id"])
        for row in rows
        if row["outcome"] is None
        and row["status"] == "active"
        and row["buyout_price"] is not None
        and row["expires_at"] > now
        and row["posted_at"] > now - _LONGEST
    )
    levels = Counter(price for price, _ in asks)
    sales = _sales(rows)
    day = now - (now - _EPOCH) % timedelta(minutes=10) - _DAY
    of_day = [sale["final_price"] for sale in sales if sale["closed_at"] > day]
    before = [s["final_price"] for s in sales if day - _DAY < s["closed_at"] <= day]
    medians = _of(of_day, 0.5), _of(before, 0.5)
    return {
        "floor": asks[0][0] if asks else None,
        "floor2": asks[1][0] if len(asks) > 1 else None,
        "floor_auction": asks[0][1] if asks else None,
        "asks": len(asks),
        "depth": [{"price": price, "count": levels[price]} for price in sorted(levels)[:10]],
        "last_sale": sales[-1]["final_price"] if sales else None,
        "last_sale_at": sales[-1]["closed_at"] if sales else None,
        "sales_day": len(of_day),
        "change_24h": round(medians[0] / medians[1] - 1, 5) if medians[0] and medians[1] else None,
        "median_24h": medians[0],
        "median_48h": medians[1],
        "sales_before": len(before),
    }


async def judge(connection: asyncpg.Connection[Any], *, loads: Callable[[str], Any]) -> bool:
    """Hold what the tables have against the auctions; False while events are left to take."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        if not await connection.fetchval(
            "SELECT c.seq = h.seq FROM m26.rollup_cursor AS c, m26.stream_head AS h"
            " WHERE c.name = 'prices'"
        ):
            return False
        rows = [dict(row) for row in await connection.fetch("SELECT * FROM m26.auction")]
        clocks = await connection.fetch("SELECT platform, at FROM m26.market_clock")
        cards = await connection.fetch("SELECT card_id, discard_value FROM m26.card_latest")
        found = await _kept(connection, loads)
        pruned = await connection.fetchval("SELECT pruned_before FROM m26.stream_head")
    wanted = expected(rows, dict(map(tuple, clocks)), dict(map(tuple, cards)))
    if pruned is not None:  # final days are what they were when their auctions were there
        for name in _WIDTHS:
            for of_table in (found, wanted):
                of_table[name] = {k: v for k, v in of_table[name].items() if k[2] >= pruned}
    for name, of_table in wanted.items():
        assert found[name].keys() == of_table.keys(), name
        differ = {k: (found[name][k], v) for k, v in of_table.items() if found[name][k] != v}
        assert differ == {}, (name, clocks)
    return True


async def _kept(connection: asyncpg.Connection[Any], loads: Callable[[str], Any]) -> Prices:
    """The same, as the tables have it."""
    made: Prices = {}
    for name in (*_WIDTHS, "market_now"):
        keys = ["platform", "card_id", *(["bucket"] if name in _WIDTHS else [])]
        left_out = _LEFT_OUT if name in _WIDTHS else {*_LEFT_OUT, "n", "n_copies"}
        made[name] = {}
        for found in await connection.fetch(f"SELECT * FROM m26.{name}"):
            row = {k: v for k, v in dict(found).items() if k not in left_out}
            if name == "market_now":
                change = row["change_24h"]
                row["change_24h"] = None if change is None else round(change, 5)
                row["depth"] = loads(row["depth"])
            key = tuple(row.pop(each) for each in keys)
            made[name][key] = row
    return made
