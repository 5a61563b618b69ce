"""The live path: replies into the real journal, drain and relay; events out of the Redis stream."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import TypeVar

import anyio
import orjson
import pytest
from anyio.from_thread import BlockingPortal
from benches import fields, figures
from benches.figures import Figure, quantile
from benches.pages import KNOWN_CARDS, PER_PAGE, RULES, Market, page
from pytest_benchmark.fixture import BenchmarkFixture
from redis.asyncio import Redis

from m26.collect.keep import Keeper
from m26.embedded.postgres import Postgres
from m26.embedded.valkey import Valkey
from m26.journal import Journal
from m26.metrics import Metrics
from m26.normalize import Normalizer
from m26.publish.client import connect
from m26.publish.relay import STREAM, Relay
from m26.status import Status
from m26.store.database import opened
from m26.store.drain import Drain
from m26.wake import Wake

T = TypeVar("T")

PAGES_PER_SECOND = 10
_PATIENCE = 60.0
"""Seconds without a new event after which a run has failed."""
_numbers = count(1)


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
            with anyio.fail_after(_PATIENCE):
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


@asynccontextmanager
async def line(folder: Path, dsn: str, redis_url: str) -> AsyncIterator[Line]:
    """The stages as `m26.app` connects them, running."""
    status, metrics = Status(), Metrics()
    journaled, committed = Wake(), Wake()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened(dsn))
        await store.migrate()
        journal = Journal.open(folder, keep_bytes=2 << 30)
        stack.callback(journal.close)
        redis, consumer = connect(redis_url), connect(redis_url, timeout=_PATIENCE)
        stack.push_async_callback(redis.aclose)
        stack.push_async_callback(consumer.aclose)
        await redis.flushall()
        drain = Drain(
            journal,
            store,
            normalizer=lambda: Normalizer(RULES),
            wake=journaled,
            committed=committed.set,
            status=status,
            metrics=metrics,
        )
        await drain.open()
        relay = Relay(
            redis, store, maxlen=10_000_000, wake=committed, status=status, metrics=metrics
        )
        keeper = Keeper(
            journal, blocked=lambda: drain.blocked, wake=journaled, status=status, metrics=metrics
        )
        group = await stack.enter_async_context(anyio.create_task_group())
        group.start_soon(drain.run)
        group.start_soon(relay.run)
        yield Line(keeper, Reader(consumer))
        group.cancel_scope.cancel()


@pytest.fixture
def database(portal: BlockingPortal, postgres: Postgres) -> Iterator[str]:
    name = f"live_{next(_numbers)}"
    portal.call(fields.execute, postgres.dsn, f"CREATE DATABASE {name}")
    yield postgres.dsn_of(name)
    portal.call(fields.execute, postgres.dsn, f"DROP DATABASE {name} WITH (FORCE)")


async def paced(place: Line, bodies: Sequence[bytes]) -> list[float]:
    """Hand pages over at their due times; seconds from reception to the last event of each."""
    received: list[float] = []
    before = len(place.reader.seen)
    async with anyio.create_task_group() as group:
        group.start_soon(place.reader.read, before + len(bodies) * PER_PAGE)
        start = time.monotonic()
        for number, body in enumerate(bodies):
            await anyio.sleep(max(0.0, start + number / PAGES_PER_SECOND - time.monotonic()))
            received.append(time.monotonic())
            await place.keeper.keep(page(body, int(time.time() * 1e6)))
    last_events = place.reader.seen[before + PER_PAGE - 1 :: PER_PAGE]
    return [seen - at for (_, seen), at in zip(last_events, received, strict=True)]


async def flooded(place: Line, bodies: Sequence[bytes]) -> float:
    """Hand pages over as fast as the journal takes them; seconds until the last event."""
    start = time.monotonic()
    async with anyio.create_task_group() as group:
        events = len(place.reader.seen) + len(bodies) * PER_PAGE
        group.start_soon(place.reader.read, events)
        for body in bodies:
            await place.keeper.keep(page(body))
    return place.reader.seen[-1][1] - start


async def run(
    work: Callable[[Line, Sequence[bytes]], Awaitable[T]],
    *,
    folder: Path,
    dsn: str,
    redis_url: str,
    pages: int,
) -> T:
    """The result of `work` on fresh pages, after all cards were stored; events are checked."""
    market, now = Market(), int(time.time())
    catalogue = market.catalogue(at=now)
    async with line(folder, dsn, redis_url) as place:
        await flooded(place, catalogue)
        result = await work(place, market.batch(at=now, pages=pages))
        seen = [auction_id for auction_id, _ in place.reader.seen]
    assert seen == list(range(1, KNOWN_CARDS + pages * PER_PAGE + 1))  # in journal order
    return result


def test_latency_from_reply_to_stream(
    benchmark: BenchmarkFixture,
    portal: BlockingPortal,
    database: str,
    valkey: Valkey,
    tmp_path: Path,
    smoke: bool,
) -> None:
    pages = 30 if smoke else 300
    work = partial(
        run, paced, folder=tmp_path / "journal", dsn=database, redis_url=valkey.url, pages=pages
    )
    seconds = benchmark.pedantic(portal.call, args=(work,), rounds=1)
    what = "reply received to its last event in the stream"
    figures.note(
        benchmark,
        title=f"Latency at {PAGES_PER_SECOND} pages a second",
        note=f"{pages} pages of {PER_PAGE} fresh auctions: journaled, committed, published and "
        "read by a consumer in the same process.",
        figures=[
            Figure(f"{what}, median", 1e3 * quantile(seconds, 0.5), "ms"),
            Figure(f"{what}, p99", 1e3 * quantile(seconds, 0.99), "ms", at_most=200),
        ],
    )


def test_sustained_rate_from_reply_to_stream(
    benchmark: BenchmarkFixture,
    portal: BlockingPortal,
    database: str,
    valkey: Valkey,
    tmp_path: Path,
    smoke: bool,
) -> None:
    pages = 40 if smoke else 300
    work = partial(
        run, flooded, folder=tmp_path / "journal", dsn=database, redis_url=valkey.url, pages=pages
    )
    rate = pages * PER_PAGE / benchmark.pedantic(portal.call, args=(work,), rounds=1)
    figures.note(
        benchmark,
        title="Sustained rate, end to end",
        note=f"{pages} pages of {PER_PAGE} fresh auctions as fast as the journal takes them, until "
        "the consumer has read the last event; one process for all of it.",
        figures=[
            Figure("auctions a second", rate, "", at_least=1_000),
            Figure("auctions a day at that rate", rate * 86_400, "", at_least=100_000),
        ],
    )
