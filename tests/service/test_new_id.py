"""`m26 journal new-id`: a copied home gets a name of its own; nothing is lost or doubled."""

from __future__ import annotations

import shutil
from pathlib import Path
from uuid import UUID

import anyio
import asyncpg
import orjson
import pytest
from tests.support import product
from tests.support.draining import draining
from tests.support.wire import T0, auction, body, page

from m26.app.new_id import Renamed, new_id
from m26.config import load
from m26.errors import M26Error
from m26.home.lock import HomeLock
from m26.journal import Journal, Ledger, Trail, segment_paths
from m26.journal.heads import rename
from m26.journal.trail import Change

pytestmark = pytest.mark.anyio
EVENTS = "SELECT auction_id, kind, observed_at FROM m26.auction_event"


async def give(home: Path, dsn: str) -> Renamed:
    return await new_id(load({"home": home, "postgres.dsn": dsn}))


async def grown(dsn: str, home: Path, *numbers: int) -> str:
    """A run of this home that stores all it has and one page more for each number; its journal."""
    async with draining(dsn, home / "journal") as made:
        made.append(*numbers)
        await made.until(lambda: made.drain.backlog == 0 or made.failure is not None)
        assert made.failure is None
        return made.journal.id


async def received(dsn: str, home: Path, *numbers: int) -> None:
    """Pages that are journaled and not stored."""
    async with draining(dsn, home / "journal", at_once=False) as made:
        made.append(*numbers)


async def rows(dsn: str, query: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(dsn)
    try:
        return sorted(tuple(row) for row in await connection.fetch(query))
    finally:
        await connection.close()


async def auctions(dsn: str) -> list[object]:
    return [row[0] for row in await rows(dsn, "SELECT auction_id FROM m26.auction_event")]


@pytest.fixture
async def twins(database: str, tmp_path: Path) -> tuple[Path, Path]:
    """Two homes of one journal; the second one moved on, the first has what it could not store."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    await grown(database, old, 1, 2)
    shutil.copytree(old, new)
    await received(database, old, 11, 12)
    await grown(database, new, 21, 22, 23)
    return old, new


async def test_after_new_id_both_homes_go_on_and_nothing_of_either_is_lost_or_doubled(
    database: str, twins: tuple[Path, Path]
) -> None:
    old, new = twins
    given = await give(old, database)
    assert (given.pos, given.offered) == (2, 2)
    assert await grown(database, old, 13) == given.new != given.old
    assert await grown(database, new, 24) == given.old

    assert await auctions(database) == [1, 2, 11, 12, 13, 21, 22, 23, 24]
    cursors = await rows(database, "SELECT part, pos FROM m26.ingest_cursor")
    assert cursors == sorted([(given.old, 6), (given.new, 5)])
    assert await rows(database, "SELECT * FROM m26.reject") == []
    assert Ledger(old / "journal").open() == ()


async def test_without_what_the_home_knew_all_it_keeps_is_offered_again_and_changes_nothing(
    database: str, twins: tuple[Path, Path]
) -> None:
    old, _ = twins
    before = await rows(database, EVENTS)
    (old / "journal" / "cursor.json").unlink()
    given = await give(old, database)
    assert (given.pos, given.offered) == (0, 4)
    await grown(database, old)

    assert await auctions(database) == [1, 2, 11, 12, 21, 22, 23]
    assert set(before) <= set(await rows(database, EVENTS))


async def test_states_that_were_stored_before_are_no_events_when_they_are_offered_again(
    database: str, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    async with draining(database, home / "journal") as made:
        for at, bid, bids in ((0, 100, 0), (1, 200, 1), (2, 300, 2), (3, 300, 2)):
            made.journal.append(page(body(auction(7, bid=bid, bids=bids), at=T0 + at)))
        await made.until(lambda: made.drain.pos == 4)
    before = await rows(database, EVENTS), await rows(database, "SELECT * FROM m26.auction")
    connection = await asyncpg.connect(database)
    await connection.execute("UPDATE m26.ingest_cursor SET checksum = checksum # 1, writer = 'w'")
    await connection.close()
    (home / "journal" / "cursor.json").unlink()
    assert (await give(home, database)).offered == 4
    await grown(database, home)

    assert (
        await rows(database, EVENTS),
        await rows(database, "SELECT * FROM m26.auction"),
    ) == before


async def test_a_second_new_id_changes_nothing_but_the_name(
    database: str, twins: tuple[Path, Path]
) -> None:
    old, _ = twins
    first = await give(old, database)
    second = await give(old, database)
    assert (second.old, second.pos, second.offered) == (first.new, first.pos, first.offered)
    await grown(database, old)
    third = await give(old, database)
    assert (third.pos, third.offered) == (4, 0)
    await grown(database, old, 13)
    assert await auctions(database) == [1, 2, 11, 12, 13, 21, 22, 23]


@pytest.mark.parametrize("done", ["one head", "disowned"])
async def test_a_new_id_that_was_interrupted_is_finished_by_the_next_one(
    database: str, twins: tuple[Path, Path], done: str
) -> None:
    old, _ = twins
    folder = old / "journal"
    (database_id,) = (await rows(database, "SELECT id FROM m26.database_info"))[0]
    journal = Journal.open(folder, keep_bytes=1 << 30)
    change = Change(journal.id, str(UUID(int=9)), str(database_id), 2, journal.checksum(2))
    journal.close()
    Trail(folder).begin(change)
    heads = segment_paths(folder)
    rename(heads[:1] if done == "one head" else heads, change.old, change.new)
    if done == "disowned":
        Ledger(folder).disown(change.old, heir=change.new)
    with pytest.raises(M26Error) as told:
        await grown(database, old)
    assert told.value.exit_code == 6
    assert "m26 journal new-id" in told.value.hint

    given = await give(old, database)
    assert (given.old, given.new, given.pos) == (change.old, change.new, 2)
    await grown(database, old)
    assert await auctions(database) == [1, 2, 11, 12, 21, 22, 23]


async def test_the_damage_that_was_told_of_the_old_id_is_told_of_the_new_one(
    database: str, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    async with draining(database, home / "journal", at_once=False) as made:
        made.append(1)
        made.journal.skip_to(5)
        made.append(2)
    given = await give(home, database)
    (gone,) = Ledger(home / "journal").open()
    assert (gone.journal, gone.first, gone.last) == (given.new, 1, 4)


async def test_new_id_waits_for_nobody_and_needs_a_journal_and_a_database(
    database: str, twins: tuple[Path, Path], tmp_path: Path
) -> None:
    old, _ = twins
    before = [path.read_bytes() for path in segment_paths(old / "journal")]
    nowhere = f"postgresql:///m26?host={tmp_path}&connect_timeout=1"
    with HomeLock.acquire(old), pytest.raises(M26Error) as held:
        await give(old, database)
    with pytest.raises(M26Error) as empty:
        await give(tmp_path / "empty", database)
    with anyio.move_on_after(1):
        await give(old, nowhere)  # a server that is just starting is waited for

    assert (held.value.exit_code, empty.value.exit_code) == (75, 2)
    assert not (tmp_path / "empty").exists()
    assert [path.read_bytes() for path in segment_paths(old / "journal")] == before


async def test_the_command_says_what_it_did(database: str, twins: tuple[Path, Path]) -> None:
    old, new = twins
    one = product.Home(old, {"postgres.dsn": database})
    said = orjson.loads(one.m26("journal", "new-id", "--json").stdout)
    assert (said["begins_at"], said["offered_again"]) == (2, 2)
    assert said["before"] == await grown(database, new)
