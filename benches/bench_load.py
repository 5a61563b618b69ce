"""Load: reply bodies in, rows committed in a PostgreSQL that waits for its disk out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from anyio.from_thread import BlockingPortal
from benches import fields, race
from benches.fields import AUCTIONS, HISTORY, MSGSPEC, OURS, Base, Field
from benches.pages import BATCH, PER_PAGE, START, records
from benches.race import Bar, Race
from pytest_benchmark.fixture import BenchmarkFixture

from m26.embedded.postgres import Postgres
from m26.models import Record

NOTE = (
    f"{BATCH} pages of {PER_PAGE} a transaction, fsync on, a database for each, all cards in it. "
    "The merge is m26's own SQL for all; the usual way writes the current state alone. At the end "
    "the databases are compared."
)


@pytest.fixture(scope="module")
def base(portal: BlockingPortal, postgres: Postgres) -> Iterator[Base]:
    made = Base.filled(portal, postgres)
    yield made
    made.drop(fields.BASE)


@pytest.fixture
def field(base: Base) -> Iterator[Field]:
    with fields.everybody(base) as entered:
        yield entered


@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit", "full_page_writes"])
def test_the_server_waits_for_its_disk(
    portal: BlockingPortal, postgres: Postgres, setting: str
) -> None:
    assert portal.call(fields.row, postgres.dsn, f"SHOW {setting}") == ("on",)


def test_load_fresh_auctions(
    benchmark: BenchmarkFixture, base: Base, field: Field, gate_rounds: int
) -> None:
    def work(number: int) -> list[Record]:
        bodies = base.market.batch(at=START + HISTORY + number)
        return records(bodies, start=base.pos + number * BATCH)

    race.run(
        benchmark,
        Race(
            title="Load: fresh auctions",
            note=NOTE,
            ours=OURS,
            bars=[Bar("load", OURS, MSGSPEC, at_least=1.0, tolerance=0.1)],
        ),
        field.contenders,
        rounds=gate_rounds,
        work=work,
        auctions=AUCTIONS,
    )
    field.check(auctions=base.auctions + (race.WARM_UP + gate_rounds) * AUCTIONS)
    race.hold(benchmark)


def test_load_unchanged_auctions(
    benchmark: BenchmarkFixture, base: Base, field: Field, rounds: int
) -> None:
    first = START + HISTORY
    lots = base.market.lots(AUCTIONS, at=first)

    def work(number: int) -> list[Record]:
        bodies = base.market.pages(lots, at=first + 60 * number)
        return records(bodies, start=base.pos + number * BATCH)

    title = "Load: polled again a minute later, nothing changed"
    about = Race(title=title, note=NOTE, ours=OURS)
    race.run(benchmark, about, field.contenders, rounds=rounds, work=work, auctions=AUCTIONS)
    field.check(auctions=base.auctions + AUCTIONS)
