"""History: whether a batch costs the same after a long time, and a new process starts as fast."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal
from benches import bars, databases, figures, history, ours, race
from benches.drained import Drained, drained
from benches.figures import Figure
from benches.live import journal_in
from benches.pages import BATCH, PER_PAGE, START, Market, page, records
from benches.race import Against, Contender, Race
from benches.stores import PART
from pytest_benchmark.fixture import BenchmarkFixture

from m26.embedded.postgres import Postgres
from m26.models import Record
from m26.store.batch import Stored
from m26.store.database import opened
from m26.store.load import Loader

AUCTIONS = BATCH * PER_PAGE
SHORT = 100_000
HOUR = 3_600


@dataclass(slots=True)
class Place:
    """A database of some age, and the loader that stores into it."""

    label: str
    dsn: str
    store: Callable[[Sequence[Record]], Stored]
    pos: int

    def load(self, bodies: Sequence[bytes]) -> Stored:
        """Store the next batch."""
        stored = self.store(records(bodies, start=self.pos))
        self.pos = stored.pos
        return stored


@pytest.fixture(scope="module")
def market() -> Market:
    return Market(first_id=2 * history.FIRST_ID)


@pytest.fixture(scope="module")
def places(
    portal: BlockingPortal, postgres: Postgres, market: Market, smoke: bool
) -> Iterator[list[Place]]:
    """The long history first."""
    with ExitStack() as stack:
        portal.call(databases.set_fsync, postgres, "off")
        entered = []
        for auctions in (3 * SHORT if smoke else 100 * SHORT, SHORT):
            name = f"history_{auctions}"
            make = partial(history.made, postgres, name, auctions=auctions)
            dsn, pos = portal.call(make)
            opening = portal.wrap_async_context_manager(opened(dsn))
            normalizer = portal.call(ours.loading, market.catalogue())
            loader = Loader(stack.enter_context(opening), normalizer)
            store = partial(portal.call, loader.store, PART)
            entered.append(Place(f"at {auctions:,} auctions", dsn, store, pos))
        os.sync()
        portal.call(databases.set_fsync, postgres, "on")
        yield entered


def raced(
    benchmark: BenchmarkFixture,
    places: list[Place],
    *,
    what: str,
    work: Callable[[int], Sequence[bytes]],
    new: bool,
    rounds: int,
) -> None:
    """Race the same batches into both databases."""
    long, short = places

    def check(_: Sequence[bytes], stored: Stored) -> None:
        assert (stored.new, stored.unchanged) == ((AUCTIONS, 0) if new else (0, AUCTIONS))

    against = Against(id="P9", peer=short.label, at_most=1.3, tolerance=bars.HISTORY)
    race.run(
        benchmark,
        Race(
            part="P9",
            title=f"A batch of {what} on a long history",
            note=f"{BATCH} pages of {PER_PAGE} auctions a transaction. As many auctions as the "
            f"label says, and an event for each, are in the database; {history.ALIVE:,} of them "
            "are alive at the most.",
            ours=long.label,
            bars=[against],
        ),
        [Contender(place.label, place.load, check) for place in places],
        rounds=rounds,
        work=work,
        auctions=AUCTIONS,
    )


def test_a_fresh_batch_on_a_long_history(
    benchmark: BenchmarkFixture, places: list[Place], market: Market, rounds: int
) -> None:
    def work(number: int) -> list[bytes]:
        return market.batch(at=START + number)

    raced(benchmark, places, what="fresh auctions", work=work, new=True, rounds=rounds)


def test_an_unchanged_batch_on_a_long_history(
    benchmark: BenchmarkFixture, places: list[Place], market: Market, rounds: int
) -> None:
    first = START + HOUR
    lots = market.lots(AUCTIONS, at=first)
    for place in places:
        place.load(list(market.pages(lots, at=first)))

    def work(number: int) -> list[bytes]:
        return list(market.pages(lots, at=first + 60 * (1 + number)))

    raced(benchmark, places, what="unchanged auctions", work=work, new=False, rounds=rounds)


def test_a_new_process_on_a_long_history(
    benchmark: BenchmarkFixture, places: list[Place], market: Market, tmp_path: Path
) -> None:
    first = START + 2 * HOUR
    lots = market.lots(AUCTIONS, at=first)
    for place in places:
        place.load(list(market.pages(lots, at=first)))
        with journal_in(tmp_path / place.label) as journal:
            for body in market.pages(lots, at=first + 60):
                journal.append(page(body))

    def start() -> list[Drained]:
        return [drained(tmp_path / place.label, place.dsn) for place in places]

    starts: list[Drained] = benchmark.pedantic(start, rounds=1)
    figures.note(
        benchmark,
        part="P9",
        title="A new process on a long history",
        note=f"A process that knows nothing stores {BATCH} pages of {PER_PAGE} auctions which the "
        "database holds already: it reads back the state of these alone. From the start of the "
        "interpreter to the commit.",
        figures=[
            figure
            for place, made in zip(places, starts, strict=True)
            for figure in (
                Figure(f"to the first commit, {place.label}", made.first_seconds, "s"),
                Figure(f"largest resident size, {place.label}", made.peak / 1e6, "MB"),
            )
        ],
    )
    assert [made.pos >= BATCH for made in starts] == [True, True]
