"""Runs of a planner by variant in; a section of docs/BENCHMARKS.md and its picture out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from benches.chart import Pair, pairs
from benches.market.goals import GOALS

PICTURE = "sales-known.svg"
TITLE = "Planner: sales known, by how the upstream behaves"
_NOTE = """
`m26 plan serve` in markets of `benches/market`, as an outsider plays it: a run is 3.1 days, its
second day is scored, in percent. *Known*: right outcome and price, said with 0.9 or more, no later
than a day after expiry; the median of the seeds, the lowest and the highest beside it. The *naive
poller* looks at the first page at an even pace; the *bound* knows every rate and no single event
(`benches/market/bound.py`), * where it is not tight, empty where there is none so simple. *Missed*
are bounds of `benches/market/goals.py`, in any seed.
"""
_SHOWN = ("seen", "sales_right", "known_wrong", "known_1h", "coverage_error", "cal_worst")

Row = Mapping[str, Any]


def rowed(label: str, variant: str, runs: Sequence[Row], **beside: Any) -> dict[str, Any]:
    """A line of the report: one variant, its runs by seed, and what stands beside them."""
    goal = GOALS[variant]
    return {
        "label": label,
        "known": [run["sales_known"] for run in runs],
        "bar": goal.known,
        "stretch": goal.stretch,
        "missed": sorted({text.split()[0] for run in runs for text in goal.missed(run)}),
        "figures": {name: _middle([run[name] for run in runs]) for name in _SHOWN},
        "found": min((run["found"] for run in runs), default=""),
        **beside,
    }


def _middle(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return median(there) if there else None


def section(rows: Sequence[Row], pictures: str) -> str:
    """The section; `pictures` is the folder beside the document."""
    head = ("variant", "known", "bar", "stretch", "naive", "bound", "seen", "right", "known wrong")
    head = (*head, "within 1 h", "listings counted", "widest band", "flags found", "missed")
    lines = [" | ".join(head), " | ".join("---" for _ in head), *map(_line, rows)]
    table = "\n".join(f"| {line} |" for line in lines)
    return f"\n## {TITLE}\n{_NOTE}\n{table}\n\n![{TITLE}]({pictures}/{PICTURE})"


def _line(row: Row) -> str:
    low, high, figures = min(row["known"]), max(row["known"]), row["figures"]
    known = f"{median(row['known']):.1f} ({low:.1f} … {high:.1f})"
    bound = _number(row["bound"]) + ("" if row["tight"] or row["bound"] is None else " *")
    error = figures["coverage_error"]
    cells = (
        row["label"],
        known,
        f"{row['bar']:g}",
        f"{row['stretch']:g}",
        _number(row["naive"]),
        bound,
        _number(figures["seen"]),
        _number(figures["sales_right"]),
        _number(figures["known_wrong"], 2),
        _number(figures["known_1h"]),
        "" if error is None else f"{error:+.1f}",
        _number(figures["cal_worst"]),
        row["found"],
        ", ".join(row["missed"]),
    )
    return " | ".join(cells)


def _number(value: float | None, digits: int = 1) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def picture(rows: Sequence[Row]) -> str:
    """Each variant's bar from 0 to 100, the naive poller below it, and the bound as a mark."""
    key = "blue: m26 · grey: naive poller · line: bound without foresight · percent of sales"
    return pairs(TITLE, key, [_pair(row) for row in rows], left=190, right=44)


def _pair(row: Row) -> Pair:
    known = median(row["known"])
    peer, mark = (None if (v := row[name]) is None else v / 100 for name in ("naive", "bound"))
    return Pair(row["label"], known / 100, peer, mark, f"{known:.1f}")
