"""The planner's section of the benchmarks: medians, bars that were missed, and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from benches.market import report, turns
from benches.market.goals import GOALS
from benches.market.scores import score
from tests.support.market import DONE, Line, expired, play, search, sold, traced

DAY = 86_400


@pytest.fixture
def figures(tmp_path: Path) -> dict[str, Any]:
    """Of a run that knows three sales of four, and takes one expiry for a sale."""
    sales: list[Line] = [
        {"posted": DAY, "outcome": "sold", "ended": DAY + 900 + n} for n in range(4)
    ]
    labels = [*(sold(100 + 10 * n) for n in range(3)), expired(130), sold(140)]
    listed = traced(*sales, {"posted": DAY})
    played = play(tmp_path, listed, [search(24.1)], [*labels, search(73)], [DONE])
    return played.figures


def test_a_goal_says_what_was_missed_and_by_how_much(figures: dict[str, Any]) -> None:
    missed = GOALS["300k"].missed(figures)
    assert missed[:2] == ["known_wrong 25.00 <= 1", "wrong_095 40.00 <= 2"]
    assert missed[2:] == [f"found {name}: not said" for name in figures["not_found"]]
    assert GOALS["default"].missed(figures)[2] == "sales_known 75.00 >= 96"
    more = GOALS["ended-omitted"].missed(figures | {"known_wrong": 2.9, "wrong_095": 0.0})
    assert "false_expired 100.00 <= 10" in more
    assert not any(text.startswith("known_wrong") for text in more)


def test_the_section_shows_each_variant_beside_naive_poller_bound_and_bar(
    figures: dict[str, Any],
) -> None:
    runs = [figures, figures | {"sales_known": 80.0}, figures | {"sales_known": 70.0}]
    rows = [
        report.rowed("300k", "300k", runs, naive=5.5, bound=64.7, tight=False),
        report.rowed("none", "none", runs[:1], naive=0.0, bound=None, tight=True),
    ]
    section = report.section(rows, "pictures")
    first, second = section.splitlines()[-4:-2]
    assert first.startswith("| 300k | 75.0 (70.0 … 80.0) | 45 | 55 | 5.5 | 64.7 * | 100.0 | 75.0 |")
    assert first.endswith("| 0/9 | found, known_wrong, wrong_095 |")
    assert second.startswith("| none | 75.0 (75.0 … 75.0) | 58 | 62 | 0.0 |  | 100.0 |")
    assert "(pictures/sales-known.svg)" in section


def test_the_picture_has_a_bar_for_each_variant_and_a_mark_for_a_bound(
    figures: dict[str, Any],
) -> None:
    rows = [
        report.rowed("300k", "300k", [figures], naive=5.5, bound=64.7, tight=False),
        report.rowed("none", "none", [figures], naive=0.0, bound=None, tight=True),
    ]
    root = ET.fromstring(report.picture(rows))
    kinds = [part.get("class") for part in root if part.get("class")]
    assert kinds == ["ground", "title", "ours", "peer", "mark", "ours", "peer"]
    ours, peer = (next(p for p in root if p.get("class") == kind) for kind in ("ours", "peer"))
    assert float(ours.get("width", 0)) / float(peer.get("width", 1)) == pytest.approx(
        75 / 5.5, 0.05
    )


def test_what_a_turn_costs_stands_beside_a_run_without_it(figures: dict[str, Any]) -> None:
    def run(known: float, able: int | None = 3, retracted: float = 0.0) -> dict[str, Any]:
        switched = [{"flag": "batch", "value": 50, "requests": able and able + 2, "able": able}]
        return figures | {"sales_known": known, "switched": switched, "retracted": retracted}

    whole = [run(90), run(92), run(91)]
    breaks = [
        turns.ended("a kill", [run(90), run(91.6), run(91)], whole),
        turns.ended("a night", [run(89), run(90.5), run(91)], whole),
    ]
    switches = [
        turns.turned("soon", [run(88), run(88, 20)], whole[:2]),
        turns.turned("late", [run(70), run(70, 21, 1.5)], whole[:2]),
        turns.turned("untold", [run(90), run(92, None)], whole[:2]),
    ]
    lines = turns.section(breaks, switches).splitlines()
    found = [line.strip("| ") for line in lines if "0/9" in line]
    same, seen, missed = "0/9 | 0.00", "100.0 (100.0)", "told after, sales_known, retracted"
    assert found == [
        f"a kill | 91.0 | 91.0 | 0.0 | {same}",
        f"a night | 91.0 | 90.5 | 2.0 | {same} | costs",
        f"soon | 22 | 20 | 100.0 (100.0) | 88.0 (91.0) | 75.0 (75.0) | {same}",
        f"late | 23 | 21 | {seen} | 70.0 (91.0) | 75.0 (75.0) | 0/9 | 1.50 | {missed}",
        f"untold | never | never | 100.0 (100.0) | 91.0 (91.0) | 75.0 (75.0) | {same} | told after",
    ]


def test_what_was_listed_and_ended_while_nobody_looked_is_not_scored(tmp_path: Path) -> None:
    unseen: Line = {"posted": DAY + 600, "outcome": "sold", "ended": DAY + 900}
    late: Line = {"posted": DAY + 660, "outcome": "sold", "ended": DAY + 1500}
    kept: Line = {"posted": DAY, "outcome": "sold", "ended": DAY + 900}
    listed = traced(kept, unseen, late)
    run = play(tmp_path, listed, [search(24.1)], [sold(100), search(73)], [DONE]).run
    away = (24 + 500 / 3600, 24 + 1200 / 3600)
    figures = score(listed, run.claims, run.counts, run.upstream.flags, (1.0, 2.0), away)
    assert (figures["sales"], figures["sales_known"]) == (2, 50.0)
