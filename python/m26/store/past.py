"""A moment of the past in; a market as it was known then, in tables of the session, out.

Of the auctions that a question needs, the events up to the moment are folded into temporary tables,
and the statements of `m26.store.rollup_statements` make their figures, as of that market time.
Nothing of `m26` is written, nothing is locked, and at the transaction's end nothing is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from m26._native import Pricer
from m26.clock import EPOCH, micros_of
from m26.market.rows import Bucket
from m26.store import coverage_statements, fair, fair_reading, fair_statements, index_statements
from m26.store import past_statements as statements
from m26.store import rollup_statements as figures

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

EVER = timedelta(days=100_000)
"""As far back as there are events."""
_ONE_DAY, _MICRO = timedelta(days=1), timedelta(microseconds=1)
_NOW = timedelta(hours=49)
"""What `market_now` looks back for sales: two days from the full ten minutes before."""
_ROUNDS = (timedelta(days=30), EVER)
"""How far back the newest sales are looked for, where they are not among those that `market_now`
needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """What a question needs of the past."""

    cards: Sequence[int] | None = None
    """None: the whole market."""
    hours: timedelta | None = None
    """How far back buckets of hours are needed; None: not at all."""
    days: timedelta | None = None
    index: bool = False
    """The market's index of all these buckets but those of the first day, and nothing else."""
    fair: bool = False
    """What the cards were worth."""
    sales: int = 1
    """So many of the newest of each card; more than one of the whole market: these alone."""
    until: datetime | None = None
    """The newest before then, and those of just then; None: before the moment asked about."""
    since: datetime | None = None
    """All of them since then."""


EVERYTHING = Needed()
"""The whole market."""


def buckets(bucket: Bucket, back: timedelta, cards: Sequence[int] | None = None) -> Needed:
    """Buckets of one width are needed."""
    hours, days = (back, None) if bucket == "hour" else (None, back)
    return Needed(cards=cards, hours=hours, days=days)


class Past:
    """Fills the tables for one question, in a transaction that may write.

    Args:
        connection: in that transaction.
        platform: whose market it is.
        at: the moment.
    """

    def __init__(self, connection: PoolConnectionProxy[Any], platform: str, at: datetime) -> None:
        self._connection, self._platform, self._at = connection, platform, at

    async def show(self, needed: Needed) -> None:
        """Make all that the statements of a question read."""
        connection = self._connection
        await connection.execute(statements.SETTINGS)
        if not await connection.fetchval(statements.IS_READY):
            await connection.execute(statements.MAKE_READY)
        await connection.execute(figures.CREATE_TOUCHED)
        await connection.execute(statements.SET_TIME, self._platform, self._at)
        begin = min(self._at - _NOW, needed.since or self._at, *self._buckets(needed).values())
        if needed.fair:
            begin = min(begin, self._at - timedelta(days=fair_statements.DAYS))
        if needed.cards is None:
            await self._show_market(begin, needed)
        else:
            await self._fold(begin, needed.cards)
            await self._look_back(begin, needed.cards, needed)
            await self._roll_up(needed)
            await self._price(needed.cards)
            if needed.fair:
                await self._value()
        await connection.execute(statements.PLANS, "on", "on")

    def _buckets(self, needed: Needed) -> dict[Bucket, datetime]:
        """Since when which are needed."""
        given: tuple[tuple[Bucket, timedelta | None], ...]
        given = (("hour", needed.hours), ("day", needed.days))
        longest = self._at - EPOCH
        return {bucket: self._at - min(back, longest) for bucket, back in given if back is not None}

    async def _show_market(self, begin: datetime, needed: Needed) -> None:
        connection = self._connection
        await connection.execute(statements.UNINDEX)
        await connection.execute(statements.FOLD_MARKET, self._platform, self._at, begin)
        await self._take_final(needed)
        for bucket, since in self._buckets(needed).items():
            await connection.execute(statements.SOLD[bucket], since)
            if needed.index:
                values = (self._platform, since, since + _ONE_DAY - _MICRO)
                await connection.execute(index_statements.KEEP[bucket], *values)
        if needed.index:
            await connection.execute(statements.EMPTY)
        elif needed.sales > 1:
            await self._list_sales(needed)
        await connection.execute(statements.INDEX)
        if not needed.index and needed.sales == 1:
            await connection.execute(statements.PLANS, "off", "off")
            cards = await connection.fetchval(statements.CARDS, self._platform)
            await self._look_back(begin, cards, needed)
            await self._price(cards)

    async def _list_sales(self, needed: Needed) -> None:
        """Keep the market's newest sales alone, with all that is told of them."""
        connection, place = self._connection, (self._platform, self._at)
        newest = (needed.until, needed.sales)
        before, just_then = await connection.fetchrow(statements.NEWEST, *newest)  # type: ignore[misc]  # one row
        await connection.execute(statements.EMPTY)
        if len(before) < needed.sales and needed.since is None:
            await connection.execute(statements.FOLD_MARKET, *place, EPOCH)
            before, just_then = await connection.fetchrow(statements.NEWEST, *newest)  # type: ignore[misc]
            await connection.execute(statements.EMPTY)
        await connection.execute(statements.FOLD, *place, before + just_then)

    async def _fold(self, begin: datetime, cards: Sequence[int]) -> None:
        """Fold what matters of sales since `begin`, and of what was on offer since then."""
        since = max(begin, EPOCH + figures.RUNS) - figures.RUNS
        values = (self._platform, self._at, cards, since, self._at + _ONE_DAY)
        await self._connection.execute(statements.PLANS, "off", "on")
        await self._connection.execute(statements.FOLD_CARDS, *values)
        await self._connection.execute(statements.PLANS, "off", "off")

    async def _look_back(self, begin: datetime, cards: Sequence[int], needed: Needed) -> None:
        """Fold more of those cards that have fewer sales than are needed."""
        until = needed.until or self._at
        for back in _ROUNDS:
            values = (cards, begin, until, needed.sales)
            if not (cards := await self._connection.fetchval(statements.FEW_SALES, *values)):
                return
            begin = min(begin, until - min(back, until - EPOCH))
            await self._connection.execute(statements.FORGET, cards)
            await self._fold(begin, cards)

    async def _roll_up(self, needed: Needed) -> None:
        """Make buckets of all that was folded."""
        execute = self._connection.execute
        await self._take_final(needed)
        for bucket, since in self._buckets(needed).items():
            await execute(statements.TOUCH_BUCKETS, since)
            await execute(figures.OF_WIDTH[bucket])
            await execute(coverage_statements.COVER[bucket], since)
            await execute(statements.UNTOUCH)

    async def _take_final(self, needed: Needed) -> None:
        """Take days that are never computed again, as they are."""
        since = self._buckets(needed).get("day")
        if since is not None:
            values = (self._platform, needed.cards, since)
            await self._connection.execute(statements.FINAL_DAYS, *values)

    async def _price(self, cards: Sequence[int]) -> None:
        """Make `market_now`."""
        execute = self._connection.execute
        await execute(statements.TOUCH, self._platform, cards, self._at)
        await execute(figures.NOW, 0)
        await execute(coverage_statements.COVER_NOW)

    async def _value(self) -> None:
        """Make fair prices, with what is now known to hold for all cards but how the market went.

        The market's index would need the sales of all of its cards; and that of now knows what
        came later.
        """
        model = await self._connection.fetchrow(fair_statements.MODEL, self._platform)
        if model is None:
            return
        known = {**model, "index": [], "at": self._at}
        pricer = Pricer(now=micros_of(self._at), days=fair_statements.DAYS)
        ids = await self._connection.fetchval(fair_statements.ALL, self._platform) or []
        market = fair_reading.Market(
            self._platform, self._at, 0, ids, known, learns=False, is_new=False, pricer=pricer
        )
        await fair_reading.add(self._connection, market, ids)
        await (await fair.price(market)).write(self._connection)
