"""What is told of any moment is what a database says that the events up to it were built into."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from anyio.from_thread import BlockingPortal
from tests.oracle import past as oracle
from tests.support import servers
from tests.support.lots import CARDS, FIRST_CARD, Lots
from tests.support.storing import Process

from m26.embedded.postgres import Postgres
from m26.status.metrics import Metrics
from m26.store import partitions
from m26.store.database import Store, opened
from m26.store.indexes import Indexes
from m26.store.prices import Prices
from m26.store.rollups import Rollups

_MOMENTS = 5
_WAIT = timedelta(minutes=2)
_EMPTY = """
TRUNCATE m26.auction, m26.auction_event, m26.sighting, m26.ingest_cursor, m26.price_hour,
    m26.price_day, m26.market_now, m26.market_clock, m26.card;
UPDATE m26.stream_head SET seq = 0;
UPDATE m26.rollup_cursor SET seq = 0"""
_HOW = {"at", "seq", "revision"}
"""What tells how an answer came about."""


@pytest.fixture(scope="module")
def dsns(portal: BlockingPortal, postgres: Postgres) -> Iterator[tuple[str, str]]:
    with (
        servers.fresh_database(portal, postgres) as whole,
        servers.fresh_database(portal, postgres) as rebuilt,
    ):
        yield whole, rebuilt


@asynccontextmanager
async def _emptied(dsn: str) -> AsyncIterator[tuple[Store, asyncpg.Connection[Any]]]:
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


async def _store(store: Store, connection: asyncpg.Connection[Any], rng: random.Random) -> Lots:
    """By two parts, one of which may be hours behind the other."""
    lots, process = Lots(rng), Process(connection, far=False)
    for _ in range(rng.randint(10, 40)):
        page = lots.page()
        known = await connection.fetch("SELECT auction_id FROM m26.auction")
        chosen = rng.sample(known, min(len(known), rng.choice((0, 0, 1, 2))))
        inferred = [lots.inferred(number) for (number,) in chosen]
        await process.store(page, inferred=inferred, part=rng.choice("aab"), careful=True)
        if rng.random() < 0.1:
            await store.fold_sightings()
            process.known.forget()
    return lots


async def _answers(store: Store, at: datetime | None) -> dict[str, Any]:
    """To all questions there are."""
    prices, cards = Prices(store, wait=_WAIT), range(FIRST_CARD, FIRST_CARD + CARDS)
    made: dict[str, Any] = {
        "latest": await prices.latest("ps5", at=at),
        "market": await prices.market("ps5", limit=1, at=at),
        "sales": await prices.sales("ps5", limit=2, at=at),
        "movers": await prices.movers("ps5", min_sales=1, at=at),
        "movers of days": await prices.movers("ps5", window=72, min_sales=1, at=at),
        "index": await prices.index("ps5", bucket="hour", at=at),
        "index of days": await prices.index("ps5", at=at),
        "basket": await prices.basket("ps5", [*cards, FIRST_CARD], at=at),
    }
    for card in cards:
        made[f"{card}"] = await prices.card("ps5", card, at=at)
        made[f"{card} asks"] = await prices.asks("ps5", card, at=at)
        made[f"{card} hours"] = await prices.prices("ps5", card, bucket="hour", at=at)
        made[f"{card} days"] = await prices.prices("ps5", card, at=at)
        page = await prices.sales("ps5", card, limit=2, at=at)
        made[f"{card} sales"] = page
        if page["next"]:
            made[f"{card} more"] = await prices.sales("ps5", card, after=page["next"], at=at)
    return made


def _plain(answer: Any) -> Any:
    if isinstance(answer, dict):
        return {name: _plain(value) for name, value in answer.items() if name not in _HOW}
    return [_plain(value) for value in answer] if isinstance(answer, list) else answer


async def _play(dsns: tuple[str, str], rng: random.Random) -> None:
    async with _emptied(dsns[0]) as (store, connection):
        lots = await _store(store, connection, rng)
        events = [dict(row) for row in await connection.fetch("SELECT * FROM m26.auction_event")]
        rows = [dict(row) for row in await connection.fetch("SELECT * FROM m26.auction")]
        cards = [dict(row) for row in await connection.fetch("SELECT * FROM m26.card")]
        folded = oracle.auctions(events, datetime.fromtimestamp(lots.now, UTC))
        assert sorted(map(str, map(oracle.told, folded))) == sorted(
            map(str, map(oracle.told, rows))
        )
        first = min(event["observed_at"] for event in events).timestamp()
        for _ in range(_MOMENTS):
            at = datetime.fromtimestamp(int(rng.uniform(first, lots.now)), UTC)
            async with _emptied(dsns[1]) as (other, rebuilt):
                await oracle.rebuild(rebuilt, events, cards, at)
                clock = at.timestamp()
                rollups = Rollups(other, metrics=Metrics(), now=lambda: clock, wait=0)  # noqa: B023
                while await rollups.step():
                    pass
                expected, found = await _answers(other, None), await _answers(store, at)
            differ = {
                what: (_plain(found[what]), _plain(answer))
                for what, answer in expected.items()
                if _plain(found[what]) != _plain(answer)
            }
            assert differ == {}, at


@pytest.mark.parametrize("case", range(10))
def test_the_past_is_what_was_known_then(dsns: tuple[str, str], seed: int, case: int) -> None:
    asyncio.run(_play(dsns, random.Random(f"{seed}/{case}")))
