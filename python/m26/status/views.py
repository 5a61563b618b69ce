"""What `m26 status`, the live view and the status endpoint show, as types of one JSON document."""

from __future__ import annotations

from typing import TypedDict


class ConditionView(TypedDict):
    """One stage's word on how it is."""

    source: str
    state: str
    reason: str
    advice: str
    since: str
    until: str | None


class AccountView(TypedDict):
    """One account; figures that are not known yet are empty."""

    name: str
    platform: str
    state: str
    reason: str
    strategy: str
    budget: dict[str, int]
    next_request_at: str | None
    refills_at: dict[str, str]
    auth_seconds_left: dict[str, float]


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
