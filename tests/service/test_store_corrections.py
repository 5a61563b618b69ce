"""A database that an older rule of outcomes filled: each buyout is found again, once."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import anyio
import asyncpg
import pytest
from tests.docs.pages import DOCS, blocks
from tests.support import older
from tests.support.wire import T0, auction, body, records

from m26.normalizer import Normalizer
from m26.status.metrics import Metrics
from m26.store.corrections import Corrections
from m26.store.database import Store, opened
from m26.store.load import Loader
from m26.upstream.profile import Profile

pytestmark = pytest.mark.anyio
RULES = Profile.load("madden26").card
BY_BUYOUT = next(block.text for block in blocks(DOCS / "DATA.md") if "AS by_buyout" in block.text)


@asynccontextmanager
async def upgraded(dsn: str, auctions: int) -> AsyncIterator[tuple[Store, asyncpg.Connection[Any]]]:
    """The version before filled it; ours has migrated it."""
    async with opened(dsn) as store:
        await store.migrate()
        connection = await asyncpg.connect(dsn)
        try:
            await older.fill(connection, auctions)
            await store.migrate()
            yield store, connection
        finally:
            await connection.close()


def corrections(store: Store, *, size: int = 2_000) -> tuple[Corrections, Metrics, list[None]]:
    metrics, nudges = Metrics(), list[None]()
    made = Corrections(
        store, committed=lambda: nudges.append(None), metrics=metrics, size=size, pause=0
    )
    return made, metrics, nudges


async def test_after_an_upgrade_each_auction_that_ended_early_is_sold_by_buyout(
    database: str,
) -> None:
    async with upgraded(database, 100) as (store, connection):
        before = await connection.fetchval("SELECT seq FROM m26.stream_head")
        made, metrics, nudges = corrections(store)
        await made.run()

        await older.judge(connection, 100)
        assert made.corrected == 40
        [row] = await connection.fetch(BY_BUYOUT)  # what DATA.md asks says the truth
        assert tuple(row) == ("ps5", 60, Decimal("0.67"))
        assert metrics.value("m26_events_total", kind="closed") == 40
        assert nudges
        head = await connection.fetchval("SELECT seq FROM m26.stream_head")
        assert head == before + 40

        again, _, _ = corrections(store)
        await again.run()  # once
        assert again.corrected == 0
        assert await connection.fetchval("SELECT seq FROM m26.stream_head") == head


async def test_a_correction_that_is_cut_off_goes_on_where_it_was_beside_a_collector(
    database: str,
) -> None:
    async with upgraded(database, 2_500) as (store, connection):
        loader = Loader(store, Normalizer(RULES))
        stored = 0

        async def collect() -> None:
            nonlocal stored
            ids = range(stored * 50 + 1, stored * 50 + 51)
            page = body(*(auction(10_000_000 + n) for n in ids), at=T0 + stored)
            await loader.store("j", records(page, start=stored))
            stored += 1

        unread = list[Any]()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unread.append(context))
        async with opened(database) as other, anyio.create_task_group() as group:
            made, _, _ = corrections(other, size=250)
            group.start_soon(made.run)
            for cut in (200, 400):
                while made.corrected < cut:
                    await collect()
                await connection.execute(  # all connections but those of the collector and ours
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE query LIKE '%uncorrected%' AND pid <> pg_backend_pid()"
                )
            while made.corrected < 600:
                await collect()
            group.cancel_scope.cancel()
        gc.collect()  # or nobody is told of a failure that nobody has looked at
        assert unread == []
        place = await connection.fetchval("SELECT uncorrected FROM m26.stream_head")
        assert 0 < place < 4_500
        rivals = [corrections(store, size=100)[0] for _ in range(2)]
        await asyncio.gather(*(rival.run() for rival in rivals))
        await collect()

        await older.judge(connection, 2_500, others=50 * stored)


async def test_a_state_that_changes_meanwhile_is_the_one_that_the_correction_repeats(
    database: str,
) -> None:
    async with upgraded(database, 5) as (store, connection):
        loader = Loader(store, Normalizer(RULES))
        page = body(
            auction(1, auctionStatus="AUCTIONSTATUS_CANCELLED", secondsRemaining=0),
            auction(2, bid=400, bids=9, auctionStatus="AUCTIONSTATUS_ENDED", secondsRemaining=0),
            at=T0 + 900,
        )
        await loader.store("j", records(page, platform="ps5"))
        made, _, _ = corrections(store)
        await made.run()

        rows = await connection.fetch(
            "SELECT outcome, final_price, bids FROM m26.auction WHERE auction_id < 3 ORDER BY 1"
        )
        assert [tuple(row) for row in rows] == [("cancelled", None, 0), ("sold", 5000, 9)]
        events = await connection.fetch(
            "SELECT kind, outcome, bids, observed_at FROM m26.auction_event WHERE auction_id = 2"
            " ORDER BY seq"
        )
        assert [tuple(row)[:3] for row in events] == [
            ("listed", None, 0),
            ("closed", "sold", 2),
            ("bid", None, 9),
            ("closed", "sold", 9),
        ]
        assert events[3]["observed_at"] == events[1]["observed_at"]  # what it rests on


async def test_a_database_of_this_version_has_nothing_to_correct(database: str) -> None:
    async with opened(database) as store:
        await store.migrate()
        made, _, _ = corrections(store)
        await made.run()
        assert made.corrected == 0
        end = auction(7, auctionStatus="AUCTIONSTATUS_ENDED", secondsRemaining=0)
        loader = Loader(store, Normalizer(RULES))
        await loader.store("j", records(body(auction(7)), body(end, at=T0 + 60)))
        head = await store.head()
        await made.run()
        assert (made.corrected, await store.head()) == (0, head)
