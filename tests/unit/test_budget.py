"""The request budget, on a virtual clock."""

from __future__ import annotations

import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import anyio
import pytest
from tests.support.virtual import Clock

from m26.limits.budget import Budget, Outlook
from m26.limits.standing import Standing
from m26.upstream.profile import BudgetLimits
from m26.upstream.rules import RULES

pytestmark = pytest.mark.anyio
POLITE = BudgetLimits(per_day=4000, per_minute=6, burst=3)


async def spent(budget: Budget, clock: Clock, count: int, name: str = "search") -> list[float]:
    times = []
    for _ in range(count):
        await budget.spend(name)
        times.append(clock.now)
    return times


def make(path: Path, clock: Clock, limits: BudgetLimits = POLITE, **more: object) -> Budget:
    return Budget(path, limits, clock=clock, sleep=clock.sleep, **more)  # type: ignore[arg-type]


async def test_requests_are_evenly_paced_after_the_burst(tmp_path: Path) -> None:
    clock = Clock()
    times = await spent(make(tmp_path / "b.json", clock), clock, 10)

    assert times[2] - times[0] == 0
    gaps = [round(b - a, 3) for a, b in pairwise(times[2:])]
    assert gaps == [21.6] * 7


async def test_the_minute_is_capped_whatever_the_pace(tmp_path: Path) -> None:
    clock = Clock()
    limits = BudgetLimits(per_day=86_400, per_minute=6, burst=20)
    times = await spent(make(tmp_path / "b.json", clock, limits), clock, 60)

    for start in times:
        assert sum(start <= time < start + 60 for time in times) <= 6


async def test_the_rolling_day_is_never_exceeded_over_restarts_and_kills(
    tmp_path: Path, seed: int
) -> None:
    dice, clock, times = random.Random(seed), Clock(), []
    limits = BudgetLimits(per_day=200, per_minute=10, burst=5)
    budget = make(tmp_path / "b.json", clock, limits)
    for _ in range(700):
        if dice.random() < 0.05:
            if dice.random() < 0.5:
                await budget.close()  # an orderly end; else a kill
            clock.now += dice.choice([0.0, 1.0, 3000.0])
            budget = make(tmp_path / "b.json", clock, limits)
        times += await spent(budget, clock, 1)

    for start in times:
        assert sum(start <= time < start + 86_400 for time in times) <= 200
        assert sum(start <= time < start + 60 for time in times) <= 10


async def test_a_kill_counts_too_many_rather_than_too_few(tmp_path: Path) -> None:
    clock = Clock()
    fast = BudgetLimits(per_day=864_000, per_minute=600, burst=20)
    budget = make(tmp_path / "b.json", clock, fast)
    await spent(budget, clock, 13)
    after_kill = make(tmp_path / "b.json", clock, fast)

    assert after_kill.left["day"] <= fast.per_day - 13
    assert after_kill.left["day"] >= fast.per_day - 13 - 10
    await budget.close()
    assert make(tmp_path / "b.json", clock, fast).left["day"] == fast.per_day - 13


async def test_a_restart_gives_no_new_burst(tmp_path: Path) -> None:
    clock = Clock()
    await spent(make(tmp_path / "b.json", clock), clock, 3)
    times = await spent(make(tmp_path / "b.json", clock), clock, 2)

    assert times[0] - 1_790_000_000.0 == pytest.approx(21.6)


async def test_logins_are_spaced_and_capped_over_restarts(tmp_path: Path) -> None:
    clock, times = Clock(), []
    fast = BudgetLimits(per_day=864_000, per_minute=600, burst=20)
    for _ in range(20):
        budget = make(tmp_path / "b.json", clock, fast)
        times += await spent(budget, clock, 1, "login")

    assert min(b - a for a, b in pairwise(times)) >= 15
    for start in times:
        assert sum(start <= time < start + 600 for time in times) <= 3
        assert sum(start <= time < start + 3600 for time in times) <= 12


async def test_slowing_down_halves_the_rate_for_a_while(tmp_path: Path) -> None:
    clock = Clock()
    budget = make(tmp_path / "b.json", clock)
    await spent(budget, clock, 5)
    budget.slow_down(3600)
    slow = await spent(budget, clock, 4)

    assert slow[-1] - slow[-2] == pytest.approx(43.2)
    clock.now += 3600
    await spent(budget, clock, 3)
    usual = await spent(budget, clock, 2)
    assert usual[1] - usual[0] == pytest.approx(21.6)


async def test_a_spent_day_is_told_with_its_end(tmp_path: Path) -> None:
    clock, told = Clock(), []
    limits = BudgetLimits(per_day=10, per_minute=10, burst=10)
    budget = make(
        tmp_path / "b.json", clock, limits, on_wait=lambda why, until: told.append((why, until))
    )
    await spent(budget, clock, 11)

    assert told[0][0] == "the day's requests are spent"
    assert 86_400 <= told[0][1] - 1_790_000_000.0 <= 86_400 + 120
    assert told[-1] == ("", 0.0)


DAMAGED = (b"\x00garbage", b"", b"[]", b"{}", b'{"stamp":{},"entries":{"taken":[]}}')


@pytest.mark.parametrize("content", DAMAGED)
async def test_an_unreadable_book_is_not_taken_for_an_unspent_budget(
    tmp_path: Path, content: bytes
) -> None:
    clock = Clock()
    path = tmp_path / "b.json"
    path.write_bytes(content)
    began = clock.now
    times = await spent(make(path, clock), clock, 5)
    assert times[0] > began
    assert min(b - a for a, b in pairwise(times)) >= 21.5, "no burst"
    assert (await spent(make(path, clock), clock, 1, "login"))[0] >= began + 600


async def test_all_budgets_of_an_account_spend_from_one_book(tmp_path: Path) -> None:
    clock, times = Clock(), []
    budgets = [make(tmp_path / "b.json", clock) for _ in range(3)]
    for turn in range(60):
        times += await spent(budgets[turn % 3], clock, 1)

    gaps = [round(b - a, 3) for a, b in pairwise(times[2:])]
    assert set(gaps) == {21.6}
    assert {budget.left["day"] for budget in budgets} == {4000 - 60}


async def test_login_limits_hold_between_budgets(tmp_path: Path) -> None:
    clock, times = Clock(), []
    budgets = [make(tmp_path / "b.json", clock) for _ in range(2)]
    for turn in range(16):
        times += await spent(budgets[turn % 2], clock, 1, "login")

    assert min(b - a for a, b in pairwise(times)) >= 15
    for start in times:
        assert sum(start <= time < start + 600 for time in times) <= 3
        assert sum(start <= time < start + 3600 for time in times) <= 12


async def test_two_processes_never_get_more_than_one_would(tmp_path: Path) -> None:
    code = (
        "import sys, anyio, pathlib\n"
        "from m26.limits.budget import Budget\n"
        "from m26.upstream.profile import BudgetLimits\n"
        "async def main():\n"
        "    limits = BudgetLimits(per_day=864_000, per_minute=600, burst=20)\n"
        "    budget = Budget(pathlib.Path(sys.argv[1]), limits)\n"
        "    for _ in range(25):\n"
        "        await budget.spend('search')\n"
        "    await budget.close()\n"
        "anyio.run(main)"
    )
    path = tmp_path / "b.json"
    children = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(2)]
    assert [child.wait(60) for child in children] == [0, 0]
    book = Budget(path, BudgetLimits(per_day=864_000, per_minute=600, burst=20))

    assert book.left["day"] == 864_000 - 50, "nothing is counted twice or not at all"
    entries = book.book.look()
    assert entries.last is not None
    first = entries.spent[0][0] - 3  # its block's latest moment, rounded up
    assert entries.last - first >= (50 - 20) / 10 - 0.1


async def test_who_waits_does_not_keep_others_from_the_book(tmp_path: Path) -> None:
    clock = Clock()
    first = make(tmp_path / "b.json", clock)
    await spent(first, clock, 3, "login")
    asleep = anyio.Event()

    async def sleep(_seconds: float) -> None:
        asleep.set()
        await anyio.sleep_forever()

    waiting = Budget(tmp_path / "b.json", POLITE, clock=clock, sleep=sleep)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(waiting.spend, "login")
            await asleep.wait()
            clock.now += 50
            await make(tmp_path / "b.json", clock).spend("search")
            await waiting.spend("search")
            group.cancel_scope.cancel()


async def test_a_block_costs_one_write(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "b.json"
    budget = make(path, clock, BudgetLimits(per_day=8_640_000, per_minute=6_000, burst=20))
    versions = set()
    for _ in range(500):  # five seconds' worth
        await spent(budget, clock, 1)
        versions.add(path.stat().st_mtime_ns)

    assert len(versions) <= 7


async def test_what_a_block_let_go_by_is_not_made_good_by_a_burst(tmp_path: Path) -> None:
    clock = Clock()
    budget = make(
        tmp_path / "b.json", clock, BudgetLimits(per_day=864_000, per_minute=600, burst=1)
    )
    await spent(budget, clock, 1)
    clock.now += 0.8
    times = await spent(budget, clock, 20)

    assert times[2] - times[0] >= 0.1 - 1e-6
    assert min(b - a for a, b in pairwise(times[1:])) >= 0.1 - 1e-6


async def test_what_a_block_let_go_by_is_not_counted(tmp_path: Path) -> None:
    clock = Clock()
    limits = BudgetLimits(per_day=864_000, per_minute=600, burst=1)
    budget = make(tmp_path / "b.json", clock, limits)
    for _ in range(4):
        await spent(budget, clock, 1)
        clock.now += 0.9
    await budget.close()
    assert budget.left["day"] == 864_000 - 4


@pytest.mark.parametrize("jump", [3_600.0, -3_600.0, 86_400.0, -86_400.0])
async def test_a_clock_that_is_set_does_not_hold_up_a_block(tmp_path: Path, jump: float) -> None:
    clock = Clock()
    limits = BudgetLimits(per_day=864_000, per_minute=600, burst=2)
    budget = make(tmp_path / "b.json", clock, limits)
    await spent(budget, clock, 5)
    clock.now += jump
    began = clock.now
    times = await spent(budget, clock, 20)
    assert times[-1] - began <= 3


async def test_a_day_at_full_pace_stays_even_on_the_next_one(tmp_path: Path) -> None:
    clock, told = Clock(), []
    limits = BudgetLimits(per_day=100, per_minute=6, burst=3)
    budget = make(
        tmp_path / "b.json", clock, limits, on_wait=lambda why, until: told.append((why, until))
    )
    times = await spent(budget, clock, 250)

    assert told == []
    assert max(b - a for a, b in pairwise(times)) <= 3 * 864 + 2
    assert times[-1] - times[0] <= 250 * 864 * 1.01
    for start in times:
        assert sum(start <= time < start + 86_400 for time in times) <= 100


async def test_slowing_down_survives_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    budget = make(tmp_path / "b.json", clock)
    await spent(budget, clock, 5)
    budget.slow_down(3600)
    slow = await spent(make(tmp_path / "b.json", clock), clock, 4)

    assert slow[-1] - slow[-2] == pytest.approx(43.2)


@pytest.mark.parametrize("rest", [60.0, 900.0, 43_200.0])
@pytest.mark.parametrize("restart", [True, False])
async def test_after_a_rest_there_is_no_burst_and_it_grows_back(
    tmp_path: Path, rest: float, restart: bool
) -> None:
    clock = Clock()
    limits = BudgetLimits(per_day=8_640, per_minute=60, burst=3)  # every ten seconds
    budget = make(tmp_path / "b.json", clock, limits)
    await spent(budget, clock, 20)
    clock.now += rest
    if restart:
        budget = make(tmp_path / "b.json", clock, limits)
    times = await spent(budget, clock, 10)
    gaps = [b - a for a, b in pairwise(times)]
    assert gaps[0] == pytest.approx(10)
    assert min(gaps) >= 9.99
    later = await spent(budget, clock, 30)
    early = [gap for gap in (b - a for a, b in pairwise(later)) if gap < 5]
    assert len(early) == 2, "one after 100 s, one after 200 s"


async def test_after_a_stop_there_is_no_burst_however_short_it_was(tmp_path: Path) -> None:
    clock = Clock()
    budget = make(tmp_path / "b.json", clock)
    await spent(budget, clock, 5)
    await Standing(budget.book, clock=clock).stopped("captcha")
    clock.now += 55
    times = await spent(budget, clock, 2)
    assert times[1] - times[0] == pytest.approx(21.6)


async def test_a_short_lull_leaves_the_burst(tmp_path: Path) -> None:
    clock = Clock()
    budget = make(tmp_path / "b.json", clock)
    await spent(budget, clock, 5)
    clock.now += 59
    times = await spent(budget, clock, 2)
    assert times[1] == times[0]


async def test_what_is_left_is_told_with_the_time_of_more(tmp_path: Path) -> None:
    clock = Clock()
    budget = make(tmp_path / "b.json", clock, BudgetLimits(per_day=5, per_minute=4, burst=5))
    began = clock.now
    assert budget.outlook() == Outlook({"day": 5, "minute": 4}, {}, began)
    await spent(budget, clock, 4)
    assert budget.outlook() == Outlook(
        {"day": 1, "minute": 0}, {"day": began + 86_400, "minute": began + 60}, began + 60
    )
    clock.now += 60
    await spent(budget, clock, 1)
    assert budget.outlook() == Outlook(
        {"day": 0, "minute": 3}, {"day": began + 86_400, "minute": began + 120}, began + 86_400
    )


async def test_a_pause_holds_whoever_asks_and_is_told(tmp_path: Path) -> None:
    clock, told = Clock(), []
    budget = make(tmp_path / "b.json", clock)
    await spent(budget, clock, 1)
    standing = Standing(budget.book, clock=clock)
    await standing.step(RULES["duplicate_login"])
    assert budget.paused is not None
    other = make(tmp_path / "b.json", clock, on_wait=lambda why, _: told.append(why))
    began = clock.now
    await spent(other, clock, 1, "token")

    assert clock.now - began == 900
    assert told[0].startswith("paused, duplicate_login: ")
    assert told[-1] == ""
    assert budget.paused is None


async def test_a_slot_that_is_waited_for_is_left_to_whoever_uses_it(tmp_path: Path) -> None:
    clock = Clock()
    budget = make(tmp_path / "b.json", clock)
    await spent(budget, clock, 3)
    left, began = budget.left, clock.now
    await budget.free("")
    assert round(clock.now - began, 3) == 21.6
    assert budget.left["day"] == left["day"]
    assert await spent(budget, clock, 1) == [clock.now]

    hasty = make(tmp_path / "h.json", clock, BudgetLimits(per_day=864_000, per_minute=600, burst=5))
    times = []
    for _ in range(40):  # of blocks, too
        await hasty.free("")
        times += await spent(hasty, clock, 1)
    gaps = [round(b - a, 3) for a, b in pairwise(times[5:])]
    assert max(gaps) <= 0.101
