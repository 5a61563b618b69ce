"""Commands that show what the plan knows: a kept plan in, texts and documents out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.commands import Outcome
from tests.support.documents import DOCUMENTS, check_printed

from m26.collect.plan import PLANS, Plan
from m26.collect.questions import Ask, Question

NOW = 1_790_000_000_000_000
M26 = Callable[..., Outcome]


def row(
    auction_id: int, *, status: str = "active", left: int = 3_600, card: int = 7
) -> list[object]:
    return [auction_id, status, 0, 400, 1150, NOW // 10**6 - 60, left, 726, card, auction_id, 1]


@pytest.fixture
def plan(home: Path) -> Plan:
    """Of a platform on which three auctions were seen; one of them has been bought."""
    folder = home / PLANS / "ps5"
    made = Plan(folder, per_day=4_000, per_minute=6, now=NOW, pins={"batch": "20"})
    with made:
        made.planner.set_focus({8: 4.0})
        later = [row(1), row(2, status="ended", left=0)]
        for number, rows in enumerate(([row(1), row(2), row(3, card=8)], *[later] * 6)):
            ask = Ask(None, [1, 2]) if number else Ask((0, 100), [])
            question = Question(ask, NOW + number * 60_000_000, "a test")
            made.sent(question)
            made.reply(question.at, failed=False, truncated=False, rows=rows)
    return made


def document(m26: M26, *line: str, code: int = 0) -> dict[str, object]:
    done = m26(*line, "--json")
    assert done.code == code, done.err
    check_printed(DOCUMENTS[" ".join(line[: 1 if line[0] == "top" else 2])], done.json)
    return dict(done.json)


def test_without_a_plan_there_is_nothing_to_show(m26: M26) -> None:
    for line in (("upstream", "show"), ("plan", "forecast", "--per-day", "9"), ("plan", "focus")):
        assert document(m26, *line)["markets"] == []
    assert document(m26, "plan", "explain", "1", code=1)["auctions"] == []
    assert "m26 run" in m26("upstream", "show").out
    assert "not known" in m26("plan", "explain", "1").out
    assert document(m26, "top", code=1)["running"] is False


@pytest.mark.usefixtures("plan")
def test_the_upstream_is_shown_with_what_is_pinned_learned_and_open(m26: M26) -> None:
    (market,) = document(m26, "upstream", "show")["markets"]  # type: ignore[misc]
    origins = {each["flag"]: each["origin"] for each in market["capabilities"]}

    assert (origins["batch"], origins["ended"], origins["order"]) == (
        "pinned",
        "learned",
        "unknown",
    )
    assert "not known" in m26("upstream", "show").out


@pytest.mark.usefixtures("plan")
def test_an_auction_is_explained(m26: M26) -> None:
    (known,) = document(m26, "plan", "explain", "1")["auctions"]  # type: ignore[misc]
    assert (known["platform"], known["said"], known["buyout_price"]) == ("ps5", None, 1150)
    assert known["asked_after"] > known["last_seen"]

    (over,) = document(m26, "plan", "explain", "2")["auctions"]  # type: ignore[misc]
    assert (over["said"]["outcome"], over["asked_after"]) == ("sold", None)
    assert "sold" in m26("plan", "explain", "2").out


@pytest.mark.usefixtures("plan")
def test_another_budget_is_forecast_and_more_never_sees_less(m26: M26) -> None:
    seen = []
    for per_day in ("100", "4000", "50000"):
        (market,) = document(m26, "plan", "forecast", "--per-day", per_day)["markets"]  # type: ignore[misc]
        assert 0 <= market["seen"] <= market["listed"]
        assert market["requests_for_pages"] + market["requests_for_states"] <= 1.01 * int(per_day)
        seen.append(market["seen"])
    assert seen == sorted(seen)
    assert m26("plan", "forecast", "--per-day", "0").code == 2


@pytest.mark.usefixtures("plan")
def test_a_focus_is_shown_with_what_the_rest_gets(
    m26: M26, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("M26_PLAN__FOCUS", '{"cards": {"8": 4}}')
    shown = document(m26, "plan", "focus")
    assert shown["weights"] == {"cards": {"8": 4.0}}
    (market,) = shown["markets"]  # type: ignore[misc]
    assert [(group["weight"], group["auctions"]) for group in market["groups"]] == [
        (1.0, 1),
        (0.25, 2),
    ]


@pytest.mark.parametrize(
    "focus",
    ['{"colour": {"red": 2}}', '{"overall": {"high": 2}}', '{"cards": {"8": 0}}', "[]", "{"],
)
def test_a_focus_that_cannot_be_is_told(
    m26: M26, monkeypatch: pytest.MonkeyPatch, focus: str
) -> None:
    monkeypatch.setenv("M26_PLAN__FOCUS", focus)
    done = m26("plan", "focus")
    assert done.code == 3
    assert "M26_PLAN__FOCUS" in done.err


def test_a_focus_is_set_changed_and_cleared_in_the_home(m26: M26, home: Path) -> None:
    assert document(m26, "plan", "focus")["origin"] == "default"
    line = ("--position", "QB=3", "--overall", "85-99=2", "--program", 'Say "=" é=0.5')
    document(m26, "plan", "focus", *line, "--card", "13522975=5")
    shown = document(m26, "plan", "focus", "--position", "QB=4", "--position", "WR=2")
    assert shown["weights"] == {
        "cards": {"13522975": 5},
        "overall": {"85-99": 2},
        "position": {"QB": 4, "WR": 2},
        "program": {'Say "=" é': 0.5},
    }
    assert shown["origin"] == f"{home / 'focus.toml'}:2"
    assert "focus.toml" in m26("config", "show", "--origin").out

    shown = document(m26, "plan", "focus", "--clear", "--card", "7=2")
    assert shown["weights"] == {"cards": {"7": 2}}
    shown = document(m26, "plan", "focus", "--clear")
    assert (shown["weights"], shown["origin"]) == ({}, "default")


@pytest.mark.parametrize(
    "line",
    [
        ("--position", "QB"),
        ("--position", "QB=much"),
        ("--position", "=3"),
        ("--position", "Q\x7fB=3"),
        ("--overall", "99-85=3"),
        ("--overall", "high=3"),
        ("--card", "7=0"),
        ("--card", "7=101"),
        ("--card", "7=nan"),
        ("--program", f"{'x' * 70_000}=2"),
    ],
)
def test_weights_that_cannot_be_are_told_and_change_nothing(
    m26: M26, home: Path, line: tuple[str, str]
) -> None:
    document(m26, "plan", "focus", "--card", "8=2")
    done = m26("plan", "focus", *line, "--json")
    assert done.code == (3 if len(line[1]) > 64 * 1024 else 2)
    assert done.json["error"]["hint"]
    assert document(m26, "plan", "focus")["weights"] == {"cards": {"8": 2}}


def test_what_the_operator_set_elsewhere_counts_and_is_told(
    m26: M26, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document(m26, "plan", "focus", "--card", "8=2")
    (home / "config.toml").write_text("platform = 'pc'\n[plan.focus.position]\nQB = 3\n")
    done = m26("plan", "focus", "--card", "9=2")
    assert (done.code, "config.toml:2" in done.err) == (3, True)
    assert document(m26, "plan", "focus")["weights"] == {"position": {"QB": 3}}
    monkeypatch.setenv("M26_PLAN__FOCUS", "{}")
    assert "environment M26_PLAN__FOCUS" in m26("plan", "focus", "--clear").err
    assert (home / "focus.toml").exists()
