"""The documents as programs read them: kept by hand in tests/golden, so that they can fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from tests.support.observing import Watched

from m26.status.conditions import State
from m26.status.snapshot import Account, Figures, Observer
from m26.web.openapi import document

GOLDEN = Path(__file__).parents[1] / "golden"


def made_up() -> Any:
    """The status of a made-up process in which every member says something."""
    watched = Watched(simulator=False)
    metrics, status = watched.metrics, watched.status
    for outcome, times in (("ok", 40), ("rate_limited", 2)):
        metrics.requests.labels("search", outcome).inc(times)
    for window, left in (("day", 3958), ("minute", 4)):
        metrics.budget_remaining.labels(window).set(left)
    for number, kind in enumerate(("listed", "bid", "changed", "closed"), 1):
        metrics.events.labels(kind).inc(number)
    for number, state in enumerate(("new", "changed", "unchanged", "rejected"), 1):
        metrics.auctions.labels(state).inc(1000 * number)
    for number, stage in enumerate(("journal", "store", "publish"), 1):
        metrics.lag_seconds.labels(stage).set(number / 4)
    for what, left in (("session", 1200), ("access_token", 9000), ("bundles", 86400)):
        metrics.auth_seconds_left.labels(what).set(left)
    for seconds in (0.25, 0.5):
        metrics.commit_seconds.observe(seconds)
    metrics.rejects.labels("bad_price").inc(4)
    metrics.late.inc(3)
    metrics.drift.inc(2)
    metrics.clock_skew.set(-0.5)
    metrics.journal_bytes.set(123_456)
    now = watched.clock.now
    status.report("store", State.COLLECTING)
    status.report(
        "budget:main", State.PAUSED, reason="budget: spent", advice="Nothing.", until=now + 90.5
    )
    observer = Observer(
        metrics=metrics,
        status=status,
        facts=replace(
            watched.facts,
            accounts=(Account(name="main", platform="ps5"), Account(name="new", platform="pc")),
        ),
        backlog=lambda: 7,
        figures=lambda: [
            Figures(
                name="main",
                platform="ps5",
                strategy="signed",
                budget={"day": 0, "minute": 4},
                refills_at={"day": now + 3600},
                next_at=now + 90.5,
                auth_left={"session": 1200.0, "access_token": 9000.0},
            )
        ],
        clock=watched.clock,
        now=watched.clock,
    )
    watched.clock.now += 60
    return {**observer.snapshot(), "pid": 4321, "versions": {"m26": "1.2.3", "python": "3.11.7"}}


def test_the_status_is_the_one_that_programs_read() -> None:
    text = orjson.dumps(made_up(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    assert text.decode() == (GOLDEN / "status.json").read_text("utf-8")


def test_the_description_of_the_interface_is_the_one_that_programs_read() -> None:
    assert document() == orjson.loads((GOLDEN / "openapi.json").read_bytes())
