"""What the operator sees of a running process: `Status` and `Metrics` in, one JSON-ready dict out.

The status endpoint, the live view, the progress lines and ``m26 status`` all show this one dict.
"""

from __future__ import annotations

import os
import platform
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from m26.clock import iso
from m26.models import Account
from m26.status.conditions import Condition, State, Status
from m26.status.metrics import Metrics
from m26.status.views import (
    AccountView,
    CommitView,
    ConditionView,
    JournalView,
    RateView,
    ServerView,
    Snapshot,
)

_WINDOW = 60.0
_STEP = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How one account is now. Times are Unix seconds."""

    name: str
    platform: str
    strategy: str
    """How its requests prove who they are: ``signed`` or ``bundles``."""
    budget: Mapping[str, int]
    """Requests left in the rolling ``day`` and ``minute``."""
    refills_at: Mapping[str, float]
    """When each window has room for more than now; absent where it is full."""
    next_at: float
    """When the next request may leave."""
    auth_left: Mapping[str, float]
    """Seconds of life left in each credential."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A PostgreSQL or Redis in use."""

    embedded: bool
    where: str
    """Socket folder or ``host:port/name``, never a password."""
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was settled at the start of a run."""

    simulator: bool
    profile: str
    accounts: tuple[Account, ...]
    home: Path
    database: Server
    redis: Server
    url: str
    """Base address of the HTTP endpoints."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """More parts and their versions, beside m26 and Python."""


class Observer:
    """Takes snapshots; remembers the last minute of them for the rates.

    Args:
        metrics: figures, counted by the stages.
        status: conditions, reported by the stages.
        facts: what this run uses.
        backlog: number of journal records that are not committed yet.
        figures: how each account is.
        clock: monotonic seconds.
        now: Unix seconds.
    """

    def __init__(
        self,
        *,
        metrics: Metrics,
        status: Status,
        facts: Facts,
        backlog: Callable[[], int],
        figures: Callable[[], Iterable[Figures]] = tuple,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._metrics, self._status, self._facts = metrics, status, facts
        self._backlog, self._clock, self._now = backlog, clock, now
        self._figures = figures
        self._began = clock()
        self._marks = deque([(self._began, 0, 0, 0)])
        self._versions = {"m26": _own_version(), "python": platform.python_version()}

    def served_at(self, url: str) -> None:
        """The HTTP endpoints listen at `url`."""
        self._facts = replace(self._facts, url=url)

    def snapshot(self) -> Snapshot:
        """The process as it is now."""
        metrics, facts, current = self._metrics, self._facts, self._status.current
        auctions = _whole(metrics.by_label("m26_auctions_total", "state"))
        events = _whole(metrics.by_label("m26_events_total", "kind"))
        requests = _whole(metrics.by_label("m26_requests_total", "outcome"))
        commits = int(metrics.value("m26_commit_seconds_count"))
        spent = metrics.value("m26_commit_seconds_sum")
        return Snapshot(
            schema_version=1,
            healthy=current.state is State.COLLECTING and not current.reason,
            state=_view(current),
            conditions=[_view(condition) for condition in self._status.conditions],
            now=iso(self._now()),
            started_at=iso(self._status.started_at),
            uptime_seconds=round(self._clock() - self._began, 3),
            pid=os.getpid(),
            url=facts.url,
            home=str(facts.home),
            simulator=facts.simulator,
            profile=facts.profile,
            accounts=self._accounts(),
            requests=requests,
            budget=_whole(metrics.by_label("m26_budget_remaining", "window")),
            auctions=auctions,
            late=int(metrics.value("m26_late_total")),
            events=events,
            rate=self._rate(sum(auctions.values()), sum(events.values()), sum(requests.values())),
            commits=CommitView(count=commits, mean_seconds=spent / commits if commits else None),
            lag_seconds=metrics.by_label("m26_lag_seconds", "stage"),
            auth_seconds_left=metrics.by_label("m26_auth_seconds_left", "what"),
            journal=JournalView(
                bytes=int(metrics.value("m26_journal_bytes")), backlog=self._backlog()
            ),
            database=_server(facts.database),
            redis=_server(facts.redis),
            rejects=_whole(metrics.by_label("m26_rejects_total", "reason")),
            drift=int(metrics.value("m26_drift_total")),
            clock_skew_seconds=metrics.value("m26_clock_skew_seconds"),
            versions={**self._versions, **facts.versions},
        )

    def _accounts(self) -> list[AccountView]:
        known = {figures.name: figures for figures in self._figures()}
        views = []
        for account in self._facts.accounts:
            view, figures = self._account(account), known.get(account.name)
            if figures is not None:
                view["strategy"] = figures.strategy
                view["budget"] = dict(figures.budget)
                view["next_request_at"] = iso(figures.next_at)
                view["refills_at"] = {name: iso(at) for name, at in figures.refills_at.items()}
                view["auth_seconds_left"] = dict(figures.auth_left)
            views.append(view)
        return views

    def _account(self, account: Account) -> AccountView:
        # Its own conditions, and a STOP that holds for everybody.
        own = [c for c in self._status.conditions if c.is_about(account.name)]
        state = own[0] if own else self._status.current
        return AccountView(
            name=account.name,
            platform=account.platform,
            state=state.state.value,
            reason=state.reason,
            strategy="",
            budget={},
            next_request_at=None,
            refills_at={},
            auth_seconds_left={},
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
        state=condition.state.value,
        reason=condition.reason,
        advice=condition.advice,
        since=iso(condition.since),
        until=None if condition.until is None else iso(condition.until),
    )


def _server(server: Server) -> ServerView:
    return ServerView(embedded=server.embedded, where=server.where, version=server.version)


def _whole(samples: Mapping[str, float]) -> dict[str, int]:
    return {label: int(value) for label, value in samples.items()}


def _own_version() -> str:
    try:
        return version("m26")
    except PackageNotFoundError:  # run from the source tree
        return "0+source"
