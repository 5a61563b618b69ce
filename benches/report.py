"""The JSON of a run in; docs/BENCHMARKS.md and a picture of each race out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benches import bars, chart
from benches.bars import TIMES, Bar
from benches.market import report as market
from benches.market import turns
from benches.prices import report as prices
from benches.race import ratio

PICTURES = "benchmarks"
"""Folder of the pictures, beside the document."""
PARTS = {
    "P1": "Parse",
    "P2": "Load, fresh auctions",
    "P3": "Load, polled again",
    "P4": "Latency, rate and CPU of the live path",
    "P6": "Bytes on disk",
    "P7": "Memory and concurrent streams",
    "P8": "Start",
    "P9": "History",
}
_WIDTH = 40
"""Characters of the longest bar."""
_HEAD = """# Benchmarks

Made by `make bench`; not to be edited. What each label stands for, and how rounds and ratios are
taken, is in [benches/README.md](../benches/README.md). Other programs may have been running on the
machine: compare ratios, which are taken between runs a moment apart, and not rates.
"""
_BARS = """
A ratio says how many times as fast m26 is, or how many times as long it takes where the bar is an
upper one. CI runs the same in short and fails beyond the last column; where it is empty, the
machine decides too much.
"""

Info = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """What is written."""

    text: str
    pictures: Mapping[str, str]
    """File name → SVG."""


def render(run: Info) -> Report:
    """The report on one run of pytest-benchmark."""
    found = [benchmark["extra_info"] for benchmark in run["benchmarks"]]
    lines = sorted((bar for info in found for bar in bars.kept(info)), key=lambda bar: bar.id)
    sections = [
        _HEAD,
        _table(
            ("", "what", "against", "bar", "measured", "", "CI fails beyond"),
            [_bar(bar) for bar in lines],
        ),
        _BARS,
        _table(("", ""), _circumstances(run)),
        *(text for part in PARTS for text in _part(part, found)),
        *(market.section(info["market"], PICTURES) for info in found if "market" in info),
        *(turns.section(**info["turns"]) for info in found if "turns" in info),
        *(prices.section(info["prices"], PICTURES) for info in found if "prices" in info),
    ]
    races = [info["race"] for info in found if "race" in info]
    pictures = {
        _picture(race): chart.render(race["title"], _rates(race), ours=race["ours"])
        for race in races
    }
    for info in found:
        if "market" in info:
            pictures[market.PICTURE] = market.picture(info["market"])
        if "prices" in info:
            pictures[prices.PICTURE] = prices.picture(info["prices"])
    return Report("\n".join(sections) + "\n", pictures)


def _circumstances(run: Info) -> Iterator[tuple[str, str]]:
    machine, commit = run["machine_info"], run["commit_info"]
    changed = " with changes on top" if commit["dirty"] else ""
    yield "date", run["datetime"][:16].replace("T", " ") + " UTC"
    yield "commit", f"{commit['id'][:12]}{changed}"
    yield "machine", f"{machine['cpu']['brand_raw']}, {machine['cpu']['count']} cores"
    yield "system", f"{machine['system']} {machine['release']}"
    yield "Python", f"{machine['python_implementation']} {machine['python_version']}"
    yield "versions", ", ".join(f"{name} {v}" for name, v in machine["versions"].items())
    yield "one fsync of 8 KiB", f"{machine['fsync_ms']:.2f} ms, median"
    before, after = machine["load"]
    yield "load average", f"{before:.1f} before, {after:.1f} after"


def _bar(bar: Bar) -> tuple[str, ...]:
    return (
        f"[{bar.id}](#{_anchor(_heading(bar.id))})",
        bar.what,
        bar.against,
        _limit(bar.at_least, bar.at_most, bar.unit),
        _value(bar.measured, bar.unit),
        "met" if bar.met else "**missed**",
        "" if bar.gate is None else _value(bar.gate, bar.unit),
    )


def _part(part: str, found: Iterable[Info]) -> Iterator[str]:
    yield f"\n## {_heading(part)}"
    for info in found:
        if info.get("race", {}).get("part") == part:
            yield from _race(info["race"])
        if info.get("figures", {}).get("part") == part:
            yield from _figures(info["figures"])


def _race(race: Info) -> Iterator[str]:
    seconds: dict[str, list[float]] = race["seconds"]
    rates = _rates(race)
    rounds = len(seconds[race["ours"]])
    yield f"\n### {race['title']}\n\n{race['note']} Median of {rounds} interleaved rounds.\n"
    yield _table(
        ("", "auctions/s", f"{race['ours']} is … {TIMES} as fast", "rounds within"),
        [
            (
                label,
                f"{rate:,.0f}",
                "" if label == race["ours"] else f"{ratio(seconds, race['ours'], label):.2f}",
                _spread(seconds[label]),
            )
            for label, rate in rates.items()
        ],
    )
    yield f"\n![{race['title']}, auctions a second]({PICTURES}/{_picture(race)})"
    yield _text_bars(rates)


def _rates(race: Info) -> dict[str, float]:
    """Auctions a second of each contender, the fastest first."""
    rates = {label: race["auctions"] / median(taken) for label, taken in race["seconds"].items()}
    return dict(sorted(rates.items(), key=lambda item: -item[1]))


def _spread(seconds: Sequence[float]) -> str:
    middle = median(seconds)
    slowest, fastest = middle / max(seconds) - 1, middle / min(seconds) - 1
    return f"{slowest:+.0%} … {fastest:+.0%}"


def _text_bars(rates: Mapping[str, float]) -> str:
    longest, margin = max(rates.values()), max(map(len, rates))
    lines = (
        f"{label:<{margin}}  {'█' * max(1, round(_WIDTH * rate / longest))} {rate:,.0f}"
        for label, rate in rates.items()
    )
    return "\n```text\n" + "\n".join(lines) + "\n```"


def _figures(group: Info) -> Iterator[str]:
    yield f"\n### {group['title']}\n\n{group['note']}\n"
    yield _table(("", "measured", "target"), [_figure(figure) for figure in group["figures"]])


def _figure(figure: Info) -> tuple[str, str, str]:
    value, unit = figure["value"], figure["unit"]
    most, least = figure["at_most"], figure["at_least"]
    missed = (most is not None and value > most) or (least is not None and value < least)
    target = _limit(least, most, unit) + (" **missed**" if missed else "")
    return figure["what"], _value(value, unit), target


def _limit(least: float | None, most: float | None, unit: str) -> str:
    if least is not None:
        return f"≥ {least:,g} {unit}".strip()
    return "" if most is None else f"≤ {most:,g} {unit}".strip()


def _value(value: float, unit: str) -> str:
    shown = f"{value:,.0f}" if value >= 100 else f"{value:#.3g}".rstrip(".")
    return f"{shown} {unit}".strip()


def _heading(part: str) -> str:
    return f"{part}: {PARTS[part]}"


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _picture(race: Info) -> str:
    return re.sub(r"\W+", "-", race["title"].lower()).strip("-") + ".svg"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
