"""The request budget, on a virtual clock."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest
from tests.virtual import Clock

from m26.collect.budget import Budget
from m26.upstream.profile import BudgetLimits

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


async def test_an_unreadable_file_is_not_taken_for_an_unspent_budget(tmp_path: Path) -> None:
    clock = Clock()
    path = tmp_path / "b.json"
    path.write_bytes(b"\x00garbage")
    times = await spent(make(path, clock), clock, 1)

    assert times[0] > 1_790_000_000.0
