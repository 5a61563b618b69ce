"""Memory: what a process that stores a large backlog holds at its peak."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from anyio.from_thread import BlockingPortal
from benches import bars, databases, figures
from benches.drained import Drained, drained
from benches.figures import Figure
from benches.live import journal_in
from benches.pages import BATCH, PER_PAGE, START, Market, page
from pytest_benchmark.fixture import BenchmarkFixture

from m26.store.database import opened

MB = 1_000_000


def fill(folder: Path, size: int) -> int:
    """A journal with `size` bytes of pages as received; the number of pages."""
    market, pages, taken = Market(), 0, 0
    with journal_in(folder) as journal:
        while taken < size:
            for body in market.batch(at=START + pages):
                journal.append(page(body))
                taken += len(body)
            pages += BATCH
    return pages


async def migrate(dsn: str) -> None:
    async with opened(dsn) as store:
        await store.migrate()


def test_memory_at_a_large_backlog(
    benchmark: BenchmarkFixture,
    portal: BlockingPortal,
    database: str,
    tmp_path: Path,
    smoke: bool,
) -> None:
    size = (50 if smoke else 1_000) * MB
    pages = fill(tmp_path / "journal", size)
    portal.call(migrate, database)
    run = partial(drained, tmp_path / "journal", database)
    made: Drained = benchmark.pedantic(run, rounds=1)
    rate = pages * PER_PAGE / (made.last_seconds - made.first_seconds)
    figures.note(
        benchmark,
        title=f"Memory at a backlog of {size // MB} MB",
        note=f"{pages} pages of {PER_PAGE} fresh auctions, {size // MB} MB as received, wait in a "
        "journal. A new process that has loaded all that `m26 run` loads stores them.",
        figures=[
            Figure(
                "largest resident size",
                made.peak / MB,
                "MB",
                at_most=200,
                id="P7",
                against=f"a backlog of {size // MB} MB",
                tolerance=bars.MEMORY,
            ),
            Figure("start of the process to the last commit", made.last_seconds, "s"),
            Figure("auctions a second behind the first batch", rate, ""),
        ],
    )
    count = "SELECT count(*) FROM m26.auction"
    assert made.pos >= pages
    assert portal.call(databases.row, database, count) == (pages * PER_PAGE,)
