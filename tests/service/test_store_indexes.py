"""Indexes that are built beside storing: once, over kills and rivals, while batches go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import asyncpg
import pytest
from structlog.testing import capture_logs
from tests.support.wire import auction, body, records

from m26.normalizer import Normalizer
from m26.store.database import Store, opened
from m26.store.indexes import INDEXES, Index, Indexes
from m26.store.load import Loader
from m26.upstream.profile import Profile

pytestmark = pytest.mark.anyio
RULES = Profile.load("madden26").card
WANTED = (
    Index("auction_open_idx", "m26.auction (platform, expires_at) WHERE outcome IS NULL"),
    Index("auction_copy_idx", "m26.auction (platform, card_instance_id)"),
)
FOUND = """
SELECT c.relname, i.indisvalid, c.oid::bigint FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE c.relname IN ('auction_open_idx', 'auction_copy_idx') ORDER BY c.relname"""


@asynccontextmanager
async def migrated(dsn: str) -> AsyncIterator[tuple[Store, asyncpg.Connection[Any]]]:
    async with opened(dsn) as store:
        await store.migrate()
        connection = await asyncpg.connect(dsn)
        try:
            yield store, connection
        finally:
            await connection.close()


async def found(connection: asyncpg.Connection[Any]) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await connection.fetch(FOUND)]


@asynccontextmanager
async def held_up(dsn: str) -> AsyncIterator[None]:
    """Somebody's transaction, which every build waits for."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE m26.auction IN ROW EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


async def waits_for(connection: asyncpg.Connection[Any]) -> None:
    """Until an index is there that is not valid: it is being built."""
    with anyio.fail_after(10):
        while [(name, valid) for name, valid, _ in await found(connection)] != [
            ("auction_open_idx", False)
        ]:
            await anyio.sleep(0.02)


async def test_every_index_of_the_table_is_one_that_can_be_built(database: str) -> None:
    async with migrated(database) as (store, connection):
        await Indexes(store).run()
        count = "SELECT count(*) FROM pg_index WHERE indisvalid AND indexrelid = ANY($1)"
        names = [f"m26.{index.name}" for index in INDEXES]
        oids = [await connection.fetchval("SELECT $1::text::regclass::oid", n) for n in names]
        assert await connection.fetchval(count, oids) == len(INDEXES)


async def test_batches_go_on_while_an_index_is_built(database: str) -> None:
    async with migrated(database) as (store, connection):
        loader = Loader(store, Normalizer(RULES))
        async with anyio.create_task_group() as group, held_up(database):
            group.start_soon(Indexes(store, indexes=WANTED, pause=0.02).run)
            await waits_for(connection)
            with anyio.fail_after(5):
                stored = await loader.store("j", records(body(auction(7))))
            assert stored.new == 1
        assert [(name, valid) for name, valid, _ in await found(connection)] == [
            ("auction_copy_idx", True),
            ("auction_open_idx", True),
        ]
        before = await found(connection)
        await Indexes(store, indexes=WANTED).run()
        assert await found(connection) == before


async def test_what_a_rival_builds_is_not_built_twice(database: str) -> None:
    async with migrated(database) as (store, connection), opened(database) as other:
        with capture_logs() as logs:
            async with anyio.create_task_group() as group, held_up(database):
                group.start_soon(Indexes(store, indexes=WANTED, pause=0.02).run)
                await waits_for(connection)
                ((_, _, building),) = await found(connection)
                group.start_soon(Indexes(other, indexes=WANTED, pause=0.02).run)
                await anyio.sleep(0.3)
        built = sorted(log["index"] for log in logs if log["event"] == "index.built")
        assert built == ["auction_copy_idx", "auction_open_idx"]
        assert [oid for name, _, oid in await found(connection) if "open" in name] == [building]


async def test_an_index_that_a_kill_left_half_built_is_built_anew(database: str) -> None:
    async with migrated(database) as (store, connection):
        async with held_up(database), opened(database) as killed:
            task = asyncio.ensure_future(Indexes(killed, indexes=WANTED).run())
            await waits_for(connection)
            ((_, _, left),) = await found(connection)
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_progress_create_index"
            )
            with anyio.fail_after(10):
                while await connection.fetchval(
                    "SELECT count(*) FROM pg_stat_progress_create_index"
                ):
                    await anyio.sleep(0.02)
            task.cancel()
            await asyncio.wait({task})
        assert [(name, valid) for name, valid, _ in await found(connection)] == [
            ("auction_open_idx", False)
        ]
        await Indexes(store, indexes=WANTED, pause=0.02).run()
        assert all(valid for _, valid, _ in await found(connection))
        assert left not in [oid for *_, oid in await found(connection)]


async def test_a_build_that_outlives_its_process_is_waited_for(database: str) -> None:
    async with migrated(database) as (store, connection):
        alone = await asyncpg.connect(database)
        async with anyio.create_task_group() as group:
            async with held_up(database):
                name, on = WANTED[0]
                building = asyncio.ensure_future(
                    alone.execute(f"CREATE INDEX CONCURRENTLY {name} ON {on}")
                )
                await waits_for(connection)
                ((_, _, oid),) = await found(connection)
                group.start_soon(Indexes(store, indexes=WANTED[:1], pause=0.02).run)
                await anyio.sleep(0.3)
            await building
        await alone.close()
        assert await found(connection) == [("auction_open_idx", True, oid)]


async def test_partitions_of_before_are_found_by_time_as_well(database: str) -> None:
    async with migrated(database) as (store, connection):
        await Loader(store, Normalizer(RULES)).store("j", records(body(auction(7))))
        have = "SELECT to_regclass('m26.auction_event_p00000_time_idx') IS NOT NULL"
        assert await connection.fetchval(have)
        await connection.execute("DROP INDEX m26.auction_event_p00000_time_idx")
        await Indexes(store, indexes=()).run()
        assert await connection.fetchval(have)
