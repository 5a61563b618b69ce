"""The live path as `m26.app.run` connects it: received pages in, a Redis stream out.

Real journal, drain, relay, PostgreSQL and Valkey; nothing asks the upstream.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import orjson
from benches.pages import RULES
from redis.asyncio import Redis

from m26.collect.keep import Keeper
from m26.journal import Journal
from m26.normalizer import Normalizer
from m26.publish.client import connect
from m26.publish.relay import STREAM, Relay
from m26.status.telemetry import Telemetry
from m26.store.database import Store, opened
from m26.store.drain import Drain
from m26.store.load import Loader
from m26.wake import Wake

PATIENCE = 60.0
"""Seconds without a new event after which a run has failed."""


@dataclass(slots=True)
class Reader:
    """A consumer of the stream: when it saw how many events."""

    redis: Redis
    seen: list[tuple[int, float]] = field(default_factory=list)
    """(auction id, monotonic seconds) of each event, in order."""
    last: str = "0-0"

    async def read(self, events: int) -> None:
        """Return when `events` have come since the beginning."""
        while len(self.seen) < events:
            with anyio.fail_after(PATIENCE):
                answer = await self.redis.xread({STREAM: self.last}, count=1_000, block=1_000)
            now = time.monotonic()
            for _, entries in answer:
                self.seen += [(orjson.loads(e["data"])["auction_id"], now) for _, e in entries]
                self.last = entries[-1][0]


@dataclass(frozen=True, slots=True)
class Line:
    """The stages of a run from a received page on, without what asks the upstream."""

    keeper: Keeper
    reader: Reader

    async def published(self, events: int) -> None:
        """Return when the stream holds `events`; nobody reads them."""
        with anyio.fail_after(PATIENCE):
            while await self.reader.redis.xlen(STREAM) < events:
                await anyio.sleep(0.01)


@asynccontextmanager
async def line(folder: Path, dsn: str, redis_url: str) -> AsyncIterator[Line]:
    """The stages, running."""
    telemetry = Telemetry()
    journaled, committed = Wake(), Wake()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened(dsn))
        await store.migrate()
        journal = stack.enter_context(journal_in(folder))
        redis, consumer = connect(redis_url), connect(redis_url, timeout=PATIENCE)
        stack.push_async_callback(redis.aclose)
        stack.push_async_callback(consumer.aclose)
        await redis.flushall()
        drain = drain_of(journal, store, wake=journaled, committed=committed.set)
        await drain.open()
        relay = Relay(redis, store, maxlen=10_000_000, wake=committed, telemetry=telemetry)
        keeper = Keeper(journal, blocked=lambda: drain.blocked, wake=journaled, telemetry=telemetry)
        group = await stack.enter_async_context(anyio.create_task_group())
        group.start_soon(drain.run)
        group.start_soon(relay.run)
        yield Line(keeper, Reader(consumer))
        group.cancel_scope.cancel()


def journal_in(folder: Path) -> closing[Journal]:
    """The journal of a benchmark, to be closed."""
    return closing(Journal.open(folder, keep_bytes=2 << 30))


def drain_of(journal: Journal, store: Store, *, wake: Wake, committed: Callable[[], None]) -> Drain:
    """What stores the pages of `journal`; it knows no card."""
    return Drain(
        journal,
        store,
        loader=lambda: Loader.of_journal(store, journal, Normalizer(RULES)),
        wake=wake,
        committed=committed,
        telemetry=Telemetry(),
    )
