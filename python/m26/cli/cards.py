"""``m26 market``: a card's page, its sales and what it is offered for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

from m26.cli.asking import Answer, Card, Question, Table, card_of, point_of, tell, there
from m26.cli.options import within
from m26.cli.output import Rows, text
from m26.cli.shown import ago, change, count, fair, moment, seen, spark, until

if TYPE_CHECKING:
    from m26.market.rows import AskView, BucketView, PriceView, SaleView
    from m26.market.views import CardView
    from m26.store.prices import Prices

_DAYS_SHOWN = 7


async def show(
    *card: Card,
    roi: Annotated[float, within(0, 1_000)] = 10.0,
    options: Question = Question(),
) -> int:
    """A card's page: floor, fair price, what it sells for net, last sales, history, asks.

    Example: ``m26 market show drew sanders 82``

    Args:
        card: its name, with overall, position or program where several are called so; or its id.
        roi: percent of return that `max buy` leaves.
        options: options of every question.
    """

    async def ask(prices: Prices, platform: str) -> Answer:
        from m26.market.views import CardView

        card_id = await card_of(prices, platform, card)
        found = await prices.card(platform, card_id, at=options.moment)
        found = there(found, options)
        tables = [
            _asks(found["asks"], found["market_time"], "Lowest asks"),
            _sales(found["sales"], "Last sales", of_one=True),
            _days(found["days"][-_DAYS_SHOWN:]),
        ]
        return Answer(found, CardView, tables, _facts(found, roi))

    return await tell(ask, options)


async def sales(
    *card: Card,
    since: str | None = None,
    limit: Annotated[int, within(1, 1_000)] = 25,
    after: str | None = None,
    options: Question = Question(),
) -> int:
    """Sales of a card, or of the whole market, the newest first.

    `sure` is how certain outcome and price are: below 80 % a sale is in no bucket, and weighs less
    in the fair price.

    Example: ``m26 market sales drew sanders 82 --since 2026-11-01``

    Args:
        card: its name, with overall, position or program where several are called so; or its id;
            default: all cards.
        since: a moment, ISO 8601 (UTC unless it says otherwise) or seconds since 1970.
        limit: how many at most.
        after: go on behind a page: its `next` in --json.
        options: options of every question.
    """
    begin = point_of(since)

    async def ask(prices: Prices, platform: str) -> Answer:
        from m26.market.views import SalesView

        card_id = await card_of(prices, platform, card) if card else None
        found = await prices.sales(
            platform, card_id, since=begin, limit=limit, after=after, at=options.moment
        )
        found = there(found, options)
        notes = [f"there are more: --after {found['next']}"] if found["next"] else []
        return Answer(found, SalesView, [_sales(found["items"], "", of_one=bool(card))], [], notes)

    return await tell(ask, options)


async def depth(
    *card: Card,
    limit: Annotated[int, within(1, 1_000)] = 20,
    options: Question = Question(),
) -> int:
    """What a card is offered for, price by price: how many, seen when, ending when.

    Example: ``m26 market depth drew sanders 82``

    Args:
        card: its name, with overall, position or program where several are called so; or its id.
        limit: how many prices are shown; --json and --csv have all.
        options: options of every question.
    """

    async def ask(prices: Prices, platform: str) -> Answer:
        from m26.market.views import AsksView

        card_id = await card_of(prices, platform, card)
        found = await prices.asks(platform, card_id, at=options.moment)
        found = there(found, options)
        asks = found["items"]
        shown = _asks(asks[:limit], found["market_time"], f"{found['name']} ({card_id})")
        notes = [] if asks else ["nobody offers it now"]
        if len(asks) > limit:
            last = asks[-1]
            notes.append(f"and up to {last['price']:,}, {last['cumulative']:,} asks in all")
        return Answer(found, AsksView, [shown], [], notes)

    return await tell(ask, options)


def _facts(found: CardView, roi: float) -> Rows:
    from m26.market.value import max_buy, net

    price = found["price"]
    worth = price["fair"]
    about = [
        str(price[key]) for key in ("overall", "position", "program") if price[key] is not None
    ]
    rows: Rows = [
        ("card", f"{price['name']}, {', '.join(about)}; id {price['card_id']}"),
        ("floor", _floor(price)),
        ("fair (80 %)", _fair(price)),
    ]
    if worth is not None:
        most = max_buy(worth, roi / 100)
        rows.append(("sells for", f"{net(worth):,} net; max buy for {roi:g} %: {most:,}"))
    rows.append(("last sale", _last(price)))
    rows.append(("quick-sell", _quicksell(found)))
    low, high = found["min_price"], found["max_price"]
    if low is not None or high is not None:
        shown = f"{text(low)} to {text(high)}; the game shows {text(found['median_price'])}"
        rows.append(("may ask", shown))
    rows += _history(found)
    if price["flags"]:
        rows.append(("flags", " ".join(price["flags"])))
    return rows


def _floor(price: PriceView) -> str:
    if price["floor"] is None:
        return "nobody offers it"
    then = "" if price["floor2"] is None else f", then {price['floor2']:,}"
    return (
        f"{price['floor']:,}{then}; {count(price['asks'], 'ask')}; seen {seen(price, word=' ago')}"
    )


def _fair(price: PriceView) -> str:
    if price["fair"] is None:
        return "being computed"
    sales, copies = count(price["n"], "sale"), count(price["n_copies"], "copy", "copies")
    return f"{fair(price)}; {sales} of {copies}, by {price['method']}"


def _last(price: PriceView) -> str:
    if price["last_sale"] is None:
        return "none was seen"
    return (
        f"{price['last_sale']:,}, {ago(price['last_sale_age'])} ago;"
        f" {price['sales_day']:,} in 24 h, {change(price['change_24h'])} against the 24 h before"
    )


def _quicksell(found: CardView) -> str:
    price = found["price"]
    worth, lowest = price["quicksell"], price["floor"]
    if not worth:
        return "-"
    each = "" if lowest is None else f"; the floor is {lowest / worth:.2f} coins for each"
    under = ", below it" if lowest is not None and lowest < worth else ""
    return f"{worth:,} of currency {text(found['discard_currency'])}{each}{under}"


def _history(found: CardView) -> Rows:
    return [
        (label, f"{spark(_medians(buckets, step))}  {_span(buckets)}")
        for label, buckets, step in (
            ("48 hours", found["hours"], timedelta(hours=1)),
            ("30 days", found["days"], timedelta(days=1)),
        )
        if any(each["n"] for each in buckets)
    ]


def _medians(buckets: list[BucketView], step: timedelta) -> list[float | None]:
    """Of the buckets that are there and, as gaps, of those between them that are not."""
    known = {datetime.fromisoformat(each["bucket"]): each["median"] for each in buckets}
    first, last = min(known), max(known)
    return [known.get(first + n * step) for n in range((last - first) // step + 1)]


def _span(buckets: list[BucketView]) -> str:
    lows = [each["low"] for each in buckets if each["low"] is not None]
    highs = [each["high"] for each in buckets if each["high"] is not None]
    return f"{min(lows):,} to {max(highs):,}, {count(sum(each['n'] for each in buckets), 'sale')}"


def _asks(asks: list[AskView], now: str | None, title: str) -> Table:
    from m26.market.value import net

    columns = ("price", "asks", "up to here", "net", "seen", "oldest seen", "first ends in")
    rows = [
        (
            *(each["price"], each["count"], each["cumulative"], net(each["price"])),
            *(until(now, each["newest_seen"]), until(now, each["oldest_seen"])),
            until(now, each["ends_at"]),
        )
        for each in asks
    ]
    return Table(columns, rows, title)


def _sales(found: list[SaleView], title: str, *, of_one: bool) -> Table:
    named = () if of_one else ("card", "ovr")
    columns = ("sold", "ago", *named, "price", "net", "by", "bids", "sure", "auction")
    rows = [
        (
            *(moment(each["closed_at"]), ago(each["age"])),
            *(() if of_one else (each["name"], each["overall"])),
            *(each["final_price"], each["net"], each["outcome_via"], each["bids"], _sure(each)),
            str(each["auction_id"]),
        )
        for each in found
    ]
    return Table(columns, rows, title)


def _sure(sale: SaleView) -> str:
    sure = sale["price_confidence"]
    sure = sale["confidence"] if sure is None else sure
    return "-" if sure is None else f"{sure:.0%}"


def _days(days: list[BucketView]) -> Table:
    columns = ("day", "sales", "low", "median", "high", "lowest ask", "listed", "seen of market")
    rows = [
        (
            *(each["bucket"][:10], each["n"], each["low"], each["median"], each["high"]),
            *(each["floor_min"], each["listed"]),
            "-" if each["coverage"] is None else f"{each['coverage']:.0%}",
        )
        for each in days
    ]
    return Table(columns, rows, "Days (UTC)")
