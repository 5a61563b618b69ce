"""CPU of the live path: pages at a steady pace, and from many streams in place of one."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median

import anyio
from anyio.from_thread import BlockingPortal
from benches import bars, figures
from benches.bars import TIMES
from benches.bench_live import PAGES_PER_SECOND
from benches.figures import Figure
from benches.live import Line, line
from benches.pages import KNOWN_CARDS, PER_PAGE, PLATFORM, Market, page
from benches.usage import Cpu
from pytest_benchmark.fixture import BenchmarkFixture

from m26.embedded.postgres import Postgres
from m26.embedded.valkey import Valkey

STREAMS = 10
Way = Callable[[Line, Sequence[bytes]], Awaitable[None]]


async def paced(place: Line, bodies: Sequence[bytes]) -> None:
    """Hand pages over at their due times."""
    start = time.monotonic()
    for number, body in enumerate(bodies):
        await anyio.sleep(max(0.0, start + number / PAGES_PER_SECOND - time.monotonic()))
        await place.keeper.keep(page(body, int(time.time() * 1e6)))


async def streamed(streams: int, place: Line, bodies: Sequence[bytes]) -> None:
    """Hand pages over as fast as they are taken, a share of them by each of so many streams."""

    async def one(number: int) -> None:
        platform = f"{PLATFORM}{number}"
        for body in bodies[number::streams]:
            await place.keeper.keep(page(body, platform=platform))

    async with anyio.create_task_group() as group:
        for number in range(streams):
            group.start_soon(one, number)


async def used(
    ways: Sequence[Way],
    *,
    server: Postgres,
    folder: Path,
    dsn: str,
    redis_url: str,
    pages: int,
    rounds: int,
    warm_up: int = 0,
) -> list[list[Cpu]]:
    """CPU of each way in each round, from the first page handed over to the last one published.

    All cards are stored before, and every round has fresh auctions.
    """
    market, now = Market(), int(time.time())
    rng, events = random.Random(rounds), count(KNOWN_CARDS, pages * PER_PAGE)
    taken: list[list[Cpu]] = [[] for _ in ways]
    async with line(folder, dsn, redis_url) as place:
        await streamed(1, place, market.catalogue(at=now))
        await place.published(next(events))
        for number in range(warm_up + rounds):
            for which in rng.sample(range(len(ways)), len(ways)):
                bodies = market.batch(at=now, pages=pages)
                before = Cpu.now(server)
                await ways[which](place, bodies)
                await place.published(next(events))
                if number >= warm_up:
                    taken[which].append(Cpu.now(server).since(before))
    return taken


def test_cpu_of_an_auction_at_a_steady_pace(
    benchmark: BenchmarkFixture,
    portal: BlockingPortal,
    postgres: Postgres,
    database: str,
    valkey: Valkey,
    tmp_path: Path,
    smoke: bool,
) -> None:
    pages = 20 if smoke else 100
    measure = partial(
        used,
        [paced],
        server=postgres,
        folder=tmp_path / "journal",
        dsn=database,
        redis_url=valkey.url,
        pages=pages,
        rounds=1,
    )
    [[cpu]] = benchmark.pedantic(portal.call, args=(measure,), rounds=1)
    own, theirs = (1e6 * seconds / pages / PER_PAGE for seconds in (cpu.own, cpu.postgres))
    busy = cpu.total * PAGES_PER_SECOND / pages
    figures.note(
        benchmark,
        part="P4",
        title=f"CPU at {PAGES_PER_SECOND} pages a second",
        note=f"{pages} pages of {PER_PAGE} fresh auctions, one at a time: journaled, committed, "
        "published; nobody reads the stream. User and system time of the processes.",
        figures=[
            Figure("m26, of an auction", own, "us"),
            Figure("PostgreSQL, of an auction", theirs, "us"),
            Figure("both, share of one core", 100 * busy, "%"),
        ],
    )
    assert cpu.own > 0


def test_many_streams_cost_what_one_costs(
    benchmark: BenchmarkFixture,
    portal: BlockingPortal,
    postgres: Postgres,
    database: str,
    valkey: Valkey,
    tmp_path: Path,
    smoke: bool,
) -> None:
    pages, rounds = (40, 3) if smoke else (200, 5)
    measure = partial(
        used,
        [partial(streamed, 1), partial(streamed, STREAMS)],
        server=postgres,
        folder=tmp_path / "journal",
        dsn=database,
        redis_url=valkey.url,
        pages=pages,
        rounds=rounds,
        warm_up=1,
    )
    one, many = benchmark.pedantic(portal.call, args=(measure,), rounds=1)
    ratio = median(m.total / o.total for o, m in zip(one, many, strict=True))
    each = 1e6 / pages / PER_PAGE
    figures.note(
        benchmark,
        title=f"CPU of {STREAMS} concurrent streams",
        note=f"{pages} pages of {PER_PAGE} fresh auctions a round, as fast as the journal takes "
        f"them, handed over by one task or by {STREAMS}, each an account and a platform of its "
        f"own; until all are published. m26 and PostgreSQL, median of {rounds} rounds.",
        figures=[
            Figure("an auction, one stream", each * median(c.total for c in one), "us"),
            Figure(f"an auction, {STREAMS} streams", each * median(c.total for c in many), "us"),
            Figure(
                f"CPU of {STREAMS} concurrent streams",
                ratio,
                TIMES,
                at_most=1.1,
                id="P7",
                against="the same number of pages on one stream",
                tolerance=bars.CPU,
            ),
        ],
    )
