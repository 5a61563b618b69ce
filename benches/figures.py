"""Figures that stand alone: what was measured and the target beside it. Reported, never gated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from pytest_benchmark.fixture import BenchmarkFixture


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. A machine's figures are its own: no test depends on them."""

    what: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None


def note(benchmark: BenchmarkFixture, *, title: str, note: str, figures: Sequence[Figure]) -> None:
    """Keep figures in the benchmark's JSON, for the report."""
    listed = [asdict(figure) for figure in figures]
    benchmark.extra_info["figures"] = {"title": title, "note": note, "figures": listed}


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of `values` do not exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * share))]
