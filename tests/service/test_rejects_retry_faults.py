"""``m26 rejects retry`` killed, done twice at once, or without its database: stored once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
from tests.support.product import Home
from tests.support.wire import auction, body, records

from m26.normalizer import Normalizer
from m26.store.database import opened
from m26.store.load import Loader
from m26.upstream.profile import Profile

pytestmark = pytest.mark.anyio
ITEMS = 40
WAITING = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()"""
AT_COMMIT = """
CREATE FUNCTION m26.wait() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER wait AFTER UPDATE ON m26.reject DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION m26.wait()"""


class Quarantine:
    """A database whose quarantine holds auctions that can be stored by now, and a home on it."""

    def __init__(self, home: Home, connection: asyncpg.Connection[Any]) -> None:
        self.home, self.connection = home, connection
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """``m26 rejects …`` in the background."""
        command = [sys.executable, "-m", "m26", "rejects", *arguments, "--json"]
        pipe = subprocess.PIPE
        started = subprocess.Popen(command, env=self.home.environment, stdout=pipe, stderr=pipe)
        self.running.append(started)
        return started

    async def waiting(self, count: int = 1) -> list[int]:
        """Wait until so many sessions wait for a lock; their process ids."""
        async with asyncio.timeout(60):
            while len(found := await self.connection.fetch(WAITING)) < count:
                assert [each.poll() for each in self.running] == [None] * len(self.running)
                await asyncio.sleep(0.02)
        return [row["pid"] for row in found]

    async def end(self, process: subprocess.Popen[bytes], code: int = 0) -> Any:
        """The document of a command that ends by itself."""
        out, err = await asyncio.to_thread(process.communicate, timeout=60)
        assert process.returncode == code, err
        return orjson.loads(out)

    async def counts(self) -> tuple[int, ...]:
        """Events, auctions, items that are new, items that are retried."""
        query = (
            "SELECT (SELECT count(*) FROM m26.auction_event), (SELECT count(*) FROM m26.auction),"
            " count(*) FILTER (WHERE state = 'new'), count(*) FILTER (WHERE state = 'retried')"
            " FROM m26.reject"
        )
        return tuple(await self.connection.fetchrow(query))


@pytest.fixture
async def quarantine(database: str, tmp_path: Path) -> AsyncIterator[Quarantine]:
    home = Home(tmp_path / "home", {"postgres.dsn": database})
    home.path.mkdir(mode=0o700)
    async with opened(database) as store, connected(database) as connection:
        await store.migrate()
        await connection.execute("ALTER TABLE m26.auction ADD CONSTRAINT c CHECK (bids > 0)")
        loader = Loader(store, Normalizer(Profile.load("madden26").card))
        await loader.store("j", records(body(*(auction(1 + n) for n in range(ITEMS)))))
        await connection.execute("ALTER TABLE m26.auction DROP CONSTRAINT c")
        made = Quarantine(home, connection)
        assert await made.counts() == (0, 0, ITEMS, 0)
        try:
            yield made
        finally:
            for process in made.running:
                process.kill()
                process.communicate()


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def test_a_retry_that_is_killed_at_its_commit_stores_each_item_once(
    quarantine: Quarantine, database: str
) -> None:
    await quarantine.connection.execute(AT_COMMIT)
    async with connected(database) as other:
        await other.execute("SELECT pg_advisory_lock(1)")
        killed = quarantine.start("retry", "--all")
        (pid,) = await quarantine.waiting()
        killed.kill()
        killed.wait(10)
    # The server may have committed what was under way, or not: nobody heard of it.
    gone = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1"
    async with asyncio.timeout(30):
        while await quarantine.connection.fetchval(gone, pid):
            await asyncio.sleep(0.02)
    before = await quarantine.counts()
    assert before[0] == before[1] == before[3]
    done = await quarantine.end(quarantine.start("retry", "--all"))

    assert done["stored"] == ITEMS - before[3]
    assert await quarantine.counts() == (ITEMS, ITEMS, 0, ITEMS)


async def test_two_retries_and_a_drop_at_once_store_each_item_once_or_give_it_up(
    quarantine: Quarantine, database: str
) -> None:
    async with connected(database) as other, other.transaction():
        await other.execute("SELECT FROM m26.stream_head FOR UPDATE")
        commands = (("retry", "--all"), ("drop", "3", "39", "--yes"), ("retry", "--all"))
        started = [quarantine.start(*command) for command in commands]
        await quarantine.waiting(3)
    first, drop, second = [await quarantine.end(each) for each in started]

    counted = await quarantine.counts()
    assert counted == (ITEMS - drop["dropped"], ITEMS - drop["dropped"], 0, counted[0])
    assert first["stored"] + second["stored"] == first["events"] + second["events"] == counted[0]
    assert drop["dropped"] in (0, 1, 2)
    assert first["settled_before"] == first["chosen"] - first["stored"]


async def test_a_retry_without_its_database_says_what_it_stored_and_changes_nothing(
    quarantine: Quarantine, database: str
) -> None:
    async with connected(database) as other, other.transaction():
        await other.execute("SELECT FROM m26.stream_head FOR UPDATE")
        cut_off = quarantine.start("retry", "--all")
        (pid,) = await quarantine.waiting()
        await quarantine.connection.execute("SELECT pg_terminate_backend($1)", pid)
        error = (await quarantine.end(cut_off, code=6))["error"]
    assert (error["code"], "0 of 40 rejects are stored" in error["message"]) == ("storage", True)
    assert await quarantine.counts() == (0, 0, ITEMS, 0)

    assert (await quarantine.end(quarantine.start("retry", "--all")))["events"] == ITEMS
