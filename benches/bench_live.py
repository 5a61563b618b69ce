"""The live path: replies into the real journal, drain and relay; events out of the Redis stream."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
from anyio.from_thread import BlockingPortal
from benches import figures
from benches.figures import Figure, quantile
from benches.live import Line, line
from benches.pages import KNOWN_CARDS, PER_PAGE, Market, page
from pytest_benchmark.fixture import BenchmarkFixture

from m26.embedded.valkey import Valkey

T = TypeVar("T")

PAGES_PER_SECOND = 10


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
    pace = f"{PAGES_PER_SECOND} pages a second"
    what = "reply received to its last event in the stream"
    figures.note(
        benchmark,
        title=f"Latency at {pace}",
        note=f"{pages} pages of {PER_PAGE} fresh auctions: journaled, committed, published and "
        "read by a consumer in the same process.",
        figures=[
            Figure(f"{what}, median", 1e3 * quantile(seconds, 0.5), "ms"),
            Figure(
                f"{what}, p99",
                1e3 * quantile(seconds, 0.99),
                "ms",
                at_most=200,
                id="P4",
                against=pace,
            ),
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
        part="P4",
        title="Sustained rate, end to end",
        note=f"{pages} pages of {PER_PAGE} fresh auctions as fast as the journal takes them, until "
        "the consumer has read the last event; one process for all of it.",
        figures=[
            Figure("auctions a second", rate, "", at_least=1_000),
            Figure("auctions a day at that rate", rate * 86_400, "", at_least=100_000),
        ],
    )
