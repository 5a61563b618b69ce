"""A market that is recorded and served over HTTP, for whoever asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import asyncpg
from tests.support.observing import Watched
from tests.support.storing import Process
from tests.support.wire import T0, auction, body, card

from m26.status.metrics import Metrics
from m26.store.database import Store, opened
from m26.store.prices import Prices
from m26.store.rollups import Rollups
from m26.web.app import create_app
from m26.web.desk import MOST
from m26.web.server import listening, serve, url_of

SOLD = {"auctionStatus": "AUCTIONSTATUS_ENDED", "secondsRemaining": 0}
SANDERS, JOSE, LONELY = 13522975, 2, 3


@dataclass
class Market:
    """A market that grows when the test says so."""

    store: Store
    connection: asyncpg.Connection[Any]
    url: str = ""
    process: Process = field(init=False)

    def __post_init__(self) -> None:
        self.process = Process(self.connection, far=False)

    async def grow(self, *pages: bytes, now: float = T0 + 300) -> None:
        """Store pages, and make prices of them."""
        for page in pages:
            await self.process.store(page)
        rollups = Rollups(self.store, turn=anyio.Lock(), metrics=Metrics(), now=lambda: now)
        while await rollups.step():
            pass

    async def begin(self) -> None:
        """Two cards with asks and sales, of which one is dear, and one that only was offered."""
        jose = card(JOSE, firstName="José", secondName="Ramírez, Jr.")
        lonely = card(LONELY, firstName="", secondName="")
        offered = [auction(n, buyoutPrice=5_000 + 10 * n) for n in range(1, 6)]
        offered += [auction(n, card={**jose, "cardInstanceId": n}) for n in range(6, 10)]
        offered += [auction(10, card=lonely, buyoutPrice=0)]
        over = [auction(n, bid=4_000 + 100 * n, bids=2, **SOLD) for n in range(1, 4)]
        over += [
            auction(n, bid=900, bids=1, card={**jose, "cardInstanceId": n}, **SOLD) for n in (6, 7)
        ]
        ago = {"card": {**jose, "cardInstanceId": 20}, "postingTime": T0 - 124_000}
        before = [
            body(auction(20, **ago), at=T0 - 123_000),
            body(auction(20, bid=800, bids=1, **{**ago, **SOLD}), at=T0 - 120_000),
        ]
        await self.grow(*before, body(*offered), body(*over, at=T0 + 60))
        await self.connection.execute("""
            UPDATE m26.market_now SET fair = 7000, fair_low = 6500, fair_high = 7500, n = 9,
                n_copies = 9, method = 'level', flags = '{thin,bait}'
            WHERE floor IS NOT NULL""")


@asynccontextmanager
async def served(dsn: str, *, way: str = "") -> AsyncIterator[Market]:
    """A market over HTTP, as a run serves it; `way` is where questions are asked, if elsewhere."""
    watched = Watched()
    async with opened(dsn) as store, opened(way or dsn, most=MOST) as asked:
        await store.migrate()
        connection = await asyncpg.connect(dsn)
        try:
            market = Market(store, connection)
            app = create_app(
                metrics=watched.metrics,
                snapshot=watched.observer.snapshot,
                ready=list,
                prices=Prices(asked),
            )
            async with listening("127.0.0.1", 0) as listener, anyio.create_task_group() as group:
                await group.start(serve, app, listener)
                market.url = url_of(listener)
                yield market
                group.cancel_scope.cancel()
        finally:
            await connection.close()
