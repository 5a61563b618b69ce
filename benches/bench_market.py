"""What the planner makes of its requests: `m26 plan serve` in every variant of the market."""

from __future__ import annotations

import shlex
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from benches.market import bound, model, turns
from benches.market.goals import GOALS
from benches.market.model import Market
from benches.market.play import Game, played
from benches.market.report import Row, rowed
from benches.market.scores import Figures
from benches.market.variants import VARIANTS
from pytest_benchmark.fixture import BenchmarkFixture

SEEDS = (1, 2, 3)
JOBS = 2
NAIVE = (sys.executable, "-m", "benches.market", "naive", "first-page")
HELD_BACK = ("held-1", "held-2")
"""Mixes of durations that no planner was tuned on: played in the default variant."""
SMOKE = {"per_day": 20_000, "days": 0.5}


@pytest.fixture(scope="session")
def planner(pytestconfig: pytest.Config) -> tuple[str, ...]:
    """The command that is judged."""
    given = pytestconfig.getoption("--planner")
    return tuple(shlex.split(given)) or (sys.executable, "-m", "m26", "plan", "serve")


def games(command: tuple[str, ...], cache: Path, *, smoke: bool) -> dict[str, list[Game]]:
    """Label → a game for each seed."""

    def game(variant: str, seed: int, mix: str = "default") -> Game:
        upstream = VARIANTS[variant]
        market = Market(seed=seed, per_day=upstream.per_day, mix=mix)
        if smoke:
            market = replace(market, **SMOKE)
        return Game(variant, command, upstream, market, cache=cache)

    if smoke:
        return {"default": [game("default", 1)]}
    return {
        **{variant: [game(variant, seed) for seed in SEEDS] for variant in GOALS},
        **{f"default, {mix}": [game("default", seed, mix) for seed in SEEDS] for mix in HELD_BACK},
    }


def judged(command: tuple[str, ...], cache: Path, *, smoke: bool) -> list[Row]:
    """Play it all; a line for each variant."""
    asked = games(command, cache, smoke=smoke)
    rows = []
    with ProcessPoolExecutor(1 if smoke else JOBS) as pool:
        ours = {label: [pool.submit(played, game) for game in asked[label]] for label in asked}
        naive = {
            label: pool.submit(played, replace(asked[label][0], command=NAIVE)) for label in asked
        }
        for label, runs in ours.items():
            game = asked[label][0]
            figures = [run.result() for run in runs]
            check(label, figures)
            limit = None
            if bound.covers(game.upstream.flags):
                limit = bound.bound(model.made(game.market, cache), game.upstream)[1]
            beside = {"bound": limit, "tight": bound.tight(game.upstream.flags)}
            known = naive[label].result()["sales_known"]
            rows.append(rowed(label, game.variant, figures, naive=known, **beside))
    return rows


def check(label: str, runs: list[Figures]) -> None:
    """What holds in any run, however good the planner."""
    for figures in runs:
        said = f"{label}: {figures['violations_by_kind']} {figures.get('log', '')}"
        assert figures["ended"] is None, f"{label}: {figures['ended']} {figures.get('log', '')}"
        assert figures["violations"] == 0, said
        assert figures["told_contradicted"] == 0, label
        assert figures["sales_seen"], f"{label}: no sale was seen"


def test_sales_known(
    benchmark: BenchmarkFixture, planner: tuple[str, ...], tmp_path: Path, smoke: bool
) -> None:
    rows = benchmark.pedantic(judged, args=(planner, tmp_path), kwargs={"smoke": smoke}, rounds=1)
    benchmark.extra_info["market"] = rows


def turning(command: tuple[str, ...], cache: Path, *, smoke: bool) -> dict[str, list[Row]]:
    """Play what breaks and what turns, beside what does not; a line for each."""
    seeds = SEEDS[:1] if smoke else SEEDS[:2]
    rows: dict[str, list[Row]] = {}
    with ProcessPoolExecutor(1 if smoke else JOBS) as pool:
        for kind, (asked, line) in turns.TABLES.items():
            games = {label: each.games(command, cache, seeds) for label, each in asked.items()}
            if smoke:
                first, sides = next(iter(games.items()))
                games = {first: turns.short(sides, SMOKE)}
            runs = {
                label: [[pool.submit(played, game) for game in side] for side in sides]
                for label, sides in games.items()
            }
            rows[kind] = []
            for label, sides in runs.items():
                turned, plain = [[run.result() for run in side] for side in sides]
                check(label, turned)
                rows[kind].append(line(label, turned, plain))
    return rows


def test_breaks_and_switches(
    benchmark: BenchmarkFixture, planner: tuple[str, ...], tmp_path: Path, smoke: bool
) -> None:
    rows = benchmark.pedantic(turning, args=(planner, tmp_path), kwargs={"smoke": smoke}, rounds=1)
    benchmark.extra_info["turns"] = rows
