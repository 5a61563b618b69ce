"""Both sides of the comparison as values: the simulator's ledger, and what m26 made of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import redis
from tests.oracle.rules import OUTCOME, SECOND, Event, Seen

from m26.sim.cards import Deck
from m26.sim.ledger import Ledger
from m26.sim.records import Served

Key = tuple[str, int]
STREAM = "m26:events"
_STATE = Event._fields[1:-1]
_TIMES = {"observed_at", "posted_at", "expires_at", "acquired_at", "first_seen", *OUTCOME[-3:]}


class Offer(NamedTuple):
    """An auction that is on offer, as a buyer sees it."""

    platform: str
    auction_id: int
    buyout_price: int | None
    current_bid: int
    next_bid: int
    bids: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One auction's current state."""

    state: Event
    """Its columns in the form of an event, without a kind."""
    acquired_at: int
    first_seen: int
    last_seen: int
    """With the sightings that are not folded in yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What m26 has stored and published."""

    events: Sequence[tuple[int, Event]]
    """(seq, event), in the order of seq."""
    head: int
    documents: Sequence[tuple[int, bytes]] = ()
    """(seq, JSON) as the database spells each event."""
    auctions: dict[Key, Row] = field(default_factory=dict)
    stream: Sequence[tuple[str, bytes]] = ()
    """(entry id, JSON) as consumers get them."""
    orphans: int = 0
    """Events or auctions whose card version is not stored."""
    versions: int = 1
    """Most versions of one card; the simulator's cards never change."""

    def changed(self, **parts: Any) -> History:
        """A copy with other parts."""
        return replace(self, **parts)


def observations(ledger: Path, *, since: int = 0, platform: str = "") -> list[Seen]:
    """Every auction of every reply that left the simulator whole, in request order.

    Args:
        ledger: the ledger's file.
        since: number of the first request that counts.
        platform: the one that counts, if only one does.
    """
    with Ledger.open_readonly(ledger) as reader:
        # First: what is served later cannot be owed by then.
        served = list(reader.served(platform))
        owed = {row.request for row in reader.owed(platform)}
    deck = _deck(_number(ledger, "SELECT value FROM fact WHERE name = 'seed'"))
    return [_seen(row, deck, owed) for row in served if row.request >= since]


@cache
def _deck(seed: int) -> Deck:
    """The cards of a market; making them takes longer than a test."""
    return Deck(seed)


def market(ledger: Path, platform: str) -> list[Offer]:
    """What is on offer in the simulator now."""
    with Ledger.open_readonly(ledger) as reader:
        return [
            Offer(
                platform,
                listing.auction_id,
                state.buyout or None,
                state.current_bid,
                state.next_bid,
                state.bids,
                listing.expires * SECOND,
            )
            for listing, state in reader.alive(platform)
        ]


def first_request(ledger: Path) -> int:
    """Number of the request that will come next."""
    return _number(ledger, "SELECT ifnull(max(number), 0) + 1 FROM request")


async def history(dsn: str, redis_url: str) -> History:
    """All that a database and a stream hold."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            found = await stored(connection)
    finally:
        await connection.close()
    return found.changed(stream=stream(redis_url))


def stream(url: str) -> list[tuple[str, bytes]]:
    """Every entry of the event stream."""
    with redis.Redis.from_url(url) as client:
        entries: Any = client.xrange(STREAM)
    return [(entry_id.decode(), fields[b"data"]) for entry_id, fields in entries]


async def stored(connection: asyncpg.Connection[Any]) -> History:
    columns = ", ".join(map(_micros, Event._fields))
    events = await connection.fetch(f"SELECT seq, {columns} FROM m26.auction_event ORDER BY seq")
    columns = ", ".join(_micros(name) for name in _STATE)
    auctions = await connection.fetch(f"""
        WITH newest AS (
            SELECT platform AS market, id, max(observed_at) AS seen
            FROM m26.sighting, unnest(auction_ids) AS id GROUP BY 1, 2)
        SELECT {columns}, {_micros("acquired_at")}, {_micros("first_seen")},
            (extract(epoch FROM greatest(last_seen, seen)) * 1000000)::bigint AS last_seen
        FROM m26.auction LEFT JOIN newest ON market = platform AND id = auction_id""")
    documents = await connection.fetch("SELECT seq, data FROM m26.event_json ORDER BY seq")
    orphans = await connection.fetchval("""
        SELECT count(*) FROM (
            SELECT card_id, card_version FROM m26.auction_event
            UNION SELECT card_id, card_version FROM m26.auction
        ) AS used
        WHERE NOT EXISTS (
            SELECT FROM m26.card AS c
            WHERE c.card_id = used.card_id AND c.version = used.card_version)""")
    versions = await connection.fetchval(
        "SELECT coalesce(max(n), 1) FROM (SELECT count(*) AS n FROM m26.card GROUP BY card_id) AS v"
    )
    return History(
        events=[(row["seq"], _event(row, row["kind"])) for row in events],
        head=await connection.fetchval("SELECT seq FROM m26.stream_head"),
        documents=[(row["seq"], row["data"].encode()) for row in documents],
        auctions={
            (row["platform"], row["auction_id"]): Row(
                state=_event(row, ""),
                acquired_at=row["acquired_at"],
                first_seen=row["first_seen"],
                last_seen=row["last_seen"],
            )
            for row in auctions
        },
        orphans=orphans,
        versions=versions,
    )


def _micros(column: str) -> str:
    if column not in _TIMES:
        return column
    return f"(extract(epoch FROM {column}) * 1000000)::bigint AS {column}"


def _event(row: Any, kind: str) -> Event:
    event = Event(kind, *(row[name] for name in _STATE), late=row.get("late", False))
    sure = (event.confidence, event.price_confidence)
    one, other = (each if each is None else round(each, 6) for each in sure)
    return event._replace(confidence=one, price_confidence=other)  # they are single precision


def _seen(served: Served, deck: Deck, owed: Iterable[int]) -> Seen:
    listing, state = served.listing, served.state
    value = None if served.worth is None else served.worth.value
    prices = deck.card(listing.card).prices(listing.instance_id, value)
    return Seen(
        request=served.request,
        position=served.position,
        owed=served.request in owed,
        at=served.response_time,
        platform=served.platform,
        account=served.account,
        auction_id=listing.auction_id,
        card_id=listing.card_id,
        card_instance_id=listing.instance_id,
        acquired_at=listing.acquired,
        posted_at=listing.posted * SECOND,
        seconds_remaining=served.seconds_remaining,
        status=state.status.lower(),
        buyout_price=state.buyout or None,
        current_bid=state.current_bid,
        next_bid=state.next_bid,
        bids=state.bids,
        median_price=prices.median,
        min_price=prices.least,
        max_price=prices.most,
    )


def _number(ledger: Path, query: str) -> int:
    db = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
    try:
        return int(db.execute(query).fetchone()[0])
    finally:
        db.close()
