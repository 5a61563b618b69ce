"""The planner's section of the benchmarks: medians, bars that were missed, and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from benches.market import report
from benches.market.goals import GOALS
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
