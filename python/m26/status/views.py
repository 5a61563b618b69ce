"""The status document, spelled once: OpenAPI describes these types, and commands show them."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, TypedDict

from m26.models import Keys, Time
from m26.status.conditions import State

_WINDOWS = Keys(("day", "minute"))
_CREDENTIALS = Keys(("session", "access_token", "refresh_token", "bundles"))


class ConditionView(TypedDict):
    """One stage's word on how it is."""

    source: str
    state: State
    reason: str
    advice: Annotated[str, "What to do."]
    since: Time
    until: Annotated[Time | None, "When it tries again by itself; null when it waits for a person."]


class AccountView(TypedDict):
    """One account; figures that are not known yet are empty."""

    name: str
    platform: str
    state: State
    reason: str
    strategy: Annotated[str, "How its requests prove who they are: signed or bundles."]
    budget: Annotated[dict[str, int], _WINDOWS, "Requests left in each rolling window."]
    next_request_at: Time | None
    refills_at: Annotated[dict[str, Time], _WINDOWS, "When a window that is not full has more."]
    auth_seconds_left: Annotated[dict[str, float], _CREDENTIALS]


class ServerView(TypedDict):
    """A PostgreSQL or Redis in use."""

    embedded: bool
    where: Annotated[str, "Socket folder or host:port/name, never a password."]
    version: str


class RateView(TypedDict):
    """Figures over the last minute, or since the start where that is shorter."""

    window_seconds: float
    auctions_per_second: float
    events_per_second: float
    requests_per_minute: float


class CommitsView(TypedDict):
    """Committed batches since the start."""

    count: int
    mean_seconds: float | None


RollupsState: TypeAlias = Literal["off", "waiting", "building", "current", "elsewhere"]


class StepView(TypedDict):
    """How far one kind of prices is."""

    state: Annotated[
        RollupsState,
        "Off by M26_ROLLUPS__ENABLED; waiting for the database or its indexes; elsewhere: another "
        "process on this database does it.",
    ]
    percent: Annotated[int, "Of the events; of fair prices, of the cards that are read for them."]
    lag_seconds: float


class RollupsView(StepView):
    """Prices of hours and days, and of the market as it is: how far they follow the events."""

    events_behind: int
    events_per_second: Annotated[int, "In the last step that had any."]


class JournalView(TypedDict):
    """The journal on disk, and its records that are not in the database yet."""

    bytes: int
    backlog: int


class CapabilityView(TypedDict):
    """One thing that an upstream does one way or the other."""

    flag: str
    value: Annotated[str | int | bool | None, "Null where it is not known; of recall: for ever."]
    origin: Literal["pinned", "learned", "unknown"]
    since: Time | None
    evidence: Annotated[str, "What was seen last that settled it, or speaks against a pin."]


class ChoiceView(TypedDict):
    """A request that could be sent next, or the one that was sent last."""

    ask: Literal["search", "refresh"]
    offset: Annotated[int | None, "Place of a page in the list; null of a refresh."]
    count: Annotated[float, "Auctions that are asked after, or new ones that a page would show."]
    worth: Annotated[float | None, "In sales that become known."]
    why: str


class CoverageView(TypedDict):
    """How much of the listings of the last 24 hours was seen, by estimate."""

    seen: int
    listed: float
    ratio: float | None
    blind_seconds: Annotated[float, "Of those hours: nobody has looked at their listings."]


class MarketView(TypedDict):
    """What is known of one platform's market, and what is asked of it next."""

    platform: str
    coverage: CoverageView
    listings_per_hour: Annotated[float, "Just now."]
    auctions_known: int
    auctions_open: Annotated[int, "Of them: nothing told their end."]
    auctions_due: Annotated[int, "Of them: they are to be asked after."]
    decisions: Annotated[dict[str, int], "Requests by their reason, since the plan began."]
    last: ChoiceView | None
    next: Annotated[list[ChoiceView], "The worthiest first, as of the last reply."]
    capabilities: list[CapabilityView]


class SetupView(TypedDict):
    """What a run uses, settled at its start; these members are in `StatusView`, too."""

    url: str
    home: str
    simulator: bool
    profile: str
    upstream: list[str]
    database: ServerView
    redis: ServerView
    versions: dict[str, str]


class StatusView(TypedDict):
    """One look at the process. Counts are since its start; times are ISO 8601 UTC."""

    schema_version: Literal[1]
    healthy: bool
    state: Annotated[ConditionView, "The worst of the conditions."]
    conditions: list[ConditionView]
    now: Time
    started_at: Time
    uptime_seconds: float
    pid: int
    url: str
    home: str
    simulator: bool
    profile: str
    upstream: Annotated[list[str], "Whom it asks: the host of the token service, the gateway's."]
    accounts: list[AccountView]
    requests: Annotated[dict[str, int], "By outcome."]
    budget: Annotated[dict[str, int], "Requests left before a limit, of all accounts the least."]
    markets: Annotated[list[MarketView], "One for each platform that is asked for."]
    auctions: Annotated[dict[str, int], Keys(("new", "changed", "unchanged", "rejected"))]
    late: Annotated[int, "States that another collector had overtaken; they are events, too."]
    events: Annotated[dict[str, int], Keys(("listed", "bid", "changed", "closed"))]
    rate: RateView
    commits: CommitsView
    lag_seconds: Annotated[dict[str, float], Keys(("journal", "store", "publish"))]
    auth_seconds_left: Annotated[dict[str, float], _CREDENTIALS, "Of all accounts the least."]
    journal: JournalView
    rollups: RollupsView
    fair: StepView
    database: ServerView
    redis: ServerView
    rejects: Annotated[dict[str, int], "By reason."]
    drift: int
    clock_skew_seconds: Annotated[float, "The server's clock minus ours."]
    versions: Annotated[dict[str, str], Keys(("m26", "python"))]
