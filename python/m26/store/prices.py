"""Questions about a market in; what the record and its rollups say, in one spelling, out.

An answer is made of one snapshot of the database, and says as of which event and market time it
holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

import orjson
from anyio.to_thread import run_sync

from m26.clock import at_micros, micros_of
from m26.market import deals as of_deals
from m26.market import rows, views
from m26.market.figures import index_points
from m26.store import index_statements, mover_statements
from m26.store import price_statements as statements
from m26.store.database import Store
from m26.store.naming import Naming
from m26.store.past import EVER, EVERYTHING, Needed, buckets
from m26.store.reading import asking, place, reading

_ALL_LEVELS, _OF_DAY = 1_000, 24
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
_HOURS, _DAYS = 2 * _DAY, 30 * _DAY
"""What a card's page, and the index, go back."""


class Prices:
    """Answers about the markets of one database.

    What every question takes as `at` is a moment of the past; None: the present. Those about one
    card answer with None where nothing was seen of it on that platform.

    Args:
        store: the database.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._naming = Naming()

    async def platforms(self) -> list[str]:
        """Those of which anything was seen."""
        async with asking(self._store) as connection:
            return [row[0] for row in await connection.fetch(statements.PLATFORMS)]

    async def as_of(self, platform: str) -> rows.AsOf:
        """What an answer about the present would hold for."""
        async with reading(self._store, platform, None) as found:
            return found.as_of

    async def mark(self, platform: str) -> object:
        """Of a market as it is: another one whenever an answer may be another."""
        async with asking(self._store) as connection:
            return await connection.fetchrow(statements.MARK, platform)

    async def latest(self, platform: str, *, at: datetime | None = None) -> views.LatestView:
        """The whole market."""
        _, text = await self.latest_json(platform, at=at)
        return cast("views.LatestView", orjson.loads(text))

    async def latest_json(
        self, platform: str, *, at: datetime | None = None
    ) -> tuple[rows.AsOf, str]:
        """What the answer holds for, and the whole of it as text, as the database spells it."""
        async with reading(self._store, platform, at) as found:
            items = await found.text(statements.LATEST, platform)
        head = orjson.dumps(found.as_of).decode().removesuffix("}")
        return found.as_of, f'{head},"items":{items},"next":null}}'

    async def market(
        self,
        platform: str,
        *,
        q: str | None = None,
        position: str | None = None,
        min_overall: int | None = None,
        limit: int = 100,
        after: str | None = None,
        at: datetime | None = None,
    ) -> views.LatestView:
        """Cards of a market, the highest overall first.

        Args:
            platform: of the market.
            q: words that a card has to have, see `m26.market.names`.
            position: as `QB`.
            min_overall: lowest overall.
            limit: how many at most.
            after: `next` of the answer before.
            at: see the class.
        """
        overall, last = place(after)
        async with reading(self._store, platform, at) as found:
            ids = None
            if q is not None:
                named = await run_sync((await self._naming.of(found)).exact, q)
                ids = [card["card_id"] for card in named]
            values = (platform, ids, position, min_overall, overall, last, limit + 1)
            statement = statements.MARKET if ids is None else statements.MARKET_OF
            items = await found.rows(statement, *values)
        kept, key = items[:limit], None
        if len(items) > limit:
            overall, last = kept[-1]["overall"], kept[-1]["card_id"]
            key = f"{-1 if overall is None else overall}_{last}"
        return {**found.as_of, "items": kept, "next": key}

    async def card(
        self, platform: str, card_id: int, *, at: datetime | None = None
    ) -> views.CardView | None:
        """A card's page; None: there is no such card on that platform."""
        sales = statements.NEWEST
        needed = Needed(cards=[card_id], hours=_HOURS, days=_DAYS, fair=True, sales=sales)
        async with reading(self._store, platform, at, needed) as found:
            since = found.now - _HOURS, found.now - _DAYS
            told = await found.texts(statements.PAGE, platform, card_id, *since)
        page = {name: orjson.loads(text) for name, text in told.items()}
        if not page["price"]:
            return None
        (price,), about = page.pop("price"), page.pop("about")
        made = {**found.as_of, "card_id": card_id, "price": price, **about, **page}
        return cast("views.CardView", made)

    async def prices(
        self,
        platform: str,
        card_id: int,
        *,
        bucket: rows.Bucket = "day",
        since: datetime | None = None,
        until: datetime | None = None,
        at: datetime | None = None,
    ) -> views.BucketsView | None:
        """A card's history: buckets that begin at `since` or later, and before `until`."""
        needed = buckets(bucket, EVER if at is None or since is None else at - since, [card_id])
        async with reading(self._store, platform, at, needed) as found:
            known = await found.card(card_id)
            if known is None:
                return None
            items = await found.buckets(card_id, bucket, since, until)
        return {**found.as_of, **known, "bucket": bucket, "items": items, "next": None}

    async def asks(
        self, platform: str, card_id: int, *, at: datetime | None = None
    ) -> views.AsksView | None:
        """What a card is offered for."""
        async with reading(self._store, platform, at, Needed(cards=[card_id])) as found:
            known = await found.card(card_id)
            if known is None:
                return None
            items = await found.rows(statements.ASKS, platform, [card_id], _ALL_LEVELS)
        return {**found.as_of, **known, "items": items, "next": None}

    async def sales(
        self,
        platform: str,
        card_id: int | None = None,
        *,
        since: datetime | None = None,
        limit: int = 100,
        after: str | None = None,
        at: datetime | None = None,
    ) -> views.SalesView | None:
        """Sales of a card, or of all; those from `since` on, the newest first."""
        cards = None if card_id is None else [card_id]
        micros, auction_id = place(after)
        begin = None if micros is None else at_micros(micros)
        needed = Needed(cards=cards, sales=limit + 1, until=begin, since=since)
        async with reading(self._store, platform, at, needed) as found:
            statement = statements.SALES if card_id is None else statements.CARD_SALES
            values = (platform, card_id, since, begin, auction_id, limit + 1)
            items = await found.rows(statement, *values)
            if card_id is not None and not items and await found.card(card_id) is None:
                return None
        kept, key = items[:limit], None
        if len(items) > limit:
            closed = datetime.fromisoformat(kept[-1]["closed_at"])
            key = f"{micros_of(closed)}_{kept[-1]['auction_id']}"
        return {**found.as_of, "items": kept, "next": key}

    async def deals(
        self,
        platform: str,
        wanted: of_deals.Wanted = of_deals.ANY,
        *,
        limit: int = 100,
        at: datetime | None = None,
    ) -> views.DealsView:
        """Asks below what their cards sell for after tax."""
        async with reading(self._store, platform, at) as found:
            asks = await found.rows(statements.DEALS, platform)
            unpriced = await found.connection.fetchval(statements.UNPRICED, platform)
        items = (await run_sync(of_deals.deals, asks, wanted))[:limit]
        return {**found.as_of, "unpriced": unpriced, "items": items, "next": None}

    async def movers(
        self,
        platform: str,
        *,
        window: int = 24,
        min_sales: int = 3,
        limit: int = 100,
        at: datetime | None = None,
    ) -> views.MoversView:
        """Cards that sold for more or less than `window` hours before.

        Of less than a day the window's sales count, against those of the one before; else the last
        24 hours, against the 24 before them, or the day that the moment back then was in.
        """
        statement: str
        when: object
        needed = EVERYTHING
        if window != _OF_DAY:
            needed = buckets("hour" if window < _OF_DAY else "day", (window + _OF_DAY) * _HOUR)
        async with reading(self._store, platform, at, needed) as found:
            if window < _OF_DAY:
                begin = found.begin(_HOUR, back=(window - 1) * _HOUR)
                statement, when = mover_statements.OF_HOURS, [begin - window * _HOUR, begin]
            elif window == _OF_DAY:
                statement, when = mover_statements.OF_A_DAY, None
            else:
                statement, when = mover_statements.OF_DAYS, found.begin(_DAY, back=window * _HOUR)
            items = await found.rows(statement, platform, when, min_sales, limit)
        told = {"window": window, "min_sales": min_sales, "items": items, "next": None}
        return cast("views.MoversView", {**found.as_of, **told})

    async def index(
        self, platform: str, *, bucket: rows.Bucket = "day", at: datetime | None = None
    ) -> views.IndexView:
        """What the market did, of two days by hours or of thirty by days."""
        back = _HOURS if bucket == "hour" else _DAYS
        needed = replace(buckets(bucket, back + _DAY), index=True)
        async with reading(self._store, platform, at, needed) as found:
            points = await found.rows(index_statements.TOLD[bucket], platform, found.now - back)
        items = index_points(points)
        return {**found.as_of, "bucket": bucket, "items": items, "next": None}

    async def basket(
        self, platform: str, ids: Sequence[int], *, at: datetime | None = None
    ) -> views.BasketView:
        """What cards cost at asks; one that is there twice is bought twice."""
        wanted = Counter(ids)
        async with reading(
            self._store, platform, at, Needed(cards=list(wanted), fair=True)
        ) as found:
            values = (platform, list(wanted), list(wanted.values()))
            items: list[rows.BasketItemView] = await found.rows(statements.BASKET, *values)
        fair = [each["fair"] and each["fair"] * each["wanted"] for each in items]
        return {
            **found.as_of,
            "cost": sum(each["cost"] for each in items),
            "fair": None if None in fair else sum(price for price in fair if price),
            "missing": [each["card_id"] for each in items if each["missing"]],
            "items": items,
            "next": None,
        }

    async def find(self, text: str, platform: str) -> list[rows.CandidateView]:
        """Cards that a text may mean, the likeliest first; of those alike in spelling the rest."""
        async with reading(self._store, platform, None) as found:
            return await run_sync((await self._naming.of(found)).find, text)
