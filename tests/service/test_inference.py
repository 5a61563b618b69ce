"""What is inferred from a part's records is stored with them, the same wherever they are cut."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.support.trading import EARLY, Lot, Upstream, batches, lots, record, records
from tests.support.wire import T0, body

from m26.models import Record
from m26.normalizer import Normalizer
from m26.store.database import Store, opened
from m26.store.inference import Inference
from m26.store.load import Loader
from m26.upstream.profile import Profile

pytestmark = pytest.mark.anyio
RULES = Profile.load("madden26").card


@dataclass
class Place:
    """A database, and processes that store a part into it."""

    store: Store
    connection: asyncpg.Connection[Any]

    def loader(
        self, journal: Sequence[Record] = (), folder: Path | None = None, *, at_once: int = 2_000
    ) -> Loader:
        """A process that has just started."""

        def history(_: str, pos: int) -> Iterator[Record]:
            return (each for each in journal if each.pos >= pos)

        normalizer = Normalizer(RULES)
        inference = Inference(normalizer, folder=folder, history=history, at_once=at_once)
        return Loader(self.store, normalizer, inference=inference)

    async def load(self, loader: Loader, given: Sequence[Record], size: int = 7) -> None:
        for batch in batches(given, size):
            await loader.store("j", batch)

    async def empty(self) -> None:
        await self.connection.execute("DROP SCHEMA m26 CASCADE")
        await self.store.migrate()

    async def fetch(self, query: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self.connection.fetch(query)]

    async def events(self) -> list[tuple[Any, ...]]:
        return await self.fetch("SELECT * FROM m26.auction_event ORDER BY seq")

    async def row(self, auction_id: int) -> dict[str, Any]:
        query = "SELECT * FROM m26.auction WHERE auction_id = $1"
        return dict(await self.connection.fetchrow(query, auction_id) or {})


@asynccontextmanager
async def place(dsn: str) -> AsyncIterator[Place]:
    async with opened(dsn) as store:
        await store.migrate()
        connection = await asyncpg.connect(dsn)
        try:
            yield Place(store, connection)
        finally:
            await connection.close()


def lot(auction_id: int, outcome: str, *, end: int = 3600, **fields: Any) -> Lot:
    made = Lot(auction_id, 0, 3600, 2000, end, outcome, 600, auction_id, -9_000)
    return replace(made, **fields)


def script(upstream: Upstream, *asked: tuple[int, Sequence[int] | int]) -> list[Record]:
    """A search of an offset, or a refresh of ids, at each moment."""
    made = list[Record]()
    for now, what in asked:
        look = upstream.search if isinstance(what, int) else upstream.refresh
        made.append(record(len(made), *look(now, what), now))  # type: ignore[operator]
    return made


def told(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["outcome"], row["outcome_via"], row["evidence"], row["final_price"]


async def test_what_a_refresh_tells_is_one_event_with_its_row(database: str) -> None:
    upstream = Upstream([lot(1, "bid"), lot(2, "buyout", end=900), lot(3, "expired")])
    asked = [(60, 0), (660, 0), (960, [2]), (3700, [1, 2, 3]), (3720, 0)]
    async with place(database) as at:
        await at.load(at.loader(), script(upstream, *asked))

        assert told(await at.row(1)) == ("sold", "bid", "status", 300)
        assert told(await at.row(2)) == ("sold", "buyout", "status", 2000)
        assert told(await at.row(3)) == ("expired", None, "status", None)
        kinds = "SELECT auction_id, kind FROM m26.auction_event ORDER BY auction_id, seq"
        by_auction = await at.fetch(kinds)
        assert by_auction == [
            (1, "listed"), (1, "bid"), (1, "closed"),
            (2, "listed"), (2, "closed"), (2, "closed"),
            (3, "listed"), (3, "closed"),
        ]  # fmt: skip
        # that a sale is what ENDED means was known with the first that had expired
        again = (
            "SELECT confidence, evidence FROM m26.auction_event WHERE auction_id = 2 ORDER BY seq"
        )
        assert [c for c, e in await at.fetch(again) if e] == pytest.approx([0.98, 1.0])


async def test_what_nobody_tells_is_inferred_a_day_after_its_end_and_not_before(
    database: str,
) -> None:
    upstream = Upstream([lot(1, "expired"), lot(2, "expired", bid_at=10)])
    day = 24 * 3600
    asked = script(upstream, (3590, 0), (3610, 0), (3600 + day - 4000, 0), (3600 + day, 0))
    async with place(database) as at:
        loader = at.loader()
        await at.load(loader, asked[:3])
        assert told(await at.row(1)) == (None,) * 4
        await at.load(loader, asked[3:])
        row = await at.row(1)
        assert told(row)[::2] == ("expired", "past_expiry")
        assert row["closed_after"].timestamp() - T0 >= 3589
        assert row["closed_before"].timestamp() - T0 <= 3602
        assert row["closed_at"].timestamp() - T0 == 3600
        seen = "SELECT observed_at FROM m26.auction_event WHERE auction_id = 1 AND kind = 'closed'"
        ((observed,),) = await at.fetch(seen)
        assert observed.timestamp() == T0 + 3600 + day
        assert 0.5 <= row["confidence"] <= 1


async def test_a_copy_that_is_listed_again_tells_whether_it_was_sold(database: str) -> None:
    sold, kept = lot(1, "bid", copy=7), lot(2, "expired", copy=8)
    again = [
        lot(3, "expired", posted=4000, end=7600, copy=7, acquired=3601),
        lot(4, "expired", posted=4000, end=7600, copy=8),
    ]
    upstream = Upstream([sold, kept, *again])
    async with place(database) as at:
        await at.load(at.loader(), script(upstream, (3000, 0), (3590, 0), (4100, 0)))
        assert told(await at.row(1)) == ("sold", "bid", "relisted", 300)
        assert told(await at.row(2))[::2] == ("expired", "relisted")


async def test_what_a_refresh_leaves_out_is_gone_and_shown_again_it_is_taken_back(
    database: str,
) -> None:
    market = [
        lot(n, "expired" if n > 6 else "buyout", end=600 if n < 7 else 3600) for n in range(1, 13)
    ]
    upstream = Upstream(market, ended="omitted")
    everything = [each.id for each in market]
    asked = [(60, 0), (300, everything), *((620 + 20 * n, everything) for n in range(6))]
    given = script(upstream, *asked)
    shown = Upstream([lot(n, "expired") for n in range(1, 13)])
    given.append(record(len(given), *shown.refresh(800, [1, 7]), 800))
    async with place(database) as at:
        loader = at.loader()
        await at.load(loader, given[:-1])
        row = await at.row(1)
        assert told(row) == ("sold", "buyout", "absent", 2000)
        assert (
            row["closed_after"].timestamp(),
            row["closed_before"].timestamp(),
        ) == (T0 + 300, T0 + 620)
        assert told(await at.row(8)) == (None,) * 4
        await at.load(loader, given[-1:])
        assert told(await at.row(1)) == (None,) * 4
        last = "SELECT kind, outcome FROM m26.auction_event WHERE auction_id = 1 ORDER BY seq"
        assert (await at.fetch(last))[-2:] == [("closed", "sold"), ("changed", None)]


async def test_a_page_in_order_tells_what_is_not_on_it_and_an_unclear_one_does_not(
    database: str,
) -> None:
    market = lots(5, hours=3)
    given = records(Upstream(market), stop=2 * 3600)
    async with place(database) as at:
        await at.load(at.loader(), given)
        absent = "SELECT auction_id FROM m26.auction_event WHERE evidence = 'absent'"
        found = {auction_id for (auction_id,) in await at.fetch(absent)}
        assert found
        assert {each.outcome for each in market if each.id in found} <= set(EARLY)
    query = '{"filters":[{"id":1}],"itemName":""}'
    filtered = [replace(r, page=replace(r.page, query=query)) for r in given if r.page]
    async with place(database) as at:
        await at.empty()
        await at.load(at.loader(), filtered)
        assert await at.fetch(absent) == []


async def test_every_sure_label_is_right(database: str) -> None:
    market = lots(11)
    truth = {each.id: each for each in market}
    async with place(database) as at:
        await at.load(at.loader(), records(Upstream(market), stop=5 * 3600), 16)
        sure = await at.fetch(
            "SELECT auction_id, outcome, outcome_via, final_price, closed_after, closed_before"
            " FROM m26.auction WHERE confidence >= 0.9 AND coalesce(price_confidence, 1) >= 0.9"
        )
        assert len(sure) > 150
        for auction_id, outcome, via, price, after, before in sure:
            this = truth[auction_id]
            expected = (
                ("sold", this.outcome, this.buyout if this.outcome == "buyout" else 300)
                if this.outcome in ("buyout", "bid")
                else (this.outcome, None, None)
            )
            assert (outcome, via, price) == expected, auction_id
            assert after.timestamp() - T0 - 1 <= this.end <= before.timestamp() - T0 + 1


async def test_a_jump_of_the_clock_that_is_taken_back_moves_no_outcome(database: str) -> None:
    given = records(Upstream(lots(3)), stop=3 * 3600)
    day = 26 * 3600 * 1_000_000

    def jumped(each: Record) -> Record:
        assert each.page is not None
        if not 300 <= each.pos < 308:
            return each
        at = each.page.fetched_at + day
        return replace(each, page=replace(each.page, served_at=at, observed_at=at))

    closed = (
        "SELECT auction_id, outcome, outcome_via, final_price FROM m26.auction_event"
        " WHERE kind = 'closed' ORDER BY auction_id, seq"
    )
    async with place(database) as at:
        await at.load(at.loader(), [jumped(each) for each in given], 16)
        by_jump = await at.fetch(closed)
        assert len(by_jump) > 100
        await at.empty()
        await at.load(at.loader(), given, 16)
        assert by_jump == await at.fetch(closed)


async def test_an_error_reply_and_a_page_with_an_item_that_is_refused_prove_nothing(
    database: str,
) -> None:
    upstream = Upstream([lot(n, "expired") for n in range(1, 31)], size=30)
    looks = [(60 + 20 * n, 0) for n in range(8)]
    given = script(upstream, *looks)
    broken = body(*({**each.shown(240), **({"auctionId": "x"} if each.id == 20 else {})}
                    for each in reversed(upstream.lots)), at=T0 + 240)  # fmt: skip
    query = {"filters": [], "itemName": "", "offset": 0, "count": 30}
    given.append(record(len(given), query, broken, 240))
    given.append(record(len(given), query, b'{"error":{"errorname":"ERR_SYSTEM"}}', 260))
    async with place(database) as at:
        await at.load(at.loader(), given)
        assert told(await at.row(20)) == (None,) * 4
