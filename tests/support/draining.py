"""A journal that is stored into a real database, as a run does it, with its drain at hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import asyncpg

from m26.errors import M26Error
from m26.journal import Journal
from m26.normalizer import Normalizer
from m26.status.conditions import Status
from m26.status.metrics import Metrics
from m26.status.telemetry import Telemetry
from m26.store.database import opened
from m26.store.drain import Drain
from m26.store.load import Loader
from m26.upstream.profile import Profile
from m26.wake import Wake

from .wire import T0, auction, body, page

RULES = Profile.load("madden26").card


@dataclass
class Draining:
    drain: Drain
    journal: Journal
    status: Status
    metrics: Metrics
    wake: Wake
    database: asyncpg.Connection[Any]
    start: Callable[[], None]
    """Begins to store; called already, unless asked otherwise."""
    failure: M26Error | None = None
    """What ended storing."""

    def append(self, *numbers: int) -> None:
        for number in numbers:
            self.journal.append(page(body(auction(number), at=T0 + number)))
        self.wake.set()

    async def count(self) -> int:
        return int(await self.database.fetchval("SELECT count(*) FROM m26.auction_event"))

    async def until(self, condition: Callable[[], bool]) -> None:
        with anyio.fail_after(20):
            while not condition():
                await anyio.sleep(0.01)


@asynccontextmanager
async def draining(
    dsn: str,
    folder: Path,
    *,
    normalizer: Callable[[], Normalizer] = lambda: Normalizer(RULES),
    at_once: bool = True,
    silence: float = 3,
    keep_bytes: int = 1 << 30,
) -> AsyncIterator[Draining]:
    status, metrics, wake = Status(), Metrics(), Wake()
    async with AsyncExitStack() as stack:
        journal = stack.enter_context(
            closing(Journal.open(folder, keep_bytes=keep_bytes, reserve_bytes=0))
        )
        store = await stack.enter_async_context(opened(dsn))
        await store.migrate()
        drain = Drain(
            journal,
            store,
            loader=lambda: Loader.of_journal(store, journal, normalizer()),
            wake=wake,
            committed=lambda: None,
            telemetry=Telemetry(status, metrics),
            silence=silence,
        )
        await drain.open()
        connection = await asyncpg.connect(dsn)
        stack.push_async_callback(connection.close)
        async with anyio.create_task_group() as group:

            async def run() -> None:
                try:
                    await drain.run()
                except M26Error as error:
                    made.failure = error

            made = Draining(
                drain, journal, status, metrics, wake, connection, lambda: group.start_soon(run)
            )
            if at_once:
                made.start()
            yield made
            drain.finish()
