"""examples/redis_consumer.py as a process, against what the product's own relay publishes."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import pytest
from redis.asyncio import Redis
from tests.support.servers import until
from tests.support.wire import T0, auction, body, records

from m26.normalizer import Normalizer
from m26.publish.client import connect
from m26.publish.relay import DATABASE, STREAM, Relay
from m26.status.telemetry import Telemetry
from m26.store.database import Store, opened
from m26.store.load import Loader
from m26.upstream.profile import Profile
from m26.wake import Wake

pytestmark = pytest.mark.anyio
PROGRAM = Path(__file__).parents[2] / "examples" / "redis_consumer.py"
GROUP, CONSUMER = "example", "one"
RULES = Profile.load("madden26").card


@dataclass(slots=True)
class Side:
    """Both servers of one m26, and the consumer's state file."""

    dsn: str
    url: str
    file: Path
    redis: Redis
    connection: asyncpg.Connection[Any]

    @asynccontextmanager
    async def collector(self) -> AsyncIterator[Store]:
        async with opened(self.dsn) as store:
            await store.migrate()
            yield store

    async def happens(self, *ids: int, bids: int = 0, part: str = "j") -> int:
        """Each auction is seen, which makes an event each, and they are published; the head."""
        async with self.collector() as store:
            seen = [auction(i, bid=100 + 50 * bids, bids=bids) for i in ids]
            start = await store.cursor(part)
            page = body(*seen, at=T0 + 60 * start)
            await Loader(store, Normalizer(RULES)).store(part, records(page, start=start))
            return await self.publish(store)

    async def publish(self, store: Store) -> int:
        relay = Relay(self.redis, store, maxlen=1_000_000, wake=Wake(), telemetry=Telemetry())
        return await relay.catch_up()

    @contextmanager
    def consumer(self) -> Iterator[subprocess.Popen[bytes]]:
        """The example, running inside the block and killed behind it."""
        command = [sys.executable, PROGRAM, self.file, "--redis", self.url, "--postgres", self.dsn]
        with self.file.with_suffix(".err").open("ab") as errors:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        try:
            yield process
            assert process.poll() is None, self.file.with_suffix(".err").read_text()
        finally:
            process.kill()
            process.wait()

    def known(self) -> tuple[int, dict[str, int]]:
        """How far the consumer is, and what it counted."""
        if not self.file.exists():
            return 0, {}
        with closing(sqlite3.connect(self.file)) as db:
            try:
                place = db.execute("SELECT seq FROM place").fetchone()
                counts = dict(db.execute("SELECT kind, events FROM counted"))
            except sqlite3.OperationalError:  # it has just made the file
                return 0, {}
        return (place[0] if place else 0), counts

    async def reaches(self, seq: int) -> None:
        """Wait until the consumer knows everything to `seq`, and exactly what history says."""
        await until(lambda: self.known()[0] == seq)
        rows = await self.connection.fetch(
            "SELECT kind, count(*) AS n FROM m26.auction_event WHERE seq <= $1 GROUP BY kind", seq
        )
        assert self.known() == (seq, {row["kind"]: row["n"] for row in rows})

    async def delivered_by_now(self) -> None:
        """Wait until the consumer was given all that stands in the stream."""
        top = (await self.redis.xinfo_stream(STREAM))["last-generated-id"]
        with anyio.fail_after(20):
            while (await self.redis.xinfo_groups(STREAM))[0]["last-delivered-id"] != top:
                await anyio.sleep(0.02)

    async def acknowledged(self) -> None:
        """Wait until nothing is pending in the group."""
        with anyio.fail_after(20):
            while await self.pending():
                await anyio.sleep(0.02)

    async def pending(self) -> int:
        return int((await self.redis.xpending(STREAM, GROUP))["pending"])

    async def delivered_and_lost(self, count: int) -> None:
        """Entries go to the consumer, which dies before it has done anything with them."""
        await self.redis.xreadgroup(GROUP, CONSUMER, {STREAM: ">"}, count=count)
        assert await self.pending() == count


@pytest.fixture
async def side(database: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Side]:
    redis, connection = connect(redis_url), await asyncpg.connect(database)
    yield Side(database, redis_url, tmp_path / "counts.db", redis, connection)
    await connection.close()
    await redis.aclose()


async def test_a_group_is_made_once_there_is_a_stream_and_events_are_counted(side: Side) -> None:
    with side.consumer():  # before m26 itself
        head = await side.happens(*range(1, 21))
        await side.reaches(head)
        assert (await side.redis.xinfo_groups(STREAM))[0]["name"] == GROUP
        head = await side.happens(*range(11, 31), bids=1)
        await side.reaches(head)
        await side.acknowledged()

    assert side.known() == (40, {"listed": 30, "bid": 10})


async def test_an_event_that_was_seen_sooner_than_it_was_published_is_the_known_one(
    side: Side,
) -> None:
    with side.consumer():
        await side.reaches(await side.happens(1, part="late"))
        await side.reaches(await side.happens(2, 3, bids=1))
        await side.acknowledged()
    with closing(sqlite3.connect(side.file)) as db, db:
        db.execute("UPDATE counted SET events = events + 100")  # to tell whether it begins anew
    async with side.collector() as store:
        late = records(body(auction(3, bid=150, bids=1), at=T0 - 60), start=1)
        stored = await Loader(store, Normalizer(RULES)).store("late", late)
    assert (stored.late, stored.seq) == (0, 3)
    head = await side.happens(4)
    with side.consumer():
        await until(lambda: side.known()[0] == head)
        await side.acknowledged()

    assert side.known() == (4, {"listed": 104})


async def test_entries_that_were_never_acknowledged_are_read_again_after_a_restart(
    side: Side,
) -> None:
    with side.consumer():
        await side.reaches(await side.happens(1, 2, 3))
        await side.acknowledged()
    head = await side.happens(4, 5, 6, 7)
    await side.delivered_and_lost(3)

    with side.consumer():
        await side.reaches(head)
        await side.acknowledged()


async def test_a_lost_acknowledgement_counts_nothing_twice(side: Side) -> None:
    with side.consumer():
        head = await side.happens(1, 2, 3)
        await side.reaches(head)
        await side.acknowledged()
    await side.redis.xgroup_setid(STREAM, GROUP, id="0-0")
    await side.delivered_and_lost(3)  # they are in the state already

    with side.consumer():
        await side.acknowledged()
        await side.reaches(head)
        await side.reaches(await side.happens(4))


async def test_what_was_trimmed_comes_from_history(side: Side) -> None:
    with side.consumer():
        await side.reaches(await side.happens(1, 2, 3))
        await side.acknowledged()
    await side.happens(4, 5, 6)
    await side.delivered_and_lost(2)
    head = await side.happens(*range(7, 20))
    await side.redis.xtrim(STREAM, maxlen=4, approximate=False)

    with side.consumer():
        await side.reaches(head)
        await side.acknowledged()


async def test_a_consumer_that_comes_late_begins_with_history(side: Side) -> None:
    head = await side.happens(*range(1, 30))
    await side.redis.xtrim(STREAM, maxlen=4, approximate=False)

    with side.consumer():
        await side.reaches(head)


async def test_a_wiped_redis_neither_loses_nor_doubles(side: Side) -> None:
    with side.consumer():
        await side.reaches(await side.happens(1, 2, 3))
        await side.redis.flushall()
        await side.reaches(await side.happens(4, 5))


async def test_the_stream_of_another_database_begins_anew(side: Side) -> None:
    with side.consumer():
        await side.reaches(await side.happens(*range(1, 9)))
        before = await side.redis.get(DATABASE)
        await side.connection.execute("DROP SCHEMA m26 CASCADE")
        head = await side.happens(11, 12, 13)
        assert await side.redis.get(DATABASE) != before
        await side.reaches(head)

    assert side.known() == (3, {"listed": 3})


async def test_a_database_that_was_set_back_is_noticed_even_when_it_has_caught_up(
    side: Side,
) -> None:
    with side.consumer():
        await side.reaches(await side.happens(1, 2, 3, 4, 5, 6))
    async with side.connection.transaction():  # an older dump is restored
        await side.connection.execute("DELETE FROM m26.auction_event WHERE seq > 2")
        await side.connection.execute("DELETE FROM m26.auction WHERE auction_id > 2")
        await side.connection.execute("UPDATE m26.stream_head SET seq = 2")
    async with side.collector() as store:
        await side.publish(store)
    head = await side.happens(*range(1, 8), bids=1)

    with side.consumer():
        await side.reaches(head)

    assert side.known() == (9, {"listed": 7, "bid": 2})


async def test_a_database_restored_while_redis_was_away_leaves_stream_and_counts_as_history(
    side: Side,
) -> None:
    with side.consumer():
        await side.reaches(await side.happens(1, 2, 3, 4, 5, 6))
        await side.acknowledged()
        await side.redis.xgroup_create(STREAM, "slow", id="2-0")
        async with side.connection.transaction():  # an older dump is restored
            await side.connection.execute("DELETE FROM m26.auction_event WHERE seq > 2")
            await side.connection.execute("DELETE FROM m26.auction WHERE auction_id > 2")
            await side.connection.execute("UPDATE m26.stream_head SET seq = 2")
        async with side.collector() as store:  # other things happen, and nobody publishes them
            page = body(*[auction(i, bid=150, bids=1) for i in range(1, 7)], at=T0 + 600)
            await Loader(store, Normalizer(RULES)).store("other", records(page))
            head = await side.publish(store)
        await side.reaches(head)

    rows = await side.connection.fetch("SELECT seq, data FROM m26.event_json ORDER BY seq")
    entries: Any = await side.redis.xrange(STREAM)
    assert [(entry, fields["data"]) for entry, fields in entries] == [
        (f"{row['seq']}-0", row["data"]) for row in rows
    ]
    assert side.known() == (8, {"listed": 6, "bid": 2})
    slow = next(g for g in await side.redis.xinfo_groups(STREAM) if g["name"] == "slow")
    assert slow["last-delivered-id"] == "2-0"


async def test_what_others_put_into_the_stream_is_acknowledged_and_counted_by_nobody(
    side: Side,
) -> None:
    with side.consumer():
        head = await side.happens(1, 2, 3)
        await side.reaches(head)
        for entry, data in ((f"{head}-1", "{}"), (f"{head}-2", "no JSON"), ("*", '{"seq":4}')):
            await side.redis.xadd(STREAM, {"data": data}, id=entry)
        await side.redis.xadd(STREAM, {"hello": "there"})
        await side.delivered_by_now()
        async with side.collector() as store:
            await side.publish(store)  # takes them away
        head = await side.happens(4, 5)
        await side.reaches(head)
        await side.acknowledged()

    assert side.known() == (5, {"listed": 5})


async def test_a_lost_state_is_made_again(side: Side) -> None:
    with side.consumer():
        head = await side.happens(1, 2, 3)
        await side.reaches(head)
    side.file.unlink()

    with side.consumer():
        await side.reaches(head)


async def test_history_that_is_kept_nowhere_is_told_and_passed(side: Side) -> None:
    await side.happens(*range(1, 20))
    await side.redis.xtrim(STREAM, maxlen=4, approximate=False)
    await side.connection.execute("DELETE FROM m26.auction_event WHERE seq < 16")

    with side.consumer():
        await until(lambda: side.known() == (19, {"listed": 4}))
    assert "no event 1 to 15 is kept" in side.file.with_suffix(".err").read_text()
