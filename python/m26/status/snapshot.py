"""What the operator sees of a running process: `Status` and `Metrics` in, one JSON-ready dict out.

The status endpoint, the live view, the progress lines and ``m26 status`` all show this one dict.
"""

from __future__ import annotations

import os
import platform
import time
from collections import deque
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version

from m26.clock import iso
from m26.status.conditions import Condition, State, Status
from m26.status.metrics import Metrics
from m26.status.views import (
    AccountView,
    CommitsView,
    ConditionView,
    JournalView,
    MarketView,
    RateView,
    RollupsView,
    SetupView,
    StatusView,
    StepView,
)

OFF = (
    RollupsView(state="off", percent=0, lag_seconds=0, events_behind=0, events_per_second=0),
    StepView(state="off", percent=0, lag_seconds=0),
)
"""What is said of prices where none are kept."""
_WINDOW = 60.0
_STEP = 0.25


def versions() -> dict[str, str]:
    """Of m26, and of what it runs on."""
    try:
        own = version("m26")
    except PackageNotFoundError:  # run from the source tree
        own = "0+source"
    return {"m26": own, "python": platform.python_version()}


class Observer:
    """Takes snapshots; remembers the last minute of them for the rates.

    Args:
        metrics: figures, counted by the stages.
        status: conditions, reported by the stages.
        setup: what this run uses.
        backlog: number of journal records that are not committed yet.
        accounts: how each account is.
        markets: what is known of each platform's market.
        prices: how far they follow the events, and fair ones the cards.
        clock: monotonic seconds.
        now: Unix seconds.
    """

    def __init__(  # noqa: PLR0913 - each is what one stage says
        self,
        *,
        metrics: Metrics,
        status: Status,
        setup: SetupView,
        backlog: Callable[[], int],
        accounts: Callable[[], list[AccountView]] = list,
        markets: Callable[[], list[MarketView]] = list,
        prices: Callable[[], tuple[RollupsView, StepView]] = lambda: OFF,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._metrics, self._status, self._setup = metrics, status, setup
        self._backlog, self._accounts, self._markets = backlog, accounts, markets
        self._clock, self._now, self._prices = clock, now, prices
        self._began = clock()
        self._marks = deque([(self._began, 0, 0, 0)])

    def snapshot(self) -> StatusView:
        """The process as it is now."""
        metrics, setup, current = self._metrics, self._setup, self._status.current
        auctions = _whole(metrics.by_label("m26_auctions_total", "state"))
        events = _whole(metrics.by_label("m26_events_total", "kind"))
        requests = _seen(metrics.by_label("m26_requests_total", "outcome"))
        commits = int(metrics.value("m26_commit_seconds_count"))
        spent = metrics.value("m26_commit_seconds_sum")
        rollups, fair = self._prices()
        return StatusView(
            schema_version=1,
            healthy=current.state is State.COLLECTING and not current.reason,
            state=_view(current),
            conditions=[_view(condition) for condition in self._status.conditions],
            now=iso(self._now()),
            started_at=iso(self._status.started_at),
            uptime_seconds=round(self._clock() - self._began, 3),
            pid=os.getpid(),
            url=setup["url"],
            home=setup["home"],
            simulator=setup["simulator"],
            profile=setup["profile"],
            upstream=setup["upstream"],
            accounts=self._accounts(),
            requests=requests,
            budget=_whole(metrics.by_label("m26_budget_remaining", "window")),
            markets=self._markets(),
            auctions=auctions,
            late=int(metrics.value("m26_late_total")),
            events=events,
            rate=self._rate(sum(auctions.values()), sum(events.values()), sum(requests.values())),
            commits=CommitsView(count=commits, mean_seconds=spent / commits if commits else None),
            lag_seconds=metrics.by_label("m26_lag_seconds", "stage"),
            auth_seconds_left=metrics.by_label("m26_auth_seconds_left", "what"),
            journal=JournalView(
                bytes=int(metrics.value("m26_journal_bytes")), backlog=self._backlog()
            ),
            rollups=rollups,
            fair=fair,
            database=setup["database"],
            redis=setup["redis"],
            rejects=_seen(metrics.by_label("m26_rejects_total", "reason")),
            drift=int(metrics.value("m26_drift_total")),
            clock_skew_seconds=metrics.value("m26_clock_skew_seconds"),
            versions=setup["versions"],
        )

    def _rate(self, auctions: int, events: int, requests: int) -> RateView:
        now, marks = self._clock(), self._marks
        while len(marks) > 1 and now - marks[1][0] >= _WINDOW:
            marks.popleft()  # the first one left is the youngest that is a whole window old
        then, auctions_then, events_then, requests_then = marks[0]
        if now - marks[-1][0] >= _STEP:  # bounded, however often someone looks
            marks.append((now, auctions, events, requests))
        elapsed = max(now - then, 1.0)
        return RateView(
            window_seconds=round(elapsed, 3),
            auctions_per_second=round((auctions - auctions_then) / elapsed, 3),
            events_per_second=round((events - events_then) / elapsed, 3),
            requests_per_minute=round((requests - requests_then) / elapsed * 60, 3),
        )


def _view(condition: Condition) -> ConditionView:
    return ConditionView(
        source=condition.source,
        state=condition.state,
        reason=condition.reason,
        advice=condition.advice,
        since=iso(condition.since),
        until=None if condition.until is None else iso(condition.until),
    )


def _whole(samples: Mapping[str, float]) -> dict[str, int]:
    return {label: int(value) for label, value in samples.items()}


def _seen(samples: Mapping[str, float]) -> dict[str, int]:
    """Without what never happened: of dozens of outcomes only some do."""
    return {label: number for label, number in _whole(samples).items() if number}
