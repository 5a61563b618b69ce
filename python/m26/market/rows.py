"""What answers about a market consist of: a card's price, an ask, a sale and so on, as types.

Prices are whole coins, times ISO 8601 UTC, ages seconds of market time, ratios 0 to 1 (a change of
0.1 is a tenth more). Null means: not known.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, TypedDict

from m26.models import Time

Bucket: TypeAlias = Literal["hour", "day"]
Flag: TypeAlias = Annotated[
    str,
    "thin, wash, bait, volatile, at_min, at_max: of the fair price; stale: no sale for three days, "
    "or the ask was not looked at for longer than two planned intervals.",
]
Next: TypeAlias = Annotated[str | None, "What `after` takes for more; null: there is no more."]


class AsOf(TypedDict):
    """What an answer holds for."""

    platform: str
    at: Annotated[Time | None, "The moment that was asked about; null: the present."]
    seq: Annotated[int, "Of the newest event that the figures tell of."]
    market_time: Annotated[Time | None, "By which ages are told; null: nothing was seen yet."]
    building: Annotated[
        int | None, "Percent of the events that the figures tell of so far; null: of all of them."
    ]


class PriceView(TypedDict):
    """What a card costs and is worth."""

    card_id: int
    name: str | None
    position: str | None
    overall: int | None
    program: str | None
    floor: Annotated[int | None, "Lowest ask; null: there is none."]
    floor2: Annotated[int | None, "Second lowest, which may be as low."]
    floor_seen_at: Time | None
    floor_age: float | None
    floor_stale: Annotated[
        bool, "The lowest ask was not looked at for longer than two planned intervals."
    ]
    asks: int
    fair: Annotated[int | None, "What the card is worth; null: not computed yet."]
    fair_low: Annotated[int | None, "It is between this and `fair_high` in four cases of five."]
    fair_high: int | None
    n: Annotated[int | None, "Sales that the fair price is made of."]
    n_copies: Annotated[int | None, "Physical copies among them."]
    method: str | None
    last_sale: int | None
    last_sale_at: Time | None
    last_sale_age: float | None
    sales_day: Annotated[int, "Sales of the last 24 hours."]
    net: Annotated[int | None, "What a seller gets at the fair price: nine tenths."]
    change_24h: Annotated[
        float | None, "Median of the last 24 hours against that of the 24 hours before."
    ]
    quicksell: int | None
    training_ratio: float | None
    coverage: Annotated[
        float | None, "Share of the platform's listings of the last 24 hours that was seen."
    ]
    flags: list[Flag]


class BucketView(TypedDict):
    """A card's sales and asks of an hour or a day; prices are null without a sale."""

    bucket: Annotated[Time, "Its begin; it ends before the next one's."]
    n: int
    n_copies: int
    n_bid: int
    n_buyout: int
    low: int | None
    q1: int | None
    median: int | None
    q3: int | None
    high: int | None
    first: int | None
    last: int | None
    coins: int
    floor_min: int | None
    floor_last: int | None
    listed: int
    coverage: float | None
    revision: int
    final: bool


class AskView(TypedDict):
    """Auctions of a card that ask the same price."""

    price: int
    count: int
    cumulative: Annotated[int, "Auctions up to this price."]
    oldest_seen: Annotated[Time, "Since when one of them was not looked at."]
    newest_seen: Time
    ends_at: Annotated[Time, "When the first of them ends."]
    auction_ids: list[int]


class SaleView(TypedDict):
    """A sale."""

    auction_id: int
    card_id: int
    card_version: Annotated[str, "16 hex digits."]
    card_instance_id: int | None
    name: str | None
    overall: int | None
    position: str | None
    final_price: int | None
    net: Annotated[int | None, "What the seller got: nine tenths."]
    outcome_via: Annotated[str | None, "bid or buyout."]
    evidence: Annotated[str | None, "What the outcome rests on."]
    confidence: float | None
    price_confidence: Annotated[
        float | None, "That outcome and price are right; below 0.8 it is in no bucket."
    ]
    bids: int
    start_price: int | None
    buyout_price: int | None
    posted_at: Time
    closed_at: Time | None
    closed_after: Time | None
    closed_before: Time | None
    age: float | None


class DealView(TypedDict):
    """An ask below what the card sells for after tax."""

    auction_id: int
    card_id: int
    name: str | None
    position: str | None
    overall: int | None
    program: str | None
    buyout_price: Annotated[int, "What it costs."]
    fair: int
    fair_low: int
    fair_high: int
    net: Annotated[int, "What selling it at the fair price gives: nine tenths."]
    profit: Annotated[int, "`net` less what it costs."]
    roi: Annotated[float, "`profit` as a share of what it costs."]
    discount: Annotated[float, "How far it is below the fair price."]
    confidence: Annotated[float, "That it is worth more than it costs, after tax."]
    next_ask: Annotated[int | None, "The cheapest other ask of the card."]
    n: int
    n_copies: int
    method: str
    sales_day: int
    last_sale: int | None
    last_sale_at: Time | None
    bids: int
    posted_at: Time
    expires_at: Time
    seen_at: Time
    age: Annotated[float, "Since it was seen last."]
    flags: list[Flag]


class MoverView(TypedDict):
    """How a card's sales of a window compare with those of the window before."""

    card_id: int
    name: str | None
    position: str | None
    overall: int | None
    program: str | None
    change: float
    median: Annotated[int, "Of the window's buckets, each as often as it has sales."]
    median_before: int
    n: Annotated[int, "Sales of the window."]
    n_before: int
    fair: int | None
    floor: int | None
    flags: list[Flag]


class IndexPointView(TypedDict):
    """The market in a bucket: its cards against themselves in the bucket before."""

    bucket: Time
    index: Annotated[float, "100 in the first bucket."]
    change: Annotated[float | None, "Against the bucket before; null where no card sold in both."]
    cards: Annotated[int, "That sold in both."]
    n: Annotated[int, "Sales."]
    coins: int


class BasketItemView(TypedDict):
    """A card of a basket."""

    card_id: int
    name: str | None
    position: str | None
    overall: int | None
    program: str | None
    wanted: int
    asks: Annotated[list[int], "Those that are bought, the lowest first."]
    missing: Annotated[int, "Copies that nobody offers."]
    cost: int
    fair: int | None
    oldest_seen: Annotated[Time | None, "Of these asks."]
    flags: list[Flag]


class CandidateView(TypedDict):
    """A card that a text may mean."""

    card_id: int
    name: str | None
    position: str | None
    overall: int | None
    program: str | None
    exact: Annotated[bool, "Every word of the text is one of the card's."]


class ChangeView(TypedDict):
    """A card whose offers are others than they were."""

    card_id: int
    name: str | None
    position: str | None
    overall: int | None
    program: str | None
    kind: Annotated[
        Literal["moved", "new", "offered", "gone"],
        "moved: its floor is another; new: nothing was seen of it before; offered: it was not on"
        " offer before; gone: it is on offer no more.",
    ]
    floor_before: int | None
    floor: int | None
    change: Annotated[float | None, "Of the floor; null where there was or is none."]
    asks_before: int
    asks: int
    last_sale_before: int | None
    last_sale: int | None
    fair_before: int | None
    fair: int | None
