"""docs/BACKUP.md, carried out by operators whose machines die; the simulator's ledger judges."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.docs.pages import DOCS, Block, blocks
from tests.docs.shell import Reader
from tests.oracle import reading, trial
from tests.oracle.order import judge_order
from tests.oracle.verdict import judge_stream
from tests.support.product import LIVELY, Home
from tests.support.simulator import Simulator, simulator

PAGE = DOCS / "BACKUP.md"


def told(heading: str) -> list[Block]:
    """The commands under a heading."""
    return [b for b in blocks(PAGE) if (b.heading, b.language) == (heading, "bash")]


DUMP, KEEP = told("Back up")
UNPACK, LOAD, GO_ON = told("Restore on another machine")
(RENAME,) = told("When only the home is lost")


@dataclass(slots=True)
class Machine:
    """A machine on which m26 is installed, with an account of the simulator linked."""

    operator: Reader
    home: Home
    sim: Simulator

    def follow(self, *told: Block) -> str:
        """Carry out blocks of the page; what the last one printed."""
        for block in told:
            self.operator.follow(block)
        return self.operator.output

    @property
    def next_request(self) -> int:
        """Number of the request that comes next."""
        return reading.first_request(self.sim.folder / "ledger.db")

    def judge(self, gone: range, *, rivals: bool = False) -> None:
        """All that was served is stored and published, once, but for what is gone."""
        history, _ = asyncio.run(trial.stores(self.home))
        served = reading.observations(self.sim.folder / "ledger.db")
        assert max(seen.request for seen in served) > gone.stop, "it did not go on"
        trial.require(judge_order(served, history, gone=gone, rivals=rivals), judge_stream(history))


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[Simulator]:
    with simulator(tmp_path / "world" / "sim", "--speed", "288") as running:
        yield running


def machine(folder: Path, sim: Simulator, *, linked: bool = True, **servers: str) -> Machine:
    operator = Reader(folder)
    operator.environment["PATH"] = f"{operator.checkout / '.venv/bin'}:/usr/bin:/bin"
    home = Home(operator.home, {key.replace("__", "."): value for key, value in servers.items()})
    made = Machine(operator, home, sim)
    if linked:
        operator.home.mkdir(mode=0o700, parents=True)
        (operator.home / "config.toml").write_text(settings(sim, servers))
        home.m26("auth", "import", str(sim.folder / "capture.har"))
    return made


def settings(sim: Simulator, servers: dict[str, str]) -> str:
    given = {
        "upstream.oauth_url": f'"{sim.url}"',
        "upstream.base_url": f'"{sim.url}"',
        "web.port": 0,
        **LIVELY,
        **{key.replace("__", "."): f'"{value}"' for key, value in servers.items()},
    }
    return "\n".join(['profile = "sim"', *(f"{key} = {value}" for key, value in given.items())])


def carried_over(old: Machine, new: Machine) -> None:
    for name in ("m26-backup", "m26-vault.key"):
        shutil.move(old.operator.checkout / name, new.operator.checkout / name)


def test_a_machine_dies_and_another_one_goes_on_from_the_backup(
    tmp_path: Path, sim: Simulator
) -> None:
    old = machine(tmp_path / "old", sim)
    with old.home.running() as run:
        run.grow(30)
        since = old.next_request
        old.follow(DUMP, KEEP)
        run.grow(10)
    old.home.m26("embedded", "stop")
    new = machine(tmp_path / "new", sim, linked=False)
    carried_over(old, new)
    shutil.rmtree(old.home.path)
    gone = range(since, new.next_request)

    assert "store.other_writer" in new.follow(UNPACK, LOAD, GO_ON)
    new.judge(gone)


@pytest.mark.soak  # of each step another test is part of every run
def test_a_database_is_set_back_to_its_dump_and_the_journal_has_the_rest(
    tmp_path: Path, sim: Simulator
) -> None:
    one = machine(tmp_path / "one", sim)
    with one.home.running() as run:
        run.grow(30)
        one.follow(DUMP)
        run.grow(10)
    one.home.m26("embedded", "stop")
    for name in ("postgres", "valkey"):
        shutil.rmtree(one.home.path / name)
    upto = one.next_request

    one.follow(LOAD, GO_ON)
    one.judge(range(upto, upto))


def test_a_home_that_is_older_than_its_database_goes_on_under_another_name(
    tmp_path: Path, sim: Simulator, database: str, redis_url: str
) -> None:
    one = machine(tmp_path / "one", sim, postgres__dsn=database, redis__url=redis_url)
    with one.home.running() as run:
        run.grow(30)
        one.follow(KEEP)
        kept = one.next_request
        run.until(lambda: one.next_request > kept + 5)  # what the copy does not have
        run.until(lambda: run.status["journal"]["backlog"] == 0)
    shutil.rmtree(one.home.path)
    upto = one.next_request

    assert "another copy of this journal writes here" in one.follow(UNPACK, RENAME)
    # What was received last may have been stored nowhere; and a journal of another name is another
    # home's: of two states of one second nobody knows which of them was the later one.
    one.judge(range(upto - 3, upto), rivals=True)
