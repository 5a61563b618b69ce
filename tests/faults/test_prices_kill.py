"""Prices over ``kill -9`` of who makes them, and of PostgreSQL: what the auctions come to."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import asyncpg
import pytest
from anyio.from_thread import BlockingPortal
from tests.faults.world import Server
from tests.oracle import fair, prices, trial
from tests.support import servers
from tests.support.lots import HOUR, Market
from tests.support.storing import Process

from m26.embedded.postgres import Postgres
from m26.store.database import opened
from m26.store.indexes import Indexes

_READY = """
SELECT c.seq = h.seq AND f.seq = h.seq AND m.seq = h.seq AND m.at = t.at
FROM m26.rollup_cursor AS c, m26.rollup_cursor AS f, m26.stream_head AS h, m26.market_model AS m,
    m26.market_clock AS t
WHERE c.name = 'prices' AND f.name = 'fair'"""


@contextmanager
def _pricing(dsn: str) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.support.pricing", dsn]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        ended = process.poll()
        process.kill()
        _, said = process.communicate()
        assert ended is None, said.decode()[-2000:]


class _Storing:
    """Stores pages and outcomes; each call is whole, whatever was killed before it."""

    def __init__(self, dsn: str, rng: random.Random) -> None:
        self.dsn, self.rng, self.market = dsn, rng, Market(rng)
        self.pos: dict[str, int] = {}

    async def store(self, pages: int) -> None:
        """Pages, and outcomes that become known, better, or are taken back."""
        connection = await _connected(self.dsn)
        process = Process(connection, far=False, pos=self.pos)
        for _ in range(pages):
            page = self.market.page()
            known = await connection.fetch("SELECT auction_id FROM m26.auction ORDER BY 1")
            ours = [number for (number,) in known if number in self.market.lots]
            chosen = self.rng.sample(ours, min(len(ours), self.rng.choice((0, 1, 2))))
            inferred = [self.market.inferred(number) for number in chosen]
            await process.store(page, inferred=inferred, careful=True)
        await connection.close()

    def renew(self) -> None:
        """Other auctions: those so far are over soon."""
        self.market = Market(self.rng, now=self.market.now, first=max(self.market.lots) + 1)

    async def judge(self) -> int:
        """Once all is priced anew: cards that have a price."""
        connection = await _connected(self.dsn)
        deadline = time.monotonic() + 120
        while not await connection.fetchval(_READY):
            assert time.monotonic() < deadline, await _cursors(connection)
            await asyncio.sleep(0.02)
        assert await prices.judge(connection, loads=json.loads)
        count = await fair.judge(connection, whole=True)
        await connection.close()
        return count


async def _connected(dsn: str) -> asyncpg.Connection[Any]:
    """A connection, once a server that was killed is back."""
    with anyio.fail_after(30):
        while True:
            try:
                return await asyncpg.connect(dsn)
            except (OSError, asyncpg.PostgresError):
                await anyio.sleep(0.02)


async def _cursors(connection: asyncpg.Connection[Any]) -> list[Any]:
    return await connection.fetch("SELECT * FROM m26.rollup_cursor, m26.stream_head")


async def _migrated(dsn: str) -> None:
    async with opened(dsn) as store:
        await store.migrate()
        await Indexes(store).run()


@pytest.mark.parametrize(
    "kills", [pytest.param(5, id="5"), pytest.param(100, id="100", marks=pytest.mark.soak)]
)
def test_prices_are_exact_over_kills(
    portal: BlockingPortal, own_postgres: Server[Postgres], seed: int, kills: int
) -> None:
    rng = random.Random(seed)
    with servers.fresh_database(portal, own_postgres.up()) as dsn:
        asyncio.run(_migrated(dsn))
        storing = _Storing(dsn, rng)
        of_server = 0
        for kill in range(kills):
            storing.renew()
            with _pricing(dsn):
                asyncio.run(storing.store(rng.randint(5, 15)))
                time.sleep(rng.uniform(0.3, 1.2))
                asyncio.run(storing.store(rng.randint(1, 5)))
                time.sleep(rng.uniform(0, 0.1))
                if kill % 3 == 2:
                    own_postgres.kill()
                    of_server += 1
                    asyncio.run(storing.store(5))
        with _pricing(dsn):
            # what holds for all cards is learned anew, though a page may be two hours late
            storing.market.now += 5 * HOUR
            asyncio.run(storing.store(1))
            count = asyncio.run(storing.judge())
        trial.say(f"{kills} kills, {of_server} of them of PostgreSQL; {count} cards priced")
        assert count > 0
