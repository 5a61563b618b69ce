from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
import structlog
from structlog.testing import capture_logs
from tests.support.observing import Watched

from m26.app.collectors import Collector
from m26.models import Account
from m26.status.announce import announce
from m26.status.conditions import State

STARTING = "starting: servers, schema and journal are being opened"


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    structlog.reset_defaults()
    with capture_logs() as lines:
        yield lines


def test_a_snapshot_tells_what_the_stages_counted(watched: Watched) -> None:
    watched.status.report("account:main", State.PAUSED, reason="429", advice="Wait.", until=5.5)
    watched.metrics.requests.labels("search", "ok").inc(3)
    watched.metrics.auctions.labels("new").inc(7)
    watched.metrics.events.labels("listed").inc(7)
    watched.metrics.budget_remaining.labels("day").set(3997)
    watched.metrics.commit_seconds.observe(0.25)
    watched.metrics.commit_seconds.observe(0.75)
    watched.metrics.auth_seconds_left.labels("session").set(60)
    watched.metrics.lag_seconds.labels("store").set(1.5)
    watched.metrics.journal_bytes.set(1000)
    watched.metrics.requests.labels("search", "captcha")  # known, and never seen
    watched.metrics.rejects.labels("bad_price").inc()
    watched.metrics.rejects.labels("nul")
    watched.backlog = 4
    watched.clock.now += 12.5
    now = watched.observer.snapshot()
    assert now["state"] == {
        "source": "account:main",
        "state": "paused",
        "reason": "429",
        "advice": "Wait.",
        "since": "2026-08-16T21:00:00Z",
        "until": "1970-01-01T00:00:05.500Z",
    }
    assert now["conditions"] == [now["state"]]
    assert (now["healthy"], now["uptime_seconds"]) == (False, 12.5)
    assert (now["started_at"], now["now"]) == ("2026-08-16T21:00:00Z", "2026-08-16T21:00:12.500Z")
    assert (now["requests"], now["budget"]) == ({"ok": 3}, {"day": 3997})
    assert now["auctions"] == {"new": 7, "changed": 0, "unchanged": 0, "rejected": 0}
    assert now["commits"] == {"count": 2, "mean_seconds": 0.5}
    assert now["lag_seconds"] == {"journal": 0, "store": 1.5, "publish": 0}
    assert now["auth_seconds_left"] == {"session": 60}
    assert now["journal"] == {"bytes": 1000, "backlog": 4}
    assert now["rejects"] == {"bad_price": 1}
    assert now["versions"].keys() >= {"m26", "python"}
    assert orjson.loads(orjson.dumps(now)) == now


@pytest.mark.parametrize(
    ("state", "reason", "healthy"),
    [
        (State.COLLECTING, "", True),
        (State.COLLECTING, "Redis is away", False),
        (State.STARTING, "", False),
        (State.BACKING_OFF, "reset", False),
        (State.STOPPED, "captcha", False),
    ],
)
def test_healthy_is_collecting_with_nothing_to_say(
    watched: Watched, state: State, reason: str, healthy: bool
) -> None:
    watched.status.report("store", state, reason=reason)
    assert watched.observer.snapshot()["healthy"] is healthy


def test_rates_are_those_of_the_last_minute(watched: Watched) -> None:
    for _ in range(120):  # two per second for two minutes, then one minute of nothing
        watched.clock.now += 1
        watched.metrics.auctions.labels("unchanged").inc(2)
        watched.metrics.requests.labels("search", "ok").inc()
        watched.observer.snapshot()
    rate = watched.observer.snapshot()["rate"]
    assert (rate["auctions_per_second"], rate["requests_per_minute"]) == (2.0, 60.0)
    assert rate["window_seconds"] == 60
    for _ in range(60):
        watched.clock.now += 1
        rate = watched.observer.snapshot()["rate"]
    assert (rate["auctions_per_second"], rate["requests_per_minute"]) == (0.0, 0.0)


def test_rates_early_in_a_run_are_over_its_time_so_far(watched: Watched) -> None:
    watched.metrics.events.labels("bid").inc(30)
    watched.clock.now += 10
    assert watched.observer.snapshot()["rate"]["events_per_second"] == 3.0


def test_looking_often_does_not_cost_memory(watched: Watched) -> None:
    for _ in range(2000):
        watched.clock.now += 0.01
        watched.observer.snapshot()
    assert len(watched.observer._marks) < 300


def test_a_change_of_state_is_logged_once_and_counted(watched: Watched, logs: list[Any]) -> None:
    def state_metric() -> dict[str, float]:
        return {k: v for k, v in watched.metrics.by_label("m26_state", "state").items() if v}

    announce(watched.status, watched.metrics)
    assert state_metric() == {"starting": 1}
    for until in (10.0, 20.0):  # the second one only moves the end
        watched.status.report("account:main", State.PAUSED, reason="429", advice="-", until=until)
    assert state_metric() == {"paused": 1}
    watched.status.report("account:main", State.COLLECTING)
    told = [(e["log_level"], e["state"], e.get("reason"), e.get("until")) for e in logs]
    assert told == [
        ("info", "starting", STARTING, None),
        ("warning", "paused", "429", "1970-01-01T00:00:10Z"),
        ("info", "collecting", None, None),
    ]
    assert {line["event"] for line in logs} == {"state.changed"}


def test_each_account_is_shown_with_its_own_state_budget_and_credentials() -> None:
    watched = Watched()
    outlook = SimpleNamespace(left={"day": 0, "minute": 6}, refills_at={"day": 60.0}, next_at=60.0)
    collector: Any = partial(
        Collector,
        exchange=None,
        session=SimpleNamespace(
            strategy="signed", seconds_left=lambda: {"session": 5.0, "access_token": None}
        ),
        budget=SimpleNamespace(outlook=lambda: outlook),
        market=None,
    )
    watched.status.report("account:a", State.COLLECTING)
    watched.status.report("budget:a", State.PAUSED, reason="budget: spent")
    watched.status.report("stop:b", State.STOPPED, reason="login_again: dead")
    watched.accounts = [
        collector(Account(name, platform)).view(watched.status)
        for name, platform in (("a", "ps5"), ("b", "pc"))
    ]
    first, second = watched.observer.snapshot()["accounts"]

    assert first == {
        "name": "a",
        "platform": "ps5",
        "state": "paused",
        "reason": "budget: spent",
        "strategy": "signed",
        "budget": {"day": 0, "minute": 6},
        "next_request_at": "1970-01-01T00:01:00Z",
        "refills_at": {"day": "1970-01-01T00:01:00Z"},
        "auth_seconds_left": {"session": 5.0},
    }
    assert (second["state"], second["reason"]) == ("stopped", "login_again: dead")
