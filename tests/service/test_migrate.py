"""Migrations beside homes that run: they wait for batches, and an old m26 stores nothing more."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import anyio
import asyncpg
import pytest
from tests.support.wire import T0, auction, body, records

from m26.errors import StorageError
from m26.normalizer import Normalizer
from m26.store import connection as connections
from m26.store.database import opened
from m26.store.load import Loader
from m26.store.migrate import migrate
from m26.store.transaction import CursorMovedError
from m26.upstream.profile import Profile

pytestmark = pytest.mark.anyio
RULES = Profile.load("madden26").card
KEYS = "0002_keys_by_id.sql"
"""A migration of large tables that can be applied again."""
FORGET = "DELETE FROM m26.schema_migration WHERE name = $1"
WAITING = "SELECT count(*) FROM pg_locks WHERE relation = $1::text::regclass AND NOT granted"


class Storing:
    """Another process that stores a page after the other, as a drain does."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.pos = 0
        self.failed: list[str] = []
        self.enough = False

    async def run(self) -> None:
        async with opened(self.dsn) as store:
            loader = Loader(store, Normalizer(RULES))
            while not self.enough:
                n = self.pos
                page = body(*(auction(1 + 10 * n + i) for i in range(20)), at=T0 + n)
                try:
                    self.pos = (await loader.store("other", records(page, start=n))).pos
                except CursorMovedError as moved:
                    self.pos = moved.pos
                except connections.OUTAGES as error:
                    self.failed.append(connections.plain(error))


async def until(connection: asyncpg.Connection[Any], query: str, *args: Any) -> None:
    with anyio.fail_after(20):
        while not await connection.fetchval(query, *args):
            await anyio.sleep(0.01)


@pytest.mark.parametrize("rounds", [10, pytest.param(300, marks=pytest.mark.soak)])
async def test_a_migration_beside_a_home_that_stores_harms_neither(
    database: str, seed: int, rounds: int
) -> None:
    rng, other = random.Random(seed), Storing(database)
    came: list[Any] = []
    async with opened(database) as store:
        await store.migrate()
        watching = await asyncpg.connect(database)
        storing = asyncio.create_task(other.run())
        for _ in range(rounds):
            began = other.pos
            with anyio.fail_after(20):
                while other.pos == began:
                    await anyio.sleep(rng.random() / 100)
            await watching.execute(FORGET, KEYS)
            came += await asyncio.gather(store.migrate(), return_exceptions=True)
        other.enough = True
        await storing
        seqs = await watching.fetch("SELECT seq FROM m26.auction_event ORDER BY seq")
        await watching.close()

    assert came == [[KEYS]] * rounds
    assert [why for why in other.failed if why.startswith(("40", "55"))] == []
    assert len(seqs) == seqs[-1]["seq"] == 10 * other.pos + 10


async def test_a_migration_that_was_the_victim_of_a_deadlock_is_tried_again(database: str) -> None:
    async with opened(database) as store:
        await store.migrate()
        # Only a superuser may say who of two is the victim.
        other = await asyncpg.connect(database.replace("user=m26", "user=m26_admin"))
        await other.execute(FORGET, KEYS)
        name = await other.fetchval("SELECT current_database()")
        await other.execute(f"ALTER DATABASE {name} SET deadlock_timeout = '100ms'")
    async with opened(database) as store:
        async with other.transaction():
            await other.execute("SET LOCAL deadlock_timeout = '20s'")  # the migration is the victim
            await other.execute("LOCK TABLE m26.auction IN ROW EXCLUSIVE MODE")
            migrating = asyncio.create_task(store.migrate())
            await until(other, WAITING, "m26.auction")
            await other.execute("SELECT pg_advisory_xact_lock(7156278)")  # the migration has it
        (came,) = await asyncio.gather(migrating, return_exceptions=True)
        await other.close()

    assert came == [KEYS]


async def test_a_migration_waits_out_a_lock_timeout(database: str) -> None:
    async with opened(database) as store:
        await store.migrate()
        # Only a superuser may say who of two is the victim.
        other = await asyncpg.connect(database.replace("user=m26", "user=m26_admin"))
        await other.execute(FORGET, KEYS)
        name = await other.fetchval("SELECT current_database()")
        await other.execute(f"ALTER DATABASE {name} SET lock_timeout = '50ms'")
        async with opened(database) as limited:
            async with other.transaction():
                await other.execute("LOCK TABLE m26.auction IN ROW EXCLUSIVE MODE")
                migrating = asyncio.create_task(limited.migrate())
                await until(other, WAITING, "m26.auction")
                await anyio.wait_all_tasks_blocked()
                with anyio.move_on_after(0.3):
                    await asyncio.wait({migrating})
            (came,) = await asyncio.gather(migrating, return_exceptions=True)
        await other.close()

    assert came == [KEYS]


async def test_two_migrations_at_once_are_one(database: str) -> None:
    async with opened(database) as one, opened(database) as two:
        came = await asyncio.gather(
            one.migrate(), two.migrate(), one.migrate(), return_exceptions=True
        )
        applied = [row["name"] for row in await one.migration_status()]

    assert sorted(came, key=len) == [[], [], applied]


async def test_a_migration_that_cannot_be_made_names_who_is_in_its_way(database: str) -> None:
    async with opened(database) as store:
        await store.migrate()
        settings = {"application_name": "m26 attic/second@farm"}
        other = await asyncpg.connect(database, server_settings=settings)
        await other.execute(FORGET, KEYS)
        async with other.transaction(), store.acquire(timeout=5) as connection:
            await other.execute("SELECT FROM m26.stream_head FOR UPDATE")
            with pytest.raises(StorageError) as told:
                await migrate(connection, patience=0.2, lock_timeout=0.05)
        came = await store.migrate()
        await other.close()

    assert "by m26 of farm, pid" in told.value.message
    assert "(attic/second)" in told.value.message
    assert came == [KEYS]


async def test_a_connection_that_is_lost_in_a_migration_is_no_bug(database: str) -> None:
    async with opened(database) as store:
        await store.migrate()
        other = await asyncpg.connect(database)
        await other.execute(FORGET, KEYS)
        async with other.transaction():
            await other.execute("LOCK TABLE m26.auction IN ROW EXCLUSIVE MODE")
            migrating = asyncio.create_task(store.migrate())
            await until(other, WAITING, "m26.auction")
            await other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks"
                " WHERE relation = 'm26.auction'::regclass AND NOT granted"
            )
            (came,) = await asyncio.gather(migrating, return_exceptions=True)
        await other.close()

    assert isinstance(came, StorageError)
    assert came.exit_code == 6
