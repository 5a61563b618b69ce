"""The questions about a market: the addresses at which they are asked, with their parameters."""

from __future__ import annotations

from typing import Any, get_args

from m26.market.deals import Order, Wanted
from m26.market.views import (
    AsksView,
    BasketView,
    BucketsView,
    CardView,
    DealsView,
    IndexView,
    LatestView,
    MoversView,
    SalesView,
)
from m26.web.asking import Ask, answered, made, question
from m26.web.media import Body
from m26.web.parameters import (
    MOMENT,
    SPAN,
    Parameter,
    choice,
    number,
    numbers,
    pattern,
    whole,
    words,
)
from m26.web.route import Asked

_CARD = Parameter("card_id", whole(0), "Of the card.", place="path")
_OF_CARD = Parameter("card_id", whole(0), "Of this card alone.")
_Q = Parameter("q", words(100), "Words that the card's name, position, overall or program has.")
_POSITION = Parameter("position", words(20), "As QB.")
_MIN_OVERALL = Parameter("min_overall", whole(0, 999), "Lowest overall.")
_LIMIT = Parameter("limit", whole(1, 1_000), "How many at most.", default=100)
_SINCE = Parameter("since", MOMENT, "Those from then on.")
_UNTIL = Parameter("until", MOMENT, "Those before then.")
_BUCKET = Parameter("bucket", choice("hour", "day"), "How long a bucket is.", default="day")
_IDS = Parameter(
    "ids", numbers(500), "Cards; one that is there twice is bought twice.", required=True
)


def _after(first: int) -> Parameter:
    """The key of the last row that was told: two numbers, the first one of so many digits."""
    form = pattern(rf"-?[0-9]{{1,{first}}}_[0-9]{{1,18}}", "`next` of the answer before")
    return Parameter("after", form, "`next` of the answer before.")


def _of(method: str) -> Ask:
    """What a method of `Prices` says."""
    return lambda prices, platform, **given: getattr(prices, method)(platform, **given)


async def _latest(asked: Asked, platform: str, media: str, pack: bool) -> Body | None:
    if "at" not in asked.values:
        return await asked.site.latest.body(platform, media)
    return await answered(LatestView, _of("latest"), asked, platform, media, pack)


async def _deals(prices: Any, platform: str, **given: Any) -> Any:  # noqa: ANN401 - see `Ask`
    wanted = {name: given.pop(name) for name in Wanted.__slots__ if name in given}
    return await prices.deals(platform, Wanted(**wanted), **given)


_WANTED = Wanted()
_DEALS = (
    Parameter("min_profit", whole(1), "Coins after tax.", default=_WANTED.min_profit),
    Parameter("min_roi", number(0, 100), "Profit by price.", default=_WANTED.min_roi),
    Parameter("min_sales", whole(0), "Of the fair price.", default=_WANTED.min_sales),
    Parameter("min_confidence", number(0, 1), "That it pays.", default=_WANTED.min_confidence),
    Parameter("max_price", whole(0), "What one can pay."),
    Parameter(
        "max_age", number(0, 1e9), "Seconds since the ask was seen.", default=_WANTED.max_age
    ),
    _POSITION,
    _MIN_OVERALL,
    Parameter("order", choice(*get_args(Order)), "What comes first.", default=_WANTED.order),
    _LIMIT,
)
_MOVERS = (
    Parameter("window", SPAN, "Against as long before.", default="24h"),
    Parameter("min_sales", whole(1, 1_000_000), "In both windows.", default=3),
    _LIMIT,
)
QUESTIONS = (
    question(
        "/api/v1/market",
        "Cards with their prices, the highest overall first",
        LatestView,
        _of("market"),
        *(_Q, _POSITION, _MIN_OVERALL, _LIMIT, _after(9)),
    ),
    made("/api/v1/market/latest", "The whole market in one answer", LatestView, _latest),
    question(
        "/api/v1/market/deals",
        "Asks below what their cards sell for after tax",
        DealsView,
        _deals,
        *_DEALS,
    ),
    question(
        "/api/v1/market/movers",
        "Cards whose sales are dearer or cheaper than before",
        MoversView,
        _of("movers"),
        *_MOVERS,
    ),
    question(
        "/api/v1/market/index",
        "What the whole market did: two days by hours, or thirty by days",
        IndexView,
        _of("index"),
        _BUCKET,
    ),
    question(
        "/api/v1/cards/{card_id}",
        "A card: its price, its lowest asks, its newest sales and its history",
        CardView,
        _of("card"),
        _CARD,
    ),
    question(
        "/api/v1/cards/{card_id}/prices",
        "Its history, in hours or days",
        BucketsView,
        _of("prices"),
        *(_CARD, _BUCKET, _SINCE, _UNTIL),
    ),
    question(
        "/api/v1/cards/{card_id}/asks",
        "What it is offered for, the lowest price first",
        AsksView,
        _of("asks"),
        _CARD,
    ),
    question(
        "/api/v1/cards/{card_id}/sales",
        "Its sales, the newest first",
        SalesView,
        _of("sales"),
        *(_CARD, _SINCE, _LIMIT, _after(17)),
    ),
    question(
        "/api/v1/sales",
        "Sales of all cards, the newest first",
        SalesView,
        _of("sales"),
        *(_OF_CARD, _SINCE, _LIMIT, _after(17)),
    ),
    question(
        "/api/v1/basket",
        "What cards cost at asks, bought one by one",
        BasketView,
        _of("basket"),
        _IDS,
    ),
)
