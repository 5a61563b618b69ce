"""What is said of a market, spelled once: commands and the HTTP interface answer in these types."""

from __future__ import annotations

from typing import Annotated

from m26.market.rows import (
    AskView,
    AsOf,
    BasketItemView,
    Bucket,
    BucketView,
    ChangeView,
    DealView,
    IndexPointView,
    MoverView,
    Next,
    PriceView,
    SaleView,
)
from m26.models import Time


class LatestView(AsOf):
    """Cards with their prices: the whole market, or a page of it."""

    items: list[PriceView]
    next: Next


class BucketsView(AsOf):
    """A card's history: buckets with a sale or a listing, the oldest first."""

    card_id: int
    name: str | None
    bucket: Bucket
    items: list[BucketView]
    next: Next


class AsksView(AsOf):
    """A card's asks, the lowest first: their time is not over, and no end of them is known."""

    card_id: int
    name: str | None
    items: list[AskView]
    next: Next


class SalesView(AsOf):
    """Sales, the newest first."""

    items: list[SaleView]
    next: Next


class DealsView(AsOf):
    """Deals, those that promise most first."""

    unpriced: Annotated[int, "Cards on offer that have no fair price yet; none of them is here."]
    items: list[DealView]
    next: Next


class MoversView(AsOf):
    """Cards that moved, the farthest first."""

    window: Annotated[int, "Hours."]
    min_sales: Annotated[int, "In the window, and in the one before."]
    items: list[MoverView]
    next: Next


class DiffView(AsOf):
    """What is other on offer than at a moment before."""

    since: Annotated[Time, "That moment."]
    moved: Annotated[int, "Cards whose floor is another."]
    new: Annotated[int, "Cards of which nothing was seen before."]
    offered: Annotated[int, "Cards that were not on offer before."]
    gone: Annotated[int, "Cards that are on offer no more."]
    items: Annotated[list[ChangeView], "Of those that moved, the farthest first."]
    next: Next


class IndexView(AsOf):
    """The market's index, the oldest bucket first."""

    bucket: Bucket
    items: list[IndexPointView]
    next: Next


class BasketView(AsOf):
    """What a list of cards costs at asks, bought one by one."""

    cost: int
    fair: Annotated[int | None, "Their fair prices added up; null where one has none."]
    missing: Annotated[list[int], "Cards of which fewer are offered than are wanted."]
    items: list[BasketItemView]
    next: Next


class CardView(AsOf):
    """A card's page."""

    card_id: int
    price: PriceView
    card_version: Annotated[str | None, "Of its newest definition, 16 hex digits."]
    tier: int | None
    team_id: int | None
    type: str | None
    discard_currency: int | None
    median_price: Annotated[int | None, "That the upstream shows, like the two that follow."]
    min_price: Annotated[int | None, "Lowest price that may be asked."]
    max_price: Annotated[int | None, "Highest price that may be asked."]
    asks: Annotated[list[AskView], "The ten lowest prices."]
    sales: Annotated[list[SaleView], "The ten newest."]
    hours: Annotated[list[BucketView], "Of the last 48 hours."]
    days: Annotated[list[BucketView], "Of the last 30 days."]
