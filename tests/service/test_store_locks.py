"""Who holds the stream head, and for how long: nobody stops the others, and all say who it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import pytest
from tests.service.test_drain import draining
from tests.support.proxy import Faults, Proxy
from tests.support.wire import T0, auction, body, records

from m26.cli import database_checks
from m26.embedded.postgres import Postgres
from m26.normalizer import Normalizer
from m26.status.conditions import State
from m26.store.connection import LIMIT, OUTAGES, is_busy, is_passing, session_name
from m26.store.database import Store, opened
from m26.store.load import Loader
from m26.store.migrate import SchemaNewerError
from m26.store.transaction import Stored
from m26.upstream.profile import Profile

pytestmark = pytest.mark.anyio
RULES = Profile.load("madden26").card
HEAD = "SELECT FROM m26.stream_head FOR UPDATE"


@asynccontextmanager
async def session(dsn: str, name: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """A connection of somebody who calls himself so."""
    connection = await asyncpg.connect(dsn, server_settings={"application_name": name})
    try:
        yield connection
    finally:
        connection.terminate()


async def test_the_server_ends_what_a_lost_or_frozen_session_began(database: str) -> None:
    names = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count")
    async with opened(database) as store, store.acquire(timeout=5) as connection:
        rows = await connection.fetch("SELECT name, reset_val FROM pg_settings")

    found = {row["name"]: row["reset_val"] for row in rows}
    assert found["transaction_timeout"] == "30000"
    idle, interval, count = (int(found[name]) for name in names)
    assert 0 < idle + interval * count <= 30
    assert 0 < int(found["tcp_user_timeout"]) <= 30_000
    assert found["application_name"].startswith("m26 ")


async def test_who_holds_the_stream_head_is_told_and_not_that_postgres_is_away(
    database: str, tmp_path: Path
) -> None:
    async with (
        draining(database, tmp_path, silence=0.1) as made,
        session(database, "m26 attic/second@farm") as other,
    ):
        async with other.transaction():
            await other.execute(HEAD)
            made.append(1)
            await made.until(lambda: made.status.current.state is State.COLLECTING)
            await made.until(lambda: bool(made.status.current.reason))
            told = made.status.current
            pid = await other.fetchval("SELECT pg_backend_pid()")
        await made.until(lambda: made.drain.pos == 1)

        assert told.state is State.COLLECTING
        assert told.reason.startswith("postgres_busy: stream_head is held since ")
        assert told.reason.endswith(f" s by m26 of farm, pid {pid} (attic/second)")
        assert made.status.current.reason == ""


@asynccontextmanager
async def through_a_proxy(
    postgres: Postgres, dsn: str, folder: Path, faults: Faults, *, limit: float = 30
) -> AsyncIterator[Store]:
    """A store whose connections may be harmed on their way."""
    name, target = ".s.PGSQL.5432", postgres.socket_folder
    async with (
        Proxy(folder / name, target / name, faults),
        opened(dsn.replace(str(target), str(folder)), name="m26 a@farm", limit=limit) as store,
    ):
        yield store


async def freeze(store: Store, faults: Faults, at: bytes) -> asyncio.Task[Any]:
    """Let a process store a page, and freeze it at these bytes."""
    await store.migrate()
    faults.freeze_at, faults.freeze_after = at, 100
    loader = Loader(store, Normalizer(RULES))
    task = asyncio.create_task(loader.store("a", records(body(auction(1)))))
    while not faults.frozen:
        await asyncio.sleep(0.01)
    return task


async def store_at_last(store: Store) -> Stored:
    """Store a page as a drain does, however often the lock is waited for in vain."""
    loader = Loader(store, Normalizer(RULES))
    while True:
        try:
            return await loader.store("b", records(body(auction(2), at=T0 + 1)))
        except OUTAGES as error:
            if not is_busy(error):
                raise


@pytest.mark.parametrize("at", [b"UPDATE m26.stream_head", b"PGCOPY"])
@pytest.mark.parametrize("limit", [0.5, pytest.param(LIMIT, marks=pytest.mark.soak)])
async def test_a_collector_that_is_frozen_stops_another_one_no_longer_than_its_limit(
    postgres: Postgres, database: str, tmp_path: Path, seed: int, at: bytes, limit: float
) -> None:
    faults = Faults(seed)
    async with (
        through_a_proxy(postgres, database, tmp_path, faults, limit=limit) as frozen,
        opened(database, name="m26 b@here") as other,
    ):
        task = await freeze(frozen, faults, at)
        storing = asyncio.create_task(store_at_last(other))
        while not storing.done():
            await other.holder(deadline=5, limit=limit, grace=0.5)
            await asyncio.sleep(0.05)
        (lost,) = await asyncio.gather(task, return_exceptions=True)

        assert (await storing).seq == 1
        assert isinstance(lost, OUTAGES)
        assert await other.holder(deadline=5) is None


async def test_a_frozen_m26_that_its_server_does_not_end_is_ended_by_who_waits(
    database: str,
) -> None:
    async with opened(database) as store, session(database, "m26 a@farm") as old:  # no limits
        await store.migrate()
        await old.execute(f"BEGIN; {HEAD}")
        assert await store.holder(deadline=5, limit=60) is not None
        assert await old.fetchval("SELECT 1") == 1
        with anyio.fail_after(20):
            while await store.holder(deadline=5, limit=0, grace=0.2) is not None:
                await asyncio.sleep(0.02)
        with pytest.raises(OUTAGES):
            await old.execute("COMMIT")


async def test_nobody_ends_a_session_that_is_not_a_frozen_m26(database: str) -> None:
    async with opened(database) as store:
        await store.migrate()
        for name, lock in (
            ("psql", HEAD),
            ("m26 a@farm", "LOCK TABLE m26.stream_head IN EXCLUSIVE MODE"),  # it migrates
            ("m26 b@farm", HEAD),  # not over its limit yet
        ):
            async with session(database, name) as other, other.transaction():
                await other.execute(lock)
                limit = 60.0 if name == "m26 b@farm" else 0.0
                held = await store.holder(deadline=5, limit=limit, grace=0)
                assert held is not None
                assert held.name == name
                assert await other.fetchval("SELECT 1") == 1


@pytest.mark.parametrize(
    ("refuse", "kept"),
    [
        ({b"transaction_timeout": b"42704"}, {"statement_timeout": "30000", "name": "m26 a@farm"}),
        (
            {b"transaction_timeout": b"08P01", b"tcp_user_timeout": b"08P01"},
            {"statement_timeout": "0", "name": "m26 a@farm"},
        ),
        (
            {b"tcp_user_timeout": b"08P01", b"application_name": b"08P01"},
            {"statement_timeout": "0", "name": ""},
        ),
    ],
    ids=["older server", "pooler", "stern pooler"],
)
async def test_settings_that_are_refused_at_the_start_cost_no_connection(
    postgres: Postgres,
    database: str,
    tmp_path: Path,
    seed: int,
    refuse: dict[bytes, bytes],
    kept: dict[str, str],
) -> None:
    faults = Faults(seed, refuse=refuse)
    async with through_a_proxy(postgres, database, tmp_path, faults) as store:
        await store.migrate()
        stored = await Loader(store, Normalizer(RULES)).store("a", records(body(auction(1))))
        refused = len(faults.refused)
        async with store.acquire(timeout=5) as one, store.acquire(timeout=5) as two:
            rows = await two.fetch("SELECT name, reset_val FROM pg_settings")
            assert await one.fetchval("SELECT 1") == 1

        await store.reopen(statement_cache=False)
        assert await store.head() == 1

    found = {row["name"]: row["reset_val"] for row in rows}
    assert stored.seq == 1
    assert {**kept, "name": found["application_name"]} == kept
    assert found["statement_timeout"] == kept["statement_timeout"]
    assert len(faults.refused) == 2 * refused, "each pool asks once for what is refused"


async def test_the_doctor_names_who_holds_the_stream_head(database: str) -> None:
    async with opened(database) as store:
        await store.migrate()
        free = await database_checks.stream_head(store)
        async with session(database, "psql") as other, other.transaction():
            await other.execute(HEAD)
            await other.execute("SELECT pg_sleep(0.3)")
            held = await database_checks.stream_head(store, patience=0.2)
            pid = await other.fetchval("SELECT pg_backend_pid()")

    assert (free.result, held.result) == ("ok", "warn")
    assert held.found == f"stream_head is held since 0 s by psql of the same machine, pid {pid}"
    assert f"pg_terminate_backend({pid})" in held.fix


async def test_the_doctor_says_that_the_schema_is_of_a_newer_m26(database: str) -> None:
    async with opened(database) as store, session(database, "psql") as other:
        assert (await database_checks.schema(store)).fix == "m26 db migrate"
        await store.migrate()
        assert (await database_checks.schema(store)).result == "ok"
        await other.execute("UPDATE m26.stream_head SET schema_epoch = 9999")
        newer = await database_checks.schema(store)

    assert newer.result == "fail"
    assert "9999" in newer.found
    assert "Upgrade" in newer.fix


async def test_sightings_are_folded_some_at_a_time_and_not_by_an_older_m26(database: str) -> None:
    async with opened(database) as store, session(database, "psql") as other:
        await store.migrate()
        loader = Loader(store, Normalizer(RULES))
        await loader.store("a", records(*(body(auction(1), at=T0 + n) for n in range(5))))
        await other.execute("UPDATE m26.stream_head SET schema_epoch = schema_epoch + 1")
        with pytest.raises(SchemaNewerError):
            await store.fold_sightings()
        assert await other.fetchval("SELECT count(*) FROM m26.sighting") == 5
        await other.execute("UPDATE m26.stream_head SET schema_epoch = schema_epoch - 1")
        await store.fold_sightings(at_most=2)
        seen = await other.fetchval("SELECT last_seen FROM m26.auction")

        assert await other.fetchval("SELECT count(*) FROM m26.sighting") == 0
        assert seen.timestamp() == T0 + 4


@pytest.mark.parametrize("code", ["25P03", "25P04", "40P01", "55P03", "57P01"])
def test_what_the_server_ended_for_its_silence_or_for_others_is_tried_again(code: str) -> None:
    assert is_passing(asyncpg.PostgresError.new({"C": code, "M": "terminating connection"}))


def test_a_session_is_called_by_home_and_account_in_63_bytes_of_plain_text(tmp_path: Path) -> None:
    name = session_name(tmp_path / "attic", ["main"])
    assert name.startswith("m26 attic/main@")
    for home, accounts in (("h" * 90, ["a" * 90]), ("ü" * 40, ["ö@b"] * 30), ("x", ["y"] * 40)):
        name = session_name(tmp_path / home, accounts)
        assert len(name) <= 63
        assert name.isascii()
        assert "@" in name
    assert "/40 accounts@" in name
