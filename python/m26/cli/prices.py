"""``m26 market``: floors, movers and the index: questions about a whole market."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from m26.cli.asking import Answer, Card, Question, Table, tell
from m26.cli.options import within
from m26.cli.shown import ago, change, fair, seen, spark
from m26.errors import UsageError

if TYPE_CHECKING:
    from m26.market.rows import PriceView
    from m26.store.prices import Prices

_SPARE = ("id", "24 h", "2nd", "a day", "asks", "sold", "sells for net", "last sale")
_UNPRICED = "fair prices are being computed: none of these cards has one yet"


async def floor(
    *words: Card,
    position: str | None = None,
    min_overall: Annotated[int | None, within(0, 999)] = None,
    limit: Annotated[int, within(1, 1_000)] = 20,
    after: str | None = None,
    options: Question = Question(),
) -> int:
    """What cards cost now and are worth: the lowest asks, the fair price, the last sale.

    The highest overall comes first. With fewer than three sales of its own a card's range stands
    before its fair price.

    Example: ``m26 market floor sanders --position QB``

    Args:
        words: what name, position, overall or program of a card have; default: all cards.
        position: as QB.
        min_overall: lowest overall.
        limit: how many cards at most.
        after: go on behind a page: its `next` in --json.
        options: options of every question.
    """

    async def ask(prices: Prices, platform: str) -> Answer:
        from m26.market.views import LatestView

        found = await prices.market(
            platform,
            q=" ".join(words) or None,
            position=position and position.upper(),
            min_overall=min_overall,
            limit=limit,
            after=after,
            at=options.moment,
        )
        columns = (
            *("card", "ovr", "pos", "floor", "2nd", "seen", "asks", "fair (80 %)", "sells for net"),
            *("last sale", "sold", "a day", "24 h", "id", "flags"),
        )
        items = found["items"]
        notes = [] if not items or any(each["fair"] for each in items) else [_UNPRICED]
        if found["next"]:
            notes.append(f"there are more: --after {found['next']}")
        return Answer(
            found,
            LatestView,
            [Table(columns, [_floor(row) for row in items], spare=_SPARE)],
            [],
            notes,
        )

    return await tell(ask, options)


def _floor(row: PriceView) -> tuple[object, ...]:
    return (
        row["name"],
        row["overall"],
        row["position"],
        row["floor"],
        row["floor2"],
        seen(row),
        row["asks"],
        fair(row),
        row["net"],
        row["last_sale"],
        ago(row["last_sale_age"]),
        row["sales_day"],
        change(row["change_24h"]),
        str(row["card_id"]),
        " ".join(row["flags"]),
    )


async def movers(
    *,
    window: str = "24h",
    min_sales: Annotated[int, within(1, 1_000)] = 3,
    limit: Annotated[int, within(1, 1_000)] = 20,
    options: Question = Question(),
) -> int:
    """Cards that sell for more or less than before, those that moved farthest first.

    Of less than a day the window's sales count against those of the window before; of more the
    last 24 hours against the day so long ago.

    Example: ``m26 market movers --window 7d --min-sales 5``

    Args:
        window: as 6h, 24h, 7d or 30d.
        min_sales: in each of both.
        limit: how many at most.
        options: options of every question.
    """
    hours = _hours(window)

    async def ask(prices: Prices, platform: str) -> Answer:
        from m26.market.views import MoversView

        found = await prices.movers(
            platform, window=hours, min_sales=min_sales, limit=limit, at=options.moment
        )
        columns = (
            *("card", "ovr", "pos", "change", "median", "before", "sales"),
            *("sales before", "fair", "floor", "id", "flags"),
        )
        rows = [
            (
                *(row["name"], row["overall"], row["position"], change(row["change"])),
                *(row["median"], row["median_before"], row["n"], row["n_before"], row["fair"]),
                *(row["floor"], str(row["card_id"]), " ".join(row["flags"])),
            )
            for row in found["items"]
        ]
        notes = [] if rows else ["no card has so many sales in both"]
        spare = ("id", "pos", "floor", "fair")
        return Answer(found, MoversView, [Table(columns, rows, spare=spare)], [], notes)

    return await tell(ask, options)


def _hours(text: str) -> int:
    """Whole hours up to 24, or whole days up to 60, of a window."""
    days = text.removesuffix("d")
    if text.endswith("d") and days.isdecimal() and 0 < int(days) <= 60:  # noqa: PLR2004
        return 24 * int(days)
    hours = text.removesuffix("h")
    if text.endswith("h") and hours.isdecimal() and 0 < int(hours) <= 24:  # noqa: PLR2004
        return int(hours)
    hint = "Write it as 1h to 24h, or as 1d to 60d."
    raise UsageError(f"{text!r} is no window", hint=hint)


async def index(
    *,
    bucket: Literal["hour", "day"] = "day",
    options: Question = Question(),
) -> int:
    """What the market does: its cards against themselves in the bucket before, 100 at first.

    Example: ``m26 market index --bucket hour``

    Args:
        bucket: thirty days, or the hours of two.
        options: options of every question.
    """

    async def ask(prices: Prices, platform: str) -> Answer:
        from m26.market.views import IndexView

        found = await prices.index(platform, bucket=bucket, at=options.moment)
        line = spark([row["index"] for row in found["items"]])
        facts = [("index", line)] if line else []
        columns = (bucket, "index", "change", "cards", "sales", "coins")
        rows = [
            (
                *(row["bucket"], row["index"], change(row["change"])),
                *(row["cards"], row["n"], row["coins"]),
            )
            for row in found["items"]
        ]
        notes = [] if rows else ["nothing yet: it is brought up to date every five minutes"]
        return Answer(found, IndexView, [Table(columns, rows)], facts, notes)

    return await tell(ask, options)
