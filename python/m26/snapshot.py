"""What the operator sees of a running process: `Status` and `Metrics` in, one JSON-ready dict out.

The status endpoint, the live view, the progress lines and ``m26 status`` all show this one dict.
"""

from __future__ import annotations

import os
import platform
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypedDict

import structlog

from m26.metrics import Metrics
from m26.runfile import iso
from m26.status import Condition, State, Status

_WINDOW = 60.0
_STEP = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account that is collected for."""

    name: str
    platform: str


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


class ConditionView(TypedDict):
    """One stage's word on how it is."""

    source: str
    state: str
    reason: str
    advice: str
    since: str
    until: str | None


class AccountView(TypedDict):
    """One account."""

    name: str
    platform: str


class ServerView(TypedDict):
    """One server in use."""

    embedded: bool
    where: str
    version: str


class RateView(TypedDict):
    """Figures over the last minute, or since the start where that is shorter."""

    window_seconds: float
    auctions_per_second: float
    events_per_second: float
    requests_per_minute: float


class CommitView(TypedDict):
    """Committed batches since the start."""

    count: int
    mean_seconds: float | None


class JournalView(TypedDict):
    """The journal on disk, and its records that are not in the database yet."""

    bytes: int
    backlog: int


class Snapshot(TypedDict):
    """One look at the process. Counts are since its start; times are ISO 8601 UTC."""

    schema_version: int
    healthy: bool
    state: ConditionView
    conditions: list[ConditionView]
    now: str
    started_at: str
    uptime_seconds: float
    pid: int
    url: str
    home: str
    simulator: bool
    profile: str
    accounts: list[AccountView]
    requests: dict[str, int]
    budget: dict[str, int]
    auctions: dict[str, int]
    late: int
    events: dict[str, int]
    rate: RateView
    commits: CommitView
    lag_seconds: dict[str, float]
    auth_seconds_left: dict[str, float]
    journal: JournalView
    database: ServerView
    redis: ServerView
    rejects: dict[str, int]
    drift: int
    clock_skew_seconds: float
    versions: dict[str, str]


class Observer:
    """Takes snapshots; remembers the last minute of them for the rates.

    Args:
        metrics: figures, counted by the stages.
        status: conditions, reported by the stages.
        facts: what this run uses.
        backlog: number of journal records that are not committed yet.
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
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._metrics, self._status, self._facts = metrics, status, facts
        self._backlog, self._clock, self._now = backlog, clock, now
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
            accounts=[AccountView(name=a.name, platform=a.platform) for a in facts.accounts],
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


def announce(status: Status, metrics: Metrics) -> None:
    """From now on log each change of state, and keep ``m26_state`` at 1 for the current one."""
    log = structlog.get_logger()
    said: tuple[State, str] | None = None

    def tell(condition: Condition) -> None:
        nonlocal said
        for state in State:
            metrics.state.labels(state.value).set(state is condition.state)
        if (condition.state, condition.reason) == said:  # only its `until` moved: a next attempt
            return
        said = (condition.state, condition.reason)
        calm = condition.state in (State.STARTING, State.COLLECTING, State.DRAINING)
        write = log.info if calm and not condition.reason else log.warning
        until = None if condition.until is None else iso(condition.until)
        more = {"reason": condition.reason, "advice": condition.advice, "until": until}
        write(
            "state.changed",
            state=condition.state.value,
            source=condition.source,
            **{key: value for key, value in more.items() if value},
        )

    status.on_change(tell)


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
