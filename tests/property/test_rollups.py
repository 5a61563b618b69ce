"""Any observations, outcomes and kills: prices are what a computation from scratch gives."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import asyncpg
import pytest
from anyio.from_thread import BlockingPortal
from tests.oracle import fair as oracle
from tests.oracle import questions
from tests.oracle.prices import judge
from tests.support import servers
from tests.support.lots import Market
from tests.support.storing import Process

from m26.embedded.postgres import Postgres
from m26.status.metrics import Metrics
from m26.store.database import Store, opened
from m26.store.fair import Fair
from m26.store.indexes import Indexes
from m26.store.prices import Prices
from m26.store.rollups import Rollups

_HOUR = 3_600
_EMPTY = """
TRUNCATE m26.auction, m26.auction_event, m26.sighting, m26.ingest_cursor, m26.price_hour,
    m26.price_day, m26.market_now, m26.market_clock, m26.market_model, m26.fair_check,
    m26.auction_moved;
UPDATE m26.stream_head SET seq = 0;
UPDATE m26.rollup_cursor SET seq = 0"""


@pytest.fixture(scope="module")
def dsn(portal: BlockingPortal, postgres: Postgres) -> Iterator[str]:
    with servers.fresh_database(portal, postgres) as made:
        yield made


async def _play(dsn: str, rng: random.Random) -> None:
    async with opened(dsn) as store:
        await store.migrate()
        await Indexes(store).run()
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(_EMPTY)
            await _store_and_roll(store, connection, rng)
            assert await judge(connection, loads=json.loads)
            await oracle.judge(connection, whole=True)
            await questions.judge(connection, Prices(store), "ps5")  # sets fair prices of its own
        finally:
            await connection.close()


async def _store_and_roll(
    store: Store, connection: asyncpg.Connection[Any], rng: random.Random
) -> None:
    market, process = Market(rng), Process(connection, far=False)
    clock, turn, metrics = [market.now], anyio.Lock(), Metrics()

    def made() -> Rollups:
        most = rng.choice((1, 5, 1000))
        how = {"now": lambda: clock[0], "wait": 60, "most": most}
        return Rollups(store, turn=turn, metrics=metrics, **how)

    def priced() -> Fair:
        return Fair(store, turn=turn, metrics=metrics, every=0)

    rollups, fair = made(), priced()
    for _ in range(rng.randint(10, 40)):
        await market.store(process)
        clock[0] = market.now + rng.choice((0, 1, 30, 90, 7_200))
        if rng.random() < 0.2:
            await store.fold_sightings()
            process.known.forget()
        if await _stepped(rollups.step, rng):
            rollups = made()
        if await _stepped(fair.step, rng):
            fair = priced()
    while await rollups.step():
        pass
    assert await judge(connection, loads=json.loads)
    clock[0] += rng.choice((_HOUR, 20 * _HOUR))  # all is learned anew
    while await rollups.step():
        pass
    await fair.step()


async def _stepped(step: Callable[[], Awaitable[bool]], rng: random.Random) -> bool:
    """Take a step or none; whether it was killed somewhere in it, or after it."""
    what = rng.random()
    if what < 0.25:
        task = asyncio.ensure_future(step())
        await asyncio.sleep(rng.random() * 0.02)
        task.cancel()
        await asyncio.wait({task})
    elif what < 0.6:
        await step()
    return what < 0.25


@pytest.mark.parametrize("case", range(8))
def test_prices_are_what_the_auctions_come_to(dsn: str, seed: int, case: int) -> None:
    asyncio.run(_play(dsn, random.Random(f"{seed}/{case}")))
