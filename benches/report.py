"""The JSON of a run in, docs/BENCHMARKS.md out: ratios, rates and figures with where and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from benches.race import ratio

_TIMES = "\N{MULTIPLICATION SIGN}"
_WIDTH = 40
"""Characters of the longest bar."""
_HEAD = """# Benchmarks

Made by `make bench`; not to be edited. What each label stands for, and how rounds and ratios are
taken, is in [benches/README.md](../benches/README.md). Other programs may have been running on the
machine: compare ratios, which are taken between runs a moment apart, and not rates.
"""


def render(run: Mapping[str, Any]) -> str:
    """The document of one run of pytest-benchmark."""
    found = [benchmark["extra_info"] for benchmark in run["benchmarks"]]
    races = [info["race"] for info in found if "race" in info]
    figures = [info["figures"] for info in found if "figures" in info]
    sections = [
        _HEAD,
        _table(("", ""), _circumstances(run)),
        "\n## Gates\n\nA change that misses one of these fails CI.\n",
        _table(
            ("gate", "m26 against", "bar", "fails below", "measured"),
            [_gate(bar) for race in races for bar in race["bars"]],
        ),
        *(part for race in races for part in _race(race)),
        *(part for figure in figures for part in _figures(figure)),
    ]
    return "\n".join(sections)


def _circumstances(run: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
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
    yield (
        "load average",
        f"{before:.1f} before, {after:.1f} after",
    )


def _gate(bar: Mapping[str, Any]) -> tuple[str, ...]:
    least = bar["at_least"] * (1 - bar["tolerance"])
    verdict = "" if bar["measured"] >= least else " **missed**"
    return (
        bar["id"],
        bar["peer"],
        f"≥ {bar['at_least']:.1f} {_TIMES}",
        f"{least:.2f} {_TIMES}",
        f"{bar['measured']:.2f} {_TIMES}{verdict}",
    )


def _race(race: Mapping[str, Any]) -> Iterator[str]:
    seconds: dict[str, list[float]] = race["seconds"]
    rates = {label: race["auctions"] / median(taken) for label, taken in seconds.items()}
    ranked = sorted(rates, key=lambda label: -rates[label])
    rounds = len(seconds[race["ours"]])
    yield f"\n## {race['title']}\n\n{race['note']} Median of {rounds} interleaved rounds.\n"
    yield _table(
        ("", "auctions/s", f"m26 is … {_TIMES} as fast", "rounds within"),
        [
            (
                label,
                f"{rates[label]:,.0f}",
                "" if label == race["ours"] else f"{ratio(seconds, race['ours'], label):.2f}",
                _spread(seconds[label]),
            )
            for label in ranked
        ],
    )
    yield _bars({label: rates[label] for label in ranked})


def _spread(seconds: Sequence[float]) -> str:
    middle = median(seconds)
    slowest, fastest = middle / max(seconds) - 1, middle / min(seconds) - 1
    return f"{slowest:+.0%} … {fastest:+.0%}"


def _bars(rates: Mapping[str, float]) -> str:
    longest, margin = max(rates.values()), max(map(len, rates))
    lines = (
        f"{label:<{margin}}  {'█' * max(1, round(_WIDTH * rate / longest))} {rate:,.0f}"
        for label, rate in rates.items()
    )
    return "\n```text\n" + "\n".join(lines) + "\n```"


def _figures(group: Mapping[str, Any]) -> Iterator[str]:
    yield f"\n## {group['title']}\n\n{group['note']}\n"
    yield _table(("", "measured", "target"), [_figure(figure) for figure in group["figures"]])


def _figure(figure: Mapping[str, Any]) -> tuple[str, str, str]:
    value, unit = figure["value"], figure["unit"]
    most, least = figure["at_most"], figure["at_least"]
    target, met = "", True
    if most is not None:
        target, met = f"≤ {most:,g} {unit}", value <= most
    elif least is not None:
        target, met = f"≥ {least:,g} {unit}", value >= least
    shown = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return (
        figure["what"],
        f"{shown} {unit}".strip(),
        target.strip() + ("" if met else " **missed**"),
    )


def _table(head: Sequence[str], rows: Any) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
