"""``m26 market``: good buys now, and what a list of cards costs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from m26.cli.asking import Answer, Question, Table, card_of, named, seconds, tell
from m26.cli.options import within
from m26.cli.shown import ago, until
from m26.errors import M26Error, UsageError
from m26.market.deals import Order

if TYPE_CHECKING:
    from m26.market.views import DealsView
    from m26.store.prices import Prices

_MOST = 1_000
"""Cards of a basket."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    """Which deals are wanted."""

    min_profit: Annotated[int, within(1)] = 1
    """Coins that are left after tax."""
    min_roi: Annotated[float, within(0, 10_000)] = 0.0
    """Percent of what it costs."""
    min_sales: Annotated[int, within(0, 1_000)] = 3
    """Of which the fair price is made."""
    min_confidence: Annotated[float, within(0, 100)] = 80.0
    """Percent."""
    max_price: Annotated[int | None, within(0)] = None
    """What one can pay."""
    max_age: str = "15m"
    """How long ago the ask was seen, at most, as 90s, 10m or 72h."""
    position: str | None = None
    """As QB."""
    min_overall: Annotated[int | None, within(0, 999)] = None
    """Lowest overall."""
    order: Order = "expected"
    """By profit times confidence, by profit, by return, or the newest first."""


async def deals(
    *,
    good: Good = Good(),
    limit: Annotated[int, within(1, 1_000)] = 20,
    options: Question = Question(),
) -> int:
    """Live asks below what their card sells for after tax, those that promise most first.

    An auction whose time is over, or of which an end is known, is none. `sure` is how likely the
    card is worth more than it costs, after tax; `seen` how long ago the ask was looked at.

    Example: ``m26 market deals --min-profit 500 --max-age 10m``

    Args:
        good: which of them.
        limit: how many at most.
        options: options of every question.
    """
    from m26.market.deals import Wanted

    wanted = Wanted(
        min_profit=good.min_profit,
        min_roi=good.min_roi / 100,
        min_sales=good.min_sales,
        min_confidence=good.min_confidence / 100,
        max_price=good.max_price,
        max_age=seconds(good.max_age),
        position=good.position and good.position.upper(),
        min_overall=good.min_overall,
        order=good.order,
    )

    async def ask(prices: Prices, platform: str) -> Answer:
        from m26.market.views import DealsView

        found = await prices.deals(platform, wanted, limit=limit, at=options.moment)
        notes = [] if found["items"] else ["no ask is that good now"]
        if found["unpriced"]:
            notes.append(f"on offer without a fair price yet: {found['unpriced']:,}")
        return Answer(found, DealsView, [_table(found)], notes=notes)

    return await tell(ask, options)


def _table(found: DealsView) -> Table:
    columns = (
        *("card", "ovr", "pos", "costs", "fair (80 %)", "net", "profit", "roi", "sure"),
        *("next ask", "sales", "a day", "seen", "ends in", "id", "flags"),
    )
    rows = [
        (
            *(row["name"], row["overall"], row["position"], row["buyout_price"]),
            f"{row['fair']:,} ({row['fair_low']:,}-{row['fair_high']:,})",
            *(row["net"], row["profit"], f"{row['roi']:.0%}", f"{row['confidence']:.0%}"),
            *(row["next_ask"], row["n"], row["sales_day"], ago(row["age"])),
            until(found["market_time"], row["expires_at"]),
            *(str(row["card_id"]), " ".join(row["flags"])),
        )
        for row in found["items"]
    ]
    spare = ("id", "next ask", "a day", "net", "pos", "sales", "ends in", "roi")
    return Table(columns, rows, spare=spare)


async def basket(
    file: Path,
    /,
    *,
    options: Question = Question(),
) -> int:
    """What a list of cards costs now, bought one by one at the lowest asks.

    A line of the file is a card, by name or id, as ``drew sanders 82`` or ``3 x 13522975``;
    empty ones and those with a # in front are passed over.

    Example: ``m26 market basket set.txt``

    Args:
        file: the list.
        options: options of every question.
    """
    wanted = _lines(file)

    async def ask(prices: Prices, platform: str) -> Answer:
        from m26.market.views import BasketView

        ids, wrong = [], []
        for count, words in wanted:
            try:
                ids += count * [await card_of(prices, platform, words)]
            except M26Error as error:
                wrong.append(f"{error.message}. {error.hint}")
        if wrong:
            raise UsageError("; ".join(wrong), hint=f"Mend these lines of {file}.")
        found = await prices.basket(platform, ids, at=options.moment)
        columns = ("card", "wanted", "missing", "cost", "asks", "fair", "seen", "flags")
        rows = [
            (
                *(named(row), row["wanted"], row["missing"], row["cost"]),
                " ".join(f"{ask:,}" for ask in row["asks"]),
                *(row["fair"], until(found["market_time"], row["oldest_seen"])),
                " ".join(row["flags"]),
            )
            for row in found["items"]
        ]
        facts = [("cost", f"{found['cost']:,}"), ("fair", _worth(found["cost"], found["fair"]))]
        missing = sum(row["missing"] for row in found["items"])
        notes = [f"{missing} are not offered"] if missing else []
        return Answer(found, BasketView, [Table(columns, rows)], facts, notes)

    return await tell(ask, options)


def _worth(cost: int, fair: int | None) -> str:
    return "-" if not fair else f"{fair:,}; they cost {cost / fair:.0%} of that"


def _lines(file: Path) -> list[tuple[int, list[str]]]:
    """How many of what each line of a basket wants."""
    found = []
    for line in file.read_text("utf-8").splitlines():
        count, times, rest = line.strip().partition(" x ")
        many = bool(times) and count.strip().isdecimal()
        words = (rest if many else line).split()
        if words and not line.lstrip().startswith("#"):
            found.append((int(count) if many else 1, words))
    if not found or sum(count for count, _ in found) > _MOST:
        raise UsageError(f"{file} lists no cards, or over 1,000", hint="Write one card on a line.")
    return found
