"""The book of an account over clocks that are set, machines that are restarted, and kills."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.support.virtual import Clock

from m26.errors import StorageError
from m26.limits.book import Book, Durable, promised
from m26.limits.budget import Budget
from m26.limits.standing import Standing
from m26.upstream.profile import BudgetLimits
from m26.upstream.rules import RULES

pytestmark = pytest.mark.anyio
LIMITS = BudgetLimits(per_day=20, per_minute=6, burst=20)
HOUR, DAY = 3_600.0, 86_400.0


class Machine:
    """A clock that can be set, beside one that cannot."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.since_start = 1_000.0

    def steady(self) -> float:
        return self.since_start

    async def sleep(self, seconds: float) -> None:
        self.since_start += seconds
        await self.clock.sleep(seconds)

    def budget(self, path: Path, limits: BudgetLimits = LIMITS) -> Budget:
        return Budget(path, limits, clock=self.clock, sleep=self.sleep, steady=self.steady)


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "main.json"


def rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = orjson.loads(path.read_bytes())
    change(document)
    path.write_bytes(orjson.dumps(document))


JUMPS = (HOUR, -HOUR, DAY, -DAY, 10 * DAY)


@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("restart", [True, False])
async def test_a_clock_that_is_set_neither_unlocks_nor_locks_the_logins(
    path: Path, machine: Machine, jump: float, restart: bool
) -> None:
    budget = machine.budget(path)
    for _ in range(3):
        await budget.spend("login")  # the next one may come ten minutes after the first
    machine.clock.now += jump
    if restart:
        budget = machine.budget(path)
    began = machine.since_start
    await budget.spend("login")

    assert machine.since_start - began == pytest.approx(600 - 30, abs=1)


@pytest.mark.parametrize("jump", JUMPS)
async def test_a_clock_that_is_set_neither_unlocks_nor_locks_the_day(
    path: Path, machine: Machine, jump: float
) -> None:
    budget, times = machine.budget(path), []
    for number in range(60):
        if number == 10:
            machine.clock.now += jump
        await budget.spend("search")
        times.append(machine.since_start)

    for start in times:
        assert sum(start <= time < start + DAY - 2 for time in times) <= 20
    assert times[-1] - times[0] < 3 * DAY
    assert max(b - a for a, b in pairwise(times)) < DAY


@pytest.mark.parametrize("jump", JUMPS)
async def test_a_pause_lasts_as_long_as_it_should_though_the_clock_is_set(
    path: Path, machine: Machine, jump: float
) -> None:
    def standing() -> Standing:
        shared = Book(path, clock=machine.clock, steady=machine.steady)
        return Standing(shared, clock=machine.clock)

    await standing().step(RULES["duplicate_login"])
    machine.clock.now += jump
    again, began = standing(), machine.since_start
    while (pause := await again.paused()) is not None:
        await machine.sleep(min(60, max(0.001, pause.until - machine.clock.now)))

    assert machine.since_start - began == pytest.approx(900)


async def test_a_machine_that_starts_with_its_clock_back_waits_no_longer_for_that(
    path: Path, machine: Machine
) -> None:
    budget = machine.budget(path)
    for _ in range(3):
        await budget.spend("login")
    await Standing(budget.book, clock=machine.clock).step(RULES["duplicate_login"])
    machine.clock.now -= 400 * DAY
    machine.since_start = 5.0
    rewrite(path, lambda document: document["stamp"].update(start="of the day before"))
    budget = machine.budget(path)
    await budget.spend("login")

    assert 570 <= machine.since_start <= 905


async def test_a_pause_in_a_book_that_lies_is_no_longer_than_it_was_meant_to_be(
    path: Path, machine: Machine
) -> None:
    budget = machine.budget(path)
    await Standing(budget.book, clock=machine.clock).step(RULES["duplicate_login"])
    later = machine.clock.now + 400 * DAY
    rewrite(path, lambda document: document["entries"]["pause"].update(until=later))
    await budget.spend("search")

    assert machine.since_start == pytest.approx(1_900, abs=1)


async def test_what_was_done_for_a_failure_is_bounded_and_kept(
    path: Path, machine: Machine
) -> None:
    shared = Book(path, clock=machine.clock, steady=machine.steady)
    standing = Standing(shared, clock=machine.clock)
    for _ in range(100):
        await standing.step(RULES["unreachable"])
    await standing.step(RULES["edge_blocked"])
    taken = shared.look().taken
    assert len(taken["unreachable"]) < 20

    await Standing(shared, clock=machine.clock).succeeded()
    assert set(shared.look().taken) == {"edge_blocked"}


@pytest.fixture
def blocked(tmp_path: Path) -> Path:
    """A folder that is not empty cannot be replaced by a file."""
    (tmp_path / "folder.json" / "inside").mkdir(parents=True)
    return tmp_path / "folder.json"


async def test_a_book_that_cannot_be_written_lets_nothing_leave(blocked: Path) -> None:
    path, clock = blocked, Clock()
    with pytest.raises(StorageError):
        await Budget(path, LIMITS, clock=clock, sleep=clock.sleep).spend("search")


async def test_a_folder_that_cannot_be_made_lets_nothing_leave() -> None:
    clock = Clock()
    budget = Budget(Path(__file__) / "b.json", LIMITS, clock=clock, sleep=clock.sleep)
    with pytest.raises(StorageError):
        await budget.spend("search")


def test_the_machines_clock_has_a_steady_one_beside_it(path: Path) -> None:
    shared = Book(path)
    with shared.turn() as entries:
        entries.due = 5.0
        shared.save(entries)
    stamp = orjson.loads(path.read_bytes())["stamp"]
    assert stamp["start"]
    assert 0 < stamp["steady"] < stamp["at"]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.fixture
def on_disk() -> dict[str, int]:
    return {"records": 5}


async def test_each_request_writes_down_how_far_the_journal_was_on_disk(
    path: Path, on_disk: dict[str, int]
) -> None:
    def durable() -> Durable:
        return Durable("j", on_disk["records"])

    clock = Clock()
    budget = Budget(path, LIMITS, clock=clock, sleep=clock.sleep, durable=durable)
    for records in (5, 6, 9):
        on_disk["records"] = records
        await budget.spend("search")
        assert promised(path.parent) == {"j": records}
    on_disk["records"] = 10
    await budget.close()
    assert promised(path.parent) == {"j": 10}


async def test_a_process_without_a_journal_leaves_what_is_promised(path: Path) -> None:
    clock = Clock()
    durable = Durable("j", 7)
    await Budget(path, LIMITS, clock=clock, sleep=clock.sleep, durable=lambda: durable).spend("s")
    await Budget(path, LIMITS, clock=clock, sleep=clock.sleep).spend("login")
    await Standing(Book(path, clock=clock), clock=clock).step(RULES["soft_ban"])
    assert promised(path.parent) == {"j": 7}
    assert len(Book(path, clock=clock).look().spent) == 2


async def test_the_version_before_reads_a_book_with_a_promise_and_ours_reads_its_books(
    path: Path,
) -> None:
    """Its `stamp` and its `entries` had exactly these members, and no others were looked at."""
    clock = Clock()
    await Budget(
        path, LIMITS, clock=clock, sleep=clock.sleep, durable=lambda: Durable("j", 7)
    ).spend("search")

    def as_before(book: dict[str, Any]) -> None:
        assert set(book["stamp"]) == {"at", "steady", "start"}
        assert set(book["entries"]) == {
            *("spent", "logins", "last", "due", "eased_at", "slow_until", "pause", "taken"),
            "forgiving",
        }
        del book["journal"]

    rewrite(path, as_before)
    assert promised(path.parent) == {}
    assert sum(count for _, count in Book(path, clock=clock).look().spent) == 1


@pytest.mark.parametrize("odd", [None, 7, [], {}, {"journal": "j"}, {"records": "x"}], ids=str)
async def test_an_odd_promise_is_none_and_costs_nothing_else(path: Path, odd: object) -> None:
    clock = Clock()
    await Budget(path, LIMITS, clock=clock, sleep=clock.sleep).spend("search")
    rewrite(path, lambda book: book.update(journal=odd))
    assert promised(path.parent) == {}
    assert len(Book(path, clock=clock).look().spent) == 1


async def test_of_two_pauses_the_one_that_ends_later_holds(path: Path) -> None:
    clock = Clock()
    book = Book(path, clock=clock)
    for reason in ("soft_ban", "unknown_error"):
        await Standing(book, clock=clock).step(RULES[reason])
    pause = book.look().pause
    assert pause is not None
    assert (pause.reason, pause.until) == ("soft_ban", clock() + 1_800)
