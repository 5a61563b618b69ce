"""Figures of prices by kind of market in; a section of docs/BENCHMARKS.md and its picture out."""

from __future__ import annotations

from collections.abc import Mapping

from benches.chart import Pair, pairs
from benches.prices.scores import GROUPS

PICTURE = "prices.svg"
TITLE = "Prices: how far from the true value"
_NOTE = """
`m26 market value` in markets of `benches/prices`, three seeds, ten moments each: the mean error in
percent of the true value, by honest sales of a card in 7 days. The *oracle* is the same local
level, told the honest sales, the index, each card's noise and volatility, and no asks. *Held* is
the share of the 80 % ranges that hold the value; *near* the share within 5 % of it among cards
with at least 10 sales.
"""
_AGAINST_ORACLE = dict(zip(GROUPS, (1.25, 1.45, 1.2), strict=True))
"""Mean error against the oracle's, where values move and trades are washed."""
_AGAINST_MEDIAN = 0.6
_HELD = (75.0, 85.0)
_NEAR = 95.0
"""Where values stand still, percent."""

Figures = Mapping[str, float]


def bars(kind: str, figures: Figures) -> list[str]:
    """The bounds that do not hold."""
    if kind == "static":
        return [] if figures["near"] >= _NEAR else [f"near {figures['near']:.1f} of {_NEAR:g}"]
    if kind != "drift-wash":
        return []
    missed = []
    for group in GROUPS:
        oracle, median = figures[f"against oracle {group}"], figures[f"against median {group}"]
        held = figures[f"covered {group}"]
        if oracle > _AGAINST_ORACLE[group]:
            missed.append(f"{group}: {oracle:.2f} x the oracle")
        if median > _AGAINST_MEDIAN:
            missed.append(f"{group}: {median:.2f} x the median")
        if not _HELD[0] <= held <= _HELD[1]:
            missed.append(f"{group}: {held:.0f} % held")
    return missed


def section(kinds: Mapping[str, Figures], pictures: str) -> str:
    """The section; `pictures` is the folder beside the document."""
    head = (
        "market",
        "sales in 7 days",
        "m26",
        "oracle",
        "median of 25",
        "x oracle",
        "held",
        "near",
    )
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    for kind, figures in kinds.items():
        for group in GROUPS:
            values = [figures[f"{name} {group}"] for name in ("error", "oracle", "median")]
            cells = [kind, group, *(f"{value:.1f} %" for value in values)]
            cells.append(f"{figures[f'against oracle {group}']:.2f}")
            cells.append(f"{figures[f'covered {group}']:.0f} %")
            lines.append(" | ".join((*cells, f"{figures['near']:.1f} %")))
    table = "\n".join(f"| {line} |" for line in lines)
    missed = [f"{kind}: {text}" for kind, figures in kinds.items() for text in bars(kind, figures)]
    told = f"\n\nMissed: {'; '.join(missed)}." if missed else ""
    return f"\n## {TITLE}\n{_NOTE}\n{table}{told}\n\n![{TITLE}]({pictures}/{PICTURE})"


def picture(kinds: Mapping[str, Figures]) -> str:
    """Each group's error from 0 to 50 %, that of the median below it, the oracle's as a mark."""
    key = "blue: m26 · grey: median of the last 25 sales, cut at 50 % · line: oracle · mean error"
    rows = [_pair(kind, group, figures) for kind, figures in kinds.items() for group in GROUPS]
    return pairs(TITLE, key, rows, left=260, right=60)


def _pair(kind: str, group: str, figures: Figures) -> Pair:
    names = ("error", "median", "oracle")
    ours, peer, mark = (min(50.0, figures[f"{name} {group}"]) / 50 for name in names)
    return Pair(f"{kind}, {group}", ours, peer, mark, f"{figures[f'error {group}']:.1f} %")
