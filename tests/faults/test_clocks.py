"""Clocks that are wrong: what was served is stored in the order served, and asking goes on."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.oracle import reading, trial
from tests.oracle.order import judge_order
from tests.oracle.rules import Seen
from tests.support import product
from tests.support.product import Home, Run
from tests.support.simulator import Simulator, simulator
from tests.support.worldclock import WorldClock

HOUR = 3_600
_SPEED = 10.0
_SEARCH = "Mobile_SearchAuctions"
_MARKET = ("--size", "150", "--speed", "1440", "--activity", "1.3", "--visible", "43200")


@dataclass(frozen=True, slots=True)
class Trial:
    """A simulator and a home, each with a clock of its own."""

    sim: Simulator
    ours: WorldClock
    home: Home

    @contextmanager
    def running(self) -> Iterator[Run]:
        """m26 collects by its clock; at the end it stores what it has."""
        program = ("tests.faults.scaled", "run", str(self.ours.path))
        with self.home.running(program=program) as run:
            yield run
            assert run.end() == 0

    def answers(self) -> Counter[str]:
        """How requests to Process were answered."""
        with self.sim.ledger() as ledger:
            return Counter(r.answer for _, r in ledger.requests() if r.kind == "process")

    @property
    def refused(self) -> int:
        """Requests that were not near the server's clock."""
        return sum(n for answer, n in self.answers().items() if answer.startswith("violation"))

    def more(self, run: Run, count: int = 8) -> None:
        """Wait for so many more pages."""
        wanted = self.answers()["ok"] + count
        run.until(lambda: self.answers()["ok"] >= wanted, seconds=20)

    def hold(self) -> list[Seen]:
        """Nothing is lost, doubled or late; what was served."""
        served = reading.observations(self.sim.folder / "ledger.db")
        history, _ = asyncio.run(trial.stores(self.home))
        trial.require(judge_order(served, history, dated=False))
        return served

    def fetch(self, query: str) -> list[tuple[Any, ...]]:
        """What the database says."""

        async def ask() -> list[tuple[Any, ...]]:
            connection = await asyncpg.connect(str(self.home.settings["postgres.dsn"]))
            try:
                return [tuple(row) for row in await connection.fetch(query)]
            finally:
                await connection.close()

        return asyncio.run(ask())


@contextmanager
def clocks(folder: Path, database: str, redis_url: str, *, ahead: float = 0.0) -> Iterator[Trial]:
    """The server's clock is `ahead` of ours; both run fast, so that a pause is short."""
    now = time.time()
    ours = WorldClock(folder / "ours", base=now, speed=_SPEED)
    server = WorldClock(folder / "server", base=now + ahead, speed=_SPEED)
    settings = {"postgres__dsn": database, "redis__url": redis_url, "budget__per_minute": 120}
    with (
        simulator(folder / "sim", *_MARKET, "--clock", str(server.path)) as sim,
        product.client_of(sim, folder / "home", **settings) as home,
    ):
        yield Trial(sim, ours, home)


@pytest.fixture
def right(tmp_path: Path, database: str, redis_url: str) -> Iterator[Trial]:
    with clocks(tmp_path, database, redis_url) as made:
        yield made


def test_one_reply_that_is_an_hour_behind_stops_nothing_and_loses_nothing(right: Trial) -> None:
    with right.running() as run:
        right.more(run)
        right.sim.control(fault="clock_off", by=-HOUR, next=1, command=_SEARCH)
        right.more(run)
    assert right.refused == 0
    right.hold()


def test_one_page_that_is_minutes_ahead_makes_no_other_late(right: Trial) -> None:
    with right.running() as run:
        right.more(run)
        # an empty page, which a sweep ends with, is not stored: of two in a row one lists auctions
        right.sim.control(fault="clock_off", by=290, next=2, command=_SEARCH)
        right.more(run, 60)
    right.hold()
    ((latest,),) = right.fetch("SELECT max(observed_at) FROM m26.auction")
    assert latest.timestamp() < right.ours.time()
    told = right.fetch("SELECT path FROM m26.drift WHERE kind = 'clock'")
    assert ("responseData.responseTime",) in told


@pytest.mark.parametrize("ahead", [-HOUR, pytest.param(HOUR, marks=pytest.mark.soak)])
def test_times_are_the_servers_though_our_clock_is_an_hour_wrong(
    tmp_path: Path, database: str, redis_url: str, ahead: int
) -> None:
    side = "behind" if ahead > 0 else "ahead of"
    with clocks(tmp_path, database, redis_url, ahead=ahead) as made:
        with made.running() as run:
            made.more(run, 4)
            assert abs(run.status["clock_skew_seconds"] - ahead) < 30
            assert f"clock_skew: our clock is over 30 s {side} the server's" in run.reasons
        once = made.refused
        with made.running() as run:  # the next start knows it
            made.more(run, 4)
        assert made.refused == once <= 1
        served = {seen.at for seen in made.hold()}
        stored = made.fetch(
            "SELECT (extract(epoch FROM observed_at) * 1000000)::bigint FROM m26.auction_event"
        )
        assert {at for (at,) in stored} <= served


@pytest.mark.parametrize(
    "by", [-HOUR, *(pytest.param(by, marks=pytest.mark.soak) for by in (HOUR, -300, 300))]
)
@pytest.mark.parametrize("date", ["off", pytest.param("absent", marks=pytest.mark.soak)])
def test_a_server_whose_clock_is_set_for_good_loses_no_state(
    right: Trial, by: int, date: str
) -> None:
    with right.running() as run:
        right.more(run)
        if date == "off":
            right.sim.control(clock_off=by)  # of messages, too
        else:
            right.sim.control(fault="clock_off", by=by, date=date, after=0, command=_SEARCH)
        right.more(run, 20)
        assert abs(run.status["clock_skew_seconds"] - by) < 30
    right.hold()


@pytest.mark.soak
@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_our_clock_may_jump_while_replies_come(right: Trial, by: int) -> None:
    with right.running() as run:
        for step in (by, -by):
            right.more(run)
            right.ours.advance(step)
            right.more(run, 20)
        assert abs(run.status["clock_skew_seconds"]) < 30
    right.hold()
