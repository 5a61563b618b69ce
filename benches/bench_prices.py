"""How near the prices of `m26 market value` come in made markets, by how often a card sells."""

from __future__ import annotations

import sys

from benches.prices.model import CARDS, KINDS, made
from benches.prices.report import bars
from benches.prices.scores import Scores, score
from pytest_benchmark.fixture import BenchmarkFixture

SEEDS = (11, 12, 13)
MOMENTS = 10
PRICER = (sys.executable, "-m", "m26", "market", "value")


def scored(*, smoke: bool) -> dict[str, dict[str, float]]:
    """Kind → figures over all seeds."""
    kinds = ("drift-wash",) if smoke else KINDS
    found = {}
    for kind in kinds:
        scores = Scores()
        for seed in SEEDS[:1] if smoke else SEEDS:
            market = made(
                seed, KINDS[kind], days=15 if smoke else 30, cards=120 if smoke else CARDS
            )
            score(market, PRICER, 2 if smoke else MOMENTS, scores)
        found[kind] = scores.figures()
    return found


def test_prices(benchmark: BenchmarkFixture, smoke: bool) -> None:
    found = benchmark.pedantic(scored, kwargs={"smoke": smoke}, rounds=1)
    benchmark.extra_info["prices"] = found
    if smoke:  # few cards, few moments: only that it is right at all
        errors = {name: value for name, value in found["drift-wash"].items() if "against" in name}
        assert all(value < 2 for value in errors.values()), errors
    else:
        missed = {kind: bars(kind, figures) for kind, figures in found.items()}
        assert not any(missed.values()), missed
