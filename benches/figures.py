"""Figures that stand alone: what was measured, with its target or its bar beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from benches import bars
from benches.bars import Bar
from pytest_benchmark.fixture import BenchmarkFixture


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. With an `id` its target is a bar of the report's first table."""

    what: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    id: str = ""
    against: str = ""
    tolerance: float | None = None
    """As in `Bar`: given for what a busy machine does not move, never for seconds."""


def note(
    benchmark: BenchmarkFixture,
    *,
    title: str,
    note: str,
    figures: Sequence[Figure],
    part: str = "",
) -> None:
    """Keep figures in the benchmark's JSON, for the report.

    Args:
        benchmark: pytest-benchmark's.
        title: of the section.
        note: what was done.
        figures: lines of the section's table.
        part: the requirement that the section belongs to, P1 to P9; that of the first bar if none.
    """
    with_bar = [figure for figure in figures if figure.id]
    benchmark.extra_info["figures"] = {
        "part": part or next((figure.id for figure in with_bar), ""),
        "title": title,
        "note": note,
        "figures": [asdict(figure) for figure in figures],
    }
    bars.keep(
        benchmark,
        *(
            Bar(
                id=figure.id,
                what=figure.what,
                against=figure.against,
                measured=figure.value,
                at_least=figure.at_least,
                at_most=figure.at_most,
                unit=figure.unit,
                tolerance=figure.tolerance,
            )
            for figure in with_bar
        ),
    )


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of `values` do not exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * share))]
