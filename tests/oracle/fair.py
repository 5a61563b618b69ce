"""Fair prices from the text of docs/PRICES.md: auctions in, what is to stand in `market_now` out.

One auction at a time, in Python, where the product has SQL and COPY. The formulas are the product's
own, `m26._native.Pricer`: they are judged by made markets (`benches/prices`), not here.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from m26._native import Pricer

Row = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTH, _LONGEST = timedelta(days=30), timedelta(hours=73)
_MOST = 120
_OF_MODEL = (
    *("index_from", "index", "effects", "programs_from", "spread", "speeds", "shares"),
    *("noise", "bid", "shown", "shown_variance"),
)
_OF_CARD = ("fair", "fair_low", "fair_high", "n", "n_copies", "method", "flags", "priced_at")


def _us(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _sales(rows: list[Row], now: datetime) -> list[Row]:
    sold = [r for r in rows if r["outcome"] == "sold" and r["final_price"] is not None]
    sold = [r for r in sold if now - _MONTH < r["closed_at"] <= now]
    return sorted(sold, key=lambda r: (r["closed_at"], r["auction_id"]))[-_MOST:]


def _ask(row: Row, now: datetime) -> tuple[int, int, int, bool] | None:
    """From, until it was seen last, price, whether no end of it is known."""
    if row["outcome"] is None:
        seen = min(max(row["observed_at"], row["last_seen"]), row["expires_at"], now)
    else:
        seen = min(row["closed_after"] or row["posted_at"], row["closed_at"])
    is_open = row["outcome"] is None and row["status"] == "active" and row["expires_at"] > now
    if row["buyout_price"] is None or not row["posted_at"] < seen:
        return None
    return _us(row["posted_at"]), _us(seen), row["buyout_price"], is_open


def priced(
    cards: dict[int, list[Row]], traits: dict[int, Row], now: datetime, model: Row, learn: bool
) -> tuple[dict[int, Row], Row]:
    """What each card is worth at `now`; and what was learned, where it is to be.

    Args:
        cards: auctions by card.
        traits: the newest version of each.
        now: market time.
        model: a row of `market_model`.
        learn: from these cards; else the model is taken as it is.
    """
    ids = sorted(cards)
    sales, asks, shown = array("q"), array("q"), array("q")
    for place, card_id in enumerate(ids):
        rows = [row for row in cards[card_id] if row["posted_at"] <= now]
        sold = _sales(cards[card_id], now)
        for sale in sold:
            sure = sale["price_confidence"]
            sure = sale["confidence"] if sure is None else sure
            by_bid, copy = sale["outcome_via"] == "bid", sale["card_instance_id"] or 0
            told = (int(sure * 1e6 + 0.5), sale["median_price"] or 0)
            sales.extend((place, _us(sale["closed_at"]), sale["final_price"], copy, by_bid, *told))
        since = min([sale["closed_at"] for sale in sold], default=now) - _LONGEST
        found = [_ask(row, now) for row in rows if row["posted_at"] > since]
        for ask in filter(None, found):
            asks.extend((place, *ask))
        medians = [r for r in rows if r["median_price"] and r["posted_at"] > now - _MONTH]
        if medians:
            newest = max(medians, key=lambda row: (row["posted_at"], row["auction_id"]))
            shown.extend((place, _us(newest["posted_at"]), newest["median_price"]))
    kinds = [_kind(traits.get(card_id, {}), model) for card_id in ids]
    pricer = Pricer(now=_us(now))
    pricer.add(kinds, sales.tobytes(), asks.tobytes(), shown.tobytes())
    learned = dict(pricer.learn()) if learn else model
    if not learn:
        pricer.learned(model, _us(model["at"]))
    made = zip(ids, pricer.fair(0, len(ids)), strict=True)
    blank = not any(learned["effects"])
    return {i: _row(each, cards[i], now, blank=blank) for i, each in made}, learned


def _kind(card: Row, model: Row) -> tuple[int | None, int | None, int | None]:
    def number(word: str | None, words: list[str]) -> int | None:
        return words.index(word) if word in words else None

    position = number(card.get("position"), model["positions"])
    return card.get("overall"), position, number(card.get("program"), model["programs"])


def _row(made: Any, rows: list[Row], now: datetime, *, blank: bool) -> Row:
    (fair, low, high), (n, copies, _), _, method, flags, *_ = made
    if blank and method == "kind":
        return dict.fromkeys(_OF_CARD) | {"flags": [], "priced_at": now}
    fair, low, high = (max(1, round(price)) for price in (fair, low, high))
    posted = [row for row in rows if row["posted_at"] <= now]
    newest = max(posted, key=lambda row: (row["posted_at"], row["auction_id"]), default={})
    if newest.get("min_price") is not None and low <= newest["min_price"]:
        flags = [*flags, "at_min"]
    if newest.get("max_price") is not None and high >= newest["max_price"]:
        flags = [*flags, "at_max"]
    return dict(zip(_OF_CARD, (fair, low, high, n, copies, method, flags, now), strict=True))


async def judge(connection: asyncpg.Connection[Any], *, whole: bool) -> int:
    """Raise unless each card's price is what its auctions come to; how many cards have one.

    Args:
        connection: nothing is stored meanwhile, and all events are priced.
        whole: all of it was learned and priced at once: what was learned is judged, too.
    """
    cursors = await connection.fetch("SELECT seq FROM m26.rollup_cursor")
    head = await connection.fetchval("SELECT seq FROM m26.stream_head")
    assert {row[0] for row in cursors} == {head}
    count = 0
    models = await connection.fetch("SELECT * FROM m26.market_model")
    for model in map(dict, models):
        kept = {
            row["card_id"]: {name: row[name] for name in _OF_CARD}
            for row in await connection.fetch(
                "SELECT * FROM m26.market_now WHERE platform = $1", model["platform"]
            )
        }
        cards = _by_card(
            await connection.fetch(
                "SELECT * FROM m26.auction WHERE platform = $1", model["platform"]
            )
        )
        traits = {
            row["card_id"]: dict(row)
            for row in await connection.fetch(
                "SELECT * FROM m26.card ORDER BY first_seen, version DESC"
            )
        }
        if whole:
            wanted, learned = priced(cards, traits, model["at"], model, learn=True)
            assert kept == wanted
            assert {k: learned[k] for k in _OF_MODEL} == {k: model[k] for k in _OF_MODEL}
        else:
            for card_id, found in kept.items():
                own = {card_id: cards[card_id]}
                wanted, _ = priced(own, traits, found["priced_at"], model, learn=False)
                assert found == wanted[card_id], card_id
        count += sum(row["fair"] is not None for row in kept.values())
    return count


def _by_card(rows: Iterable[Any]) -> dict[int, list[Row]]:
    cards: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        cards[row["card_id"]].append(dict(row))
    return cards
