"""What ``--json`` of commands about the plan prints, as types."""

from __future__ import annotations

from typing import Annotated, TypedDict

from m26.models import Time
from m26.status.views import AccountView, CapabilityView, MarketView


class UpstreamMarketView(TypedDict):
    """What one platform's upstream does."""

    platform: str
    capabilities: list[CapabilityView]


class UpstreamView(TypedDict):
    """``m26 upstream show``."""

    markets: list[UpstreamMarketView]


class TopView(TypedDict):
    """``m26 top``."""

    running: bool
    problem: str
    accounts: list[AccountView]
    markets: list[MarketView]


class SaidView(TypedDict):
    """What was concluded of an auction."""

    outcome: str
    outcome_via: str | None
    final_price: int | None
    evidence: str
    confidence: float
    price_confidence: float
    closed_after: Time | None
    closed_before: Time | None


class ExplainedView(TypedDict):
    """What is known of one auction. Money is coins; null: not known, or there is none."""

    platform: str
    card_id: int
    posted_at: Time
    expires_at: Time
    first_seen: Time
    last_seen: Annotated[Time | None, "On offer; null if it never was."]
    missing_since: Annotated[Time | None, "It was not where it would have been shown."]
    bids: int
    current_bid: int
    buyout_price: int | None
    median_price: int | None
    said: SaidView | None
    asked_after: Annotated[Time | None, "From when on it is looked at for its own sake."]
    before_it: Annotated[int | None, "Auctions that come first; null while it is not its time."]


class ExplainView(TypedDict):
    """``m26 plan explain``."""

    auction_id: int
    auctions: Annotated[list[ExplainedView], "On each platform on which it is known."]


class ForecastMarketView(TypedDict):
    """A day of one platform, by the rates learned so far."""

    platform: str
    listed: float
    seen: float
    seen_ratio: float | None
    sales: float
    sales_known: float
    known_ratio: float | None
    requests_for_pages: float
    requests_for_states: float


class ForecastView(TypedDict):
    """``m26 plan forecast``."""

    per_day: int
    markets: list[ForecastMarketView]


class FocusGroupView(TypedDict):
    """Auctions of one weight."""

    weight: Annotated[float, "As a share of the largest."]
    auctions: int
    ended: int
    told: Annotated[int, "Of those that ended: a reply told how."]


class FocusMarketView(TypedDict):
    """What a focus gives and costs on one platform."""

    platform: str
    groups: list[FocusGroupView]


class FocusView(TypedDict):
    """``m26 plan focus``."""

    weights: Annotated[dict[str, dict[str, float]], "By kind: cards, overall, position, program."]
    origin: Annotated[str, "Where the weights come from, as `m26 config show --origin` says it."]
    markets: list[FocusMarketView]
