"""Load: reply bodies in, rows committed in a PostgreSQL that waits for its disk out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from anyio.from_thread import BlockingPortal
from benches import bars, databases, fields, race
from benches.fields import (
    ARROW,
    DIRECT_LIMIT,
    HISTORY,
    MSGSPEC,
    OURS,
    OURS_FRESH,
    OURS_UNTOLD,
    USUAL,
    Base,
    Field,
    Round,
)
from benches.pages import BATCH, PER_PAGE, START, Market, stream
from benches.race import Against, Race
from benches.stores import Tally
from pytest_benchmark.fixture import BenchmarkFixture

from m26.embedded.postgres import Postgres

FIRST = START + HISTORY
"""Server time of the first round, seconds since 1970."""
against = partial(Against, tolerance=bars.LOAD)
against_rivalled = partial(Against, at_least=1.0, tolerance=bars.RIVAL)


@pytest.fixture(scope="module")
def base(portal: BlockingPortal, postgres: Postgres) -> Base:
    return Base.filled(portal, postgres)


@pytest.fixture
def field(base: Base) -> Iterator[Field]:
    with fields.field_of(base) as entered:
        yield entered


@pytest.fixture(scope="session")
def rounds(smoke: bool) -> int:
    """Counted rounds of a race; fewer than elsewhere in smoke, since each takes its time."""
    return 3 if smoke else 11


@pytest.fixture(scope="session")
def pages(smoke: bool) -> int:
    """Pages of a round."""
    return (2 if smoke else 8) * BATCH


@pytest.fixture(scope="session")
def note(pages: int) -> str:
    return (
        f"{pages // BATCH} transactions of {BATCH} pages of {PER_PAGE} auctions a round, one after "
        "the other, fsync on, a database for each, all cards in it. The usual way writes the "
        "current state alone. At the end the databases are compared."
    )


def fresh(base: Base, pages: int) -> Callable[[int], Round]:
    """Rounds of auctions nobody has seen."""

    def work(number: int) -> Round:
        bodies = base.market.batch(at=FIRST + number, pages=pages)
        batches = stream(bodies, start=base.pos + number * pages)
        return Round(batches, Tally(new=pages * PER_PAGE), fresh=batches)

    return work


def polled(base: Base, pages: int, *, bids: float) -> Callable[[int], Round]:
    """Rounds that show the same auctions once a minute, a share `bids` of them with a new bid."""
    auctions = pages * PER_PAGE
    lots = base.market.lots(auctions, at=FIRST)
    others = fresh(base, pages)

    def work(number: int) -> Round:
        nonlocal lots
        if number:
            lots = base.market.bid(lots, share=bids)
        bodies = list(base.market.pages(lots, at=FIRST + 60 * number))
        changed = round(auctions * bids)
        tally = Tally(0, changed, auctions - changed) if number else Tally(new=auctions)
        batches = stream(bodies, start=base.pos + number * pages)
        return Round(batches, tally, fresh=others(number).batches)

    return work


@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit", "full_page_writes"])
def test_the_server_waits_for_its_disk(
    portal: BlockingPortal, postgres: Postgres, setting: str
) -> None:
    assert portal.call(databases.row, postgres.dsn, f"SHOW {setting}") == ("on",)


def test_load_fresh_auctions(
    benchmark: BenchmarkFixture,
    base: Base,
    field: Field,
    rounds: int,
    smoke: bool,
    pages: int,
    note: str,
) -> None:
    field.add_ours()
    field.add_ours_untold()
    field.add_msgspec()
    field.add_usual()
    field.add_direct_limit()
    if not smoke:
        field.add_arrow()
        field.add_arrow(ahead=True)
        field.add_orjson()
        field.add_merge_limit()
    race.run(
        benchmark,
        Race(
            part="P2",
            title="Load: fresh auctions",
            note=note,
            ours=OURS,
            bars=[
                against(id="P2", peer=MSGSPEC, at_least=4.0),
                against(id="P2", peer=ARROW, at_least=1.5),
                against(id="P2", peer=USUAL, at_least=10.0),
                against(id="P2", peer=DIRECT_LIMIT, at_least=0.85),
                against(id="P2", peer=OURS_UNTOLD, at_most=1.1),
            ],
        ),
        field.start(),
        rounds=rounds,
        work=fresh(base, pages),
        auctions=pages * PER_PAGE,
    )
    field.check(auctions=base.auctions + (race.WARM_UP + rounds) * pages * PER_PAGE)


def test_load_unchanged_auctions(
    benchmark: BenchmarkFixture,
    base: Base,
    field: Field,
    rounds: int,
    smoke: bool,
    pages: int,
    note: str,
) -> None:
    field.add_ours()
    field.add_ours(OURS_FRESH, fresh=True)
    field.add_ours_untold()
    field.add_msgspec()
    if not smoke:
        field.add_direct_limit()
        field.add_arrow()
        field.add_arrow(ahead=True)
        field.add_orjson()
        field.add_usual()
        field.add_merge_limit()
    race.run(
        benchmark,
        Race(
            part="P3",
            title="Load: polled again a minute later, nothing changed",
            note=note,
            ours=OURS,
            bars=[
                against(id="P3", peer=MSGSPEC, at_least=12.0),
                against(id="P3", peer=OURS_FRESH, at_least=3.0),
                against(id="P3", peer=OURS_UNTOLD, at_most=1.1),
            ],
        ),
        field.start(),
        rounds=rounds,
        work=polled(base, pages, bids=0),
        auctions=pages * PER_PAGE,
    )
    field.check(auctions=base.auctions + pages * PER_PAGE)


def test_load_some_auctions_changed(
    benchmark: BenchmarkFixture,
    base: Base,
    field: Field,
    rounds: int,
    smoke: bool,
    pages: int,
    note: str,
) -> None:
    field.add_ours()
    field.add_ours(OURS_FRESH, fresh=True)
    field.add_msgspec()
    if not smoke:
        field.add_arrow()
    race.run(
        benchmark,
        Race(
            part="P3",
            title="Load: polled again, 10 % of the auctions have a new bid",
            note=note,
            ours=OURS,
            bars=[against(id="P3", peer=OURS_FRESH, at_least=2.0)],
        ),
        field.start(),
        rounds=rounds,
        work=polled(base, pages, bids=0.1),
        auctions=pages * PER_PAGE,
    )
    field.check(auctions=base.auctions + pages * PER_PAGE)


@pytest.mark.parametrize(("part", "what"), [("P2", "fresh auctions"), ("P3", "nothing changed")])
def test_load_beside_a_rival(
    benchmark: BenchmarkFixture,
    base: Base,
    field: Field,
    rounds: int,
    smoke: bool,
    part: str,
    what: str,
) -> None:
    rivals = Market(first_id=1_000_000_000)
    mine = fresh(base, BATCH) if part == "P2" else polled(base, BATCH, bids=0)

    def work(number: int) -> Round:
        bodies = rivals.batch(at=FIRST, pages=1)
        return mine(number)._replace(rival=stream(bodies, start=number))

    field.add_ours()
    field.add_msgspec()
    if not smoke:
        field.add_arrow()
    race.run(
        benchmark,
        Race(
            part=part,
            title=f"Load beside a rival: {what}",
            note="Another process stores into the same database: it commits a page before each "
            f"transaction of {BATCH} pages, which alone is timed. m26 has to read back the state "
            "of every auction, and has nothing to read ahead of.",
            ours=OURS,
            bars=[against_rivalled(id=part, peer=MSGSPEC)],
        ),
        field.start(),
        rounds=rounds,
        work=work,
        auctions=BATCH * PER_PAGE,
    )
    times = race.WARM_UP + rounds
    batches = times if part == "P2" else 1
    field.check(auctions=base.auctions + times * PER_PAGE + batches * BATCH * PER_PAGE)
