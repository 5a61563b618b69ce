"""What is old goes, with a plan before it: prices stay, and nobody takes what is gone for new."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import asyncpg
import pytest
from structlog.testing import capture_logs
from tests.oracle.prices import judge
from tests.support.storing import Process
from tests.support.wire import T0, auction, body

from m26.errors import StorageError, UsageError
from m26.publish.follow import follow
from m26.status.metrics import Metrics
from m26.store import pruning, retention
from m26.store.closings import Inferred
from m26.store.database import Store, opened
from m26.store.partitions import EVENTS
from m26.store.reading import reading
from m26.store.rollups import Rollups

pytestmark = pytest.mark.anyio
HOUR, DAY = 3_600, 86_400
B = (T0 // DAY - 100) * DAY
"""The first day of the history."""
CUT = timedelta(days=35)
SOLD = {"auctionStatus": "AUCTIONSTATUS_ENDED", "secondsRemaining": 0}
JUMP = """
UPDATE m26.stream_head SET seq = $1, uncorrected = 0;
UPDATE m26.rollup_cursor SET seq = $1"""


@dataclass
class Market:
    """A history of two partitions: a week in June, and three weeks later another one."""

    store: Store
    connection: asyncpg.Connection[Any]
    process: Process

    async def show(self, day: float, *lots: int, left: int = HOUR, **fields: Any) -> Any:
        """A page that shows lots at a moment; each was posted an hour before its first day."""
        at = B + day * DAY
        posted = {"postingTime": int(at) - HOUR, "secondsRemaining": left, **fields}
        shown = (auction(lot, buyoutPrice=900 + lot, **posted) for lot in lots)
        return await self.process.store(body(*shown, at=at), part=f"{day}")

    async def roll(self) -> None:
        now = await self.connection.fetchval("SELECT max(observed_at) FROM m26.auction_event")
        rollups = Rollups(self.store, turn=anyio.Lock(), metrics=Metrics(), now=now.timestamp)
        while await rollups.step():
            pass

    async def table(self, name: str, order: str) -> list[dict[str, Any]]:
        rows = await self.connection.fetch(f"SELECT * FROM m26.{name} ORDER BY {order}")
        return [dict(row) for row in rows]

    async def plan(self, **options: Any) -> retention.Plan:
        return await pruning.plan(self.store, CUT, **{"published": None, **options})

    async def prune(self, **options: Any) -> None:
        await pruning.decide(self.store, await self.plan())
        await pruning.finish(self.store, pause=0, **options)

    async def ids(self, table: str = "auction") -> set[int]:
        query = f"SELECT DISTINCT auction_id FROM m26.{table}"
        return {row[0] for row in await self.connection.fetch(query)}

    async def drift(self) -> dict[str, int]:
        rows = await self.connection.fetch(
            "SELECT path || '/' || kind, count FROM m26.drift WHERE kind IN ('pruned', 'final')"
        )
        return dict(map(tuple, rows))


@asynccontextmanager
async def market(dsn: str, *, far: bool = False) -> AsyncIterator[Market]:
    """Days 0 and 3 in the first partition, days 4 to 60 in the second; 9 stands in both."""
    async with opened(dsn) as store:
        await store.migrate()
        connection = await asyncpg.connect(dsn)
        try:
            made = Market(store, connection, Process(connection, far=far))
            await made.show(0, 1, 2, 3)
            await made.show(0.5, 1, bid=5000, bids=3, postingTime=B - HOUR, **SOLD)
            await made.show(3.8, 9, left=72 * HOUR)
            await made.roll()
            await connection.execute(JUMP.replace("$1", str(EVENTS - 1)))
            await made.show(4, 9, bid=700, bids=1, postingTime=int(B + 3.8 * DAY) - HOUR)
            await made.show(7.9, 70)  # of a day that becomes final, and stays
            await made.show(20, 20, 21)
            await made.show(20.2, 20, bid=2100, bids=2, postingTime=B + 20 * DAY - HOUR, **SOLD)
            await made.show(60, 40)
            await made.roll()
            yield made
        finally:
            await connection.close()


async def test_a_plan_says_what_goes_and_changes_nothing(database: str) -> None:
    async with market(database) as made:
        before = [await made.table("auction_event", "seq"), await made.table("price_hour", "1, 3")]
        plan = await made.plan()
        assert plan.limit == datetime.fromtimestamp(B + 25 * DAY, UTC)
        assert plan.before == datetime.fromtimestamp(B + 7 * DAY, UTC)
        assert (plan.last_seq, plan.stays, plan.holds) == (EVENTS - 1, 6, [])
        assert plan.first == datetime.fromtimestamp(B, UTC)
        assert plan.last == datetime.fromtimestamp(B + 3.8 * DAY, UTC)
        assert plan.stays_from == datetime.fromtimestamp(B + 4 * DAY, UTC)
        rows = {each.table: each.rows for each in plan.going}
        assert rows == {
            "auction_event": 5,
            "auction": 4,
            "price_hour": 3,
            "coverage_hour": 0,
            "sweep": 0,
        }
        assert plan.going[0].to_disk
        assert plan.going[0].bytes > 8192
        assert not any(each.to_disk for each in plan.going[1:])
        assert before == [
            await made.table("auction_event", "seq"),
            await made.table("price_hour", "1, 3"),
        ]
        younger = await pruning.plan(made.store, timedelta(days=56), published=None)
        assert (younger.before, younger.going) == (None, [])
        assert younger.next_at == datetime.fromtimestamp(B + (3.8 + 56) * DAY + 97 * HOUR, UTC)


async def test_days_that_are_pruned_keep_their_prices_and_are_final(database: str) -> None:
    async with market(database) as made:
        days, nows = await made.table("price_day", "bucket"), await made.table("market_now", "1")
        await made.prune()
        assert await made.ids() == {70, 20, 21, 40}
        assert await made.ids("auction_event") == {9, 70, 20, 21, 40}  # its last event is younger
        oldest = datetime.fromtimestamp(B + (7 + 30) * DAY, UTC)
        assert await retention.oldest_moment(made.connection) == oldest
        async with reading(made.store, "ps5", oldest):
            pass
        with pytest.raises(UsageError, match=f"moments from {oldest:%Y-%m-%d}"):
            async with reading(made.store, "ps5", oldest - timedelta(seconds=1)):
                pass
        after = await made.table("price_day", "bucket")
        finals = [row.pop("final") for row in after]
        assert after == [{n: v for n, v in row.items() if n != "final"} for row in days]
        assert finals == [row["bucket"].timestamp() < B + 7 * DAY for row in days]
        assert finals.count(True) == 3
        hours = await made.table("price_hour", "bucket")
        assert {row["bucket"].timestamp() >= B + 7 * DAY for row in hours} == {True}

        await made.connection.execute("UPDATE m26.rollup_cursor SET seq = 4999998")
        await made.roll()  # all that is left of the events, once more
        again = await made.table("price_day", "bucket")
        assert [row.pop("final") for row in again] == finals
        assert again == after
        assert [{**row, "seq": 0} for row in await made.table("market_now", "1")] == [
            {**row, "seq": 0} for row in nows
        ]
        assert await judge(made.connection, loads=json.loads)
        assert await made.drift() == {}
        assert (await made.plan()).before is None
        with capture_logs() as logs:
            async with aclosing(follow(made.store, None, after=2)) as events:
                assert (await anext(events))[0] == EVENTS
        assert [(log["event"], log["wanted"], log["first"]) for log in logs] == [
            ("follow.pruned", 3, EVENTS)
        ]


@pytest.mark.parametrize("far", [False, True])
async def test_what_is_told_of_pruned_auctions_is_drift_and_nothing_else(
    database: str, far: bool
) -> None:
    async with market(database, far=far) as made:
        await made.prune()
        days = await made.table("price_day", "bucket")
        events = await made.table("auction_event", "seq")
        late = await made.show(0.2, 2, 5, postingTime=B - HOUR)  # a replay of then
        old = {"postingTime": B - HOUR, "bid": 5000, "bids": 3, **SOLD}
        page = body(auction(1, **old), auction(6, **old), auction(20, **old), at=B + 21 * DAY)
        seen = await made.process.store(page, part="again")  # told once more, or for the first time
        assert (late.pruned, late.new, seen.pruned, seen.new) == (2, 0, 3, 0)
        sold = ("sold", "bid", "relisted", 0.9, 300, 0.9, None, None, int((B + DAY) * 1e6))
        outcome: Inferred = (0, "ps5", 3, int((B + 61.1 * DAY) * 1e6), sold)
        told = await made.process.store(body(at=B + 61.1 * DAY), inferred=[outcome], part="o")
        assert (told.pruned, told.kinds.total()) == (1, 0)
        assert await made.table("auction_event", "seq") == events
        assert await made.ids() == {70, 20, 21, 40}
        assert await made.drift() == {"auction/pruned": 6}
        await made.show(61.2, 42)  # all else goes on
        assert 42 in await made.ids()

        # An auction of the last final days is still there: its outcome is told, and no price of it.
        at = int((B + 6.9 * DAY) * 1e6)
        await made.connection.execute(
            "UPDATE m26.auction SET posted_at = posted_at - interval '1 day' WHERE auction_id = 70"
        )
        ended: Inferred = (0, "ps5", 70, at + 9, (*sold[:6], None, None, at))
        done = await made.process.store(body(at=B + 61.3 * DAY), inferred=[ended], part="p")
        await made.roll()
        assert done.outcomes == {"relisted": 1}
        assert (await made.drift())["price_day/final"] == 1
        kept = [row for row in await made.table("price_day", "bucket") if row["final"]]
        assert kept == [row for row in days if row["final"]]


async def test_a_pruning_that_is_killed_goes_on_where_it_was(database: str, seed: int) -> None:
    async with market(database) as made:
        draw, days = random.Random(seed), await made.table("price_day", "bucket")
        await pruning.decide(made.store, await made.plan())
        for _ in range(12):
            task = asyncio.ensure_future(pruning.finish(made.store, pause=0, size=1))
            await asyncio.sleep(draw.random() * 0.06)
            task.cancel()
            await asyncio.wait({task})
            assert {20, 21, 40, 70} <= await made.ids()
        assert (await made.plan()).is_begun == (await made.store.first_seq() < EVENTS)
        await pruning.finish(made.store, pause=0)
        assert await made.ids() == {20, 21, 40, 70}
        assert await made.store.first_seq() == EVENTS
        assert not (await made.plan()).is_begun
        after = await made.table("price_day", "bucket")
        assert [{**row, "final": False} for row in after] == days
        assert not await pruning.finish(made.store)


async def test_readers_are_waited_for_and_storing_goes_on(database: str) -> None:
    async with market(database) as made:
        await pruning.decide(made.store, await made.plan())
        reader = await asyncpg.connect(database)
        async with reader.transaction():
            await reader.fetch("SELECT count(*) FROM m26.auction_event")
            with pytest.raises(StorageError, match=r"not dropped in 0 s.*pid \d+, reads events"):
                await pruning.finish(made.store, pause=0, patience=0)
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: pruning.finish(made.store, pause=0))
                for n in range(20):
                    with anyio.fail_after(1):
                        await made.show(62 + n / 100, 100 + n)
                    await anyio.sleep(0.02)
                assert await made.store.first_seq() < EVENTS
                await reader.execute("ROLLBACK; BEGIN")
        assert await made.store.first_seq() == EVENTS
        await reader.close()


async def test_who_is_not_through_holds_a_pruning_back(database: str) -> None:
    async with market(database) as made:
        assert (await made.plan(published=EVENTS)).before is not None
        held = await made.plan(published=EVENTS - 2)
        assert held.before is None
        assert held.holds == [
            "the Redis stream ends at event 4,999,998: `m26 run` publishes the rest"
        ]
        assert (await made.plan(holds=["Redis is away"])).holds == ["Redis is away"]
        for change, back, word in (
            (
                "rollup_cursor SET seq = 2",
                f"rollup_cursor SET seq = {EVENTS + 5}",
                "prices have 2 of",
            ),
            ("stream_head SET uncorrected = NULL", "stream_head SET uncorrected = 0", "outcomes"),
            ("stream_head SET bygone = '[1,9)'", "stream_head SET bygone = NULL", "outcomes"),
        ):
            await made.connection.execute(f"UPDATE m26.{change}")
            held = await made.plan()
            assert (held.before, len(held.holds)) == (None, 1)
            assert word in held.holds[0]
            await made.connection.execute(f"UPDATE m26.{back}")
        assert (await made.plan()).holds == []


async def test_a_partition_is_made_in_time_and_waits_for_no_reader(database: str) -> None:
    names = "SELECT to_regclass('m26.auction_event_p0000' || n)::text FROM generate_series(1, 3) n"
    async with market(database) as made:
        reader = await asyncpg.connect(database)
        async with reader.transaction():
            await reader.fetch("SELECT count(*) FROM m26.auction_event")
            with anyio.fail_after(2):
                await made.store.make_partition()
                await made.store.make_partition()
                found = [row[0] for row in await made.connection.fetch(names)]
                assert found == ["auction_event_p00001", "auction_event_p00002", None]
                await made.connection.execute(JUMP.replace("$1", str(3 * EVENTS - 1)))
                await made.show(63, 200)  # a batch that comes first makes its own
        await reader.close()
        assert await made.store.first_seq() == 1
        of = "SELECT tableoid::regclass::text FROM m26.auction_event WHERE auction_id = 200"
        assert await made.connection.fetchval(of) == "auction_event_p00003"


async def test_sizes_tell_what_a_day_adds(database: str) -> None:
    async with market(database) as made:
        for n in range(70):
            await made.show(61 + n / 10, 300 + n)
        await made.roll()
        sizes = await made.store.sizes(CUT)
        found = {each.table: each for each in sizes.tables}
        assert sizes.measured_since == datetime.fromtimestamp(B + 60.9 * DAY, UTC)
        assert (found["auction_event"].rows_per_day, found["auction"].rows_per_day) == (10, 10)
        assert found["auction"].rows == 78
        assert found["auction"].bytes_per_day == round(
            found["auction"].bytes * 10 / found["auction"].rows
        )
        assert found["market_now"].rows_per_day is None
        assert sizes.bytes == sum(each.bytes for each in sizes.tables)
        assert sizes.bytes_per_day is not None
        assert sizes.oldest_event == datetime.fromtimestamp(B, UTC)
        assert sizes.oldest_moment is None
        assert sizes.prunable_bytes > 8192
