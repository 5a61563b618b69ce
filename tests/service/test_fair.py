"""Fair prices beside storing: learned from the market, made anew where it moves, judged."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import asyncpg
import pytest
from tests.oracle import fair as oracle
from tests.oracle.prices import judge
from tests.support.storing import Process
from tests.support.wire import T0, auction, body, card

from m26.status.metrics import Metrics
from m26.store.database import Store, opened
from m26.store.fair import Fair
from m26.store.rollups import Rollups

pytestmark = pytest.mark.anyio
HOUR, DAY = 3_600, 86_400


class Place:
    """A database, and a market in it whose cards are sold now and then."""

    def __init__(
        self, store: Store, connection: asyncpg.Connection[Any], rng: random.Random
    ) -> None:
        self.store, self.connection, self.rng = store, connection, rng
        self.process, self.metrics, self.turn = (
            Process(connection, far=False),
            Metrics(),
            anyio.Lock(),
        )
        self.fair = Fair(store, turn=self.turn, metrics=self.metrics, every=0)
        self.now, self.lots = T0, 0

    async def sell(self, *cards: int, price: float = 1_000, days: float = 1) -> None:
        """Each of these listed and bought within so many days."""
        for of in cards:
            self.lots += 1
            worth = int(price * (1 + of % 10 / 10) * self.rng.lognormvariate(0, 0.05))
            this = {"card": card(13522975 + of, instance=self.lots), "buyoutPrice": worth}
            at = self.now + days * DAY * self.rng.random()
            lot = auction(self.lots, postingTime=int(at), **this)
            await self.process.store(body(lot, at=at))
            over = {"auctionStatus": "AUCTIONSTATUS_ENDED", "secondsRemaining": 0}
            lot = auction(self.lots, postingTime=int(at), bid=worth, bids=1, **this, **over)
            await self.process.store(body(lot, at=at + 600))
            self.now = at + 600

    async def roll(self, *, after: float = 0) -> None:
        """Let prices follow."""
        self.now += after
        rollups = Rollups(
            self.store, turn=self.turn, metrics=self.metrics, now=lambda: self.now, wait=60
        )
        while await rollups.step():
            pass
        await self.fair.step()

    async def prices(self) -> dict[int, dict[str, Any]]:
        """What cards are worth."""
        rows = await self.connection.fetch("SELECT * FROM m26.market_now")
        return {row["card_id"] - 13522975: dict(row) for row in rows}


@asynccontextmanager
async def market(dsn: str, seed: int) -> AsyncIterator[Place]:
    async with opened(dsn) as store:
        await store.migrate()
        connection = await asyncpg.connect(dsn)
        try:
            yield Place(store, connection, random.Random(seed))
        finally:
            await connection.close()


async def test_all_is_learned_once_an_hour_and_a_card_priced_when_it_is_touched(
    database: str, seed: int
) -> None:
    async with market(database, seed) as place:
        await place.sell(*range(4), *range(4), *range(3), days=0.4)
        await place.roll()
        assert await oracle.judge(place.connection, whole=True) == 4
        before = await place.prices()
        assert before[0]["fair_low"] < before[0]["fair"] < before[0]["fair_high"]
        assert (before[0]["n"], before[0]["n_copies"]) == (3, 3)
        assert before[0]["net"] == before[0]["fair"] * 9 // 10
        assert before[3]["flags"] == ["thin"]

        await place.sell(1, price=1_300, days=0.001)
        await place.roll()
        after = await place.prices()
        assert after[1]["fair"] > before[1]["fair"]
        assert {0, 2, 3} == {of for of in after if after[of] == before[of]}
        assert await oracle.judge(place.connection, whole=False) == 4
        asked, held = await place.connection.fetchrow(
            "SELECT sum(asked), sum(held) FROM m26.fair_check"
        )
        said = before[1]["said_low"] <= after[1]["last_sale"] <= before[1]["said_high"]
        assert (asked, held) == (1, said)
        share = place.metrics.by_label("m26_fair_interval_coverage", "group")
        assert share == {"under_5": held}

        await place.roll(after=2 * HOUR)
        assert (await place.prices())[0]["priced_at"] > after[0]["priced_at"]
        assert await oracle.judge(place.connection, whole=True) == 4
        assert await judge(place.connection, loads=json.loads)
