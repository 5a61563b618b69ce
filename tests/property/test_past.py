"""What is told of any moment is what a database says that the events up to it were built into."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import anyio
import asyncpg
import pytest
from anyio.from_thread import BlockingPortal
from tests.oracle import past as oracle
from tests.support import servers
from tests.support.lots import CARDS, FIRST_CARD, Market
from tests.support.storing import Process

from m26.embedded.postgres import Postgres
from m26.status.metrics import Metrics
from m26.store import partitions
from m26.store.database import Store, opened
from m26.store.indexes import Indexes
from m26.store.prices import Prices
from m26.store.rollups import Rollups

_MOMENTS, _ASKED = 10, 4
_EMPTY = """
TRUNCATE m26.auction, m26.auction_event, m26.sighting, m26.ingest_cursor, m26.price_hour,
    m26.price_day, m26.market_now, m26.market_clock, m26.market_index, m26.card;
UPDATE m26.stream_head SET seq = 0;
UPDATE m26.rollup_cursor SET seq = 0"""
_WAIT = timedelta(minutes=2)
_SET_CLOCK = """
INSERT INTO m26.market_clock (platform, newest, at, wait) VALUES ('ps5', $1, $1, $2)
ON CONFLICT (platform) DO UPDATE SET at = $1, wait = $2"""
_HOW = {"at", "seq", "revision"}
"""What tells how an answer came about."""
Ask: TypeAlias = Callable[[Prices, datetime | None], Awaitable[Any]]
_CARDS = range(FIRST_CARD, FIRST_CARD + CARDS)


def _of_card(card: int) -> dict[str, Ask]:
    return {
        f"{card}": lambda p, at: p.card("ps5", card, at=at),
        f"{card} asks": lambda p, at: p.asks("ps5", card, at=at),
        f"{card} hours": lambda p, at: p.prices("ps5", card, bucket="hour", at=at),
        f"{card} days": lambda p, at: p.prices("ps5", card, at=at),
        f"{card} sales": lambda p, at: _paged(p, card, at),
    }


async def _paged(prices: Prices, card: int | None, at: datetime | None) -> list[Any]:
    """Sales, two at a time."""
    pages: list[Any] = []
    after = None
    while page := await prices.sales("ps5", card, limit=2, after=after, at=at):
        pages.append({**page, "next": None})
        if (after := page["next"]) is None:
            break
    return pages


_QUESTIONS: dict[str, Ask] = {
    "latest": lambda p, at: p.latest("ps5", at=at),
    "market": lambda p, at: p.market("ps5", q="sanders", limit=1, at=at),
    "sales": lambda p, at: _paged(p, None, at),
    "movers of hours": lambda p, at: p.movers("ps5", window=12, min_sales=1, at=at),
    "movers of a day": lambda p, at: p.movers("ps5", min_sales=1, at=at),
    "movers of days": lambda p, at: p.movers("ps5", window=48, min_sales=1, at=at),
    "index of hours": lambda p, at: p.index("ps5", bucket="hour", at=at),
    "index of days": lambda p, at: p.index("ps5", at=at),
    "basket": lambda p, at: p.basket("ps5", [*_CARDS, FIRST_CARD], at=at),
} | {name: ask for card in _CARDS for name, ask in _of_card(card).items()}


@pytest.fixture(scope="module")
def dsns(portal: BlockingPortal, postgres: Postgres) -> Iterator[tuple[str, str]]:
    with (
        servers.fresh_database(portal, postgres) as whole,
        servers.fresh_database(portal, postgres) as rebuilt,
    ):
        yield whole, rebuilt


@asynccontextmanager
async def _opened(dsn: str) -> AsyncIterator[tuple[Store, asyncpg.Connection[Any]]]:
    async with opened(dsn) as store:
        await store.migrate()
        await Indexes(store).run()
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(_EMPTY)
            async with connection.transaction():
                await partitions.ensure(connection, 0, known=-1)  # type: ignore[arg-type]
            yield store, connection
        finally:
            await connection.close()


async def _store(store: Store, connection: asyncpg.Connection[Any], rng: random.Random) -> Market:
    """By two parts, one of which may be hours behind the other."""
    lots, process = Market(rng), Process(connection, far=False)
    for _ in range(rng.randint(10, 40)):
        await lots.store(process)
        if rng.random() < 0.1:
            await store.fold_sightings()
            process.known.forget()
    return lots


def _plain(answer: Any) -> Any:
    if isinstance(answer, dict):
        return {name: _plain(value) for name, value in answer.items() if name not in _HOW}
    return [_plain(value) for value in answer] if isinstance(answer, list) else answer


async def _play(dsns: tuple[str, str], rng: random.Random) -> None:
    async with _opened(dsns[0]) as (store, connection), _opened(dsns[1]) as (other, rebuilt):
        lots = await _store(store, connection, rng)
        now = datetime.fromtimestamp(lots.now, UTC)
        await connection.execute(_SET_CLOCK, now, _WAIT)
        events, rows, cards = [
            [dict(row) for row in await connection.fetch(f"SELECT * FROM m26.{table}")]
            for table in ("auction_event", "auction", "card")
        ]
        folded = oracle.auctions(events, now)
        assert sorted(map(repr, map(oracle.told, folded))) == sorted(
            map(repr, map(oracle.told, rows))
        )
        first = min(event["observed_at"] for event in events).timestamp()
        for _ in range(_MOMENTS):
            at = datetime.fromtimestamp(int(rng.uniform(first, lots.now)), UTC)
            await rebuilt.execute(_EMPTY)
            await oracle.rebuild(rebuilt, events, cards, at)
            await _roll_up(other, at)
            await rebuilt.execute(_SET_CLOCK, at, _WAIT)
            for name in ("latest", *rng.sample(sorted(_QUESTIONS), _ASKED)):
                found = _plain(await _QUESTIONS[name](Prices(store), at))
                assert found == _plain(await _QUESTIONS[name](Prices(other), None)), (name, at)


async def _roll_up(store: Store, at: datetime) -> None:
    rollups = Rollups(store, turn=anyio.Lock(), metrics=Metrics(), now=at.timestamp, wait=0)
    while await rollups.step():
        pass


@pytest.mark.parametrize("case", range(5))
def test_the_past_is_what_was_known_then(dsns: tuple[str, str], seed: int, case: int) -> None:
    asyncio.run(_play(dsns, random.Random(f"{seed}/{case}")))
