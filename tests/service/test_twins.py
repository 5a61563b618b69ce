"""A home that was copied, on the same database: who finds the other one says so, and ends."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.support.draining import Draining, draining

from m26.errors import M26Error
from m26.journal import segment_paths

pytestmark = pytest.mark.anyio


def copy(home: Path, to: Path) -> Path:
    """The home as it lies on disk, which may be in use."""
    shutil.copytree(home, to)
    return to


async def stored(made: Draining) -> set[int]:
    rows = await made.database.fetch("SELECT auction_id FROM m26.auction")
    return {row["auction_id"] for row in rows}


async def refused(dsn: str, folder: Path) -> M26Error | None:
    """Why a start on this journal fails, if it does."""
    try:
        async with draining(dsn, folder, at_once=False):
            return None
    except M26Error as error:
        return error


async def grown(dsn: str, folder: Path, *numbers: int) -> None:
    """A run on this journal that stores one page more for each number."""
    async with draining(dsn, folder) as made:
        made.append(*numbers)
        await made.until(lambda: made.drain.backlog == 0 or made.failure is not None)
        assert made.failure is None


async def test_of_two_homes_that_run_together_the_one_that_is_overtaken_ends_and_skips_nothing(
    database: str, tmp_path: Path
) -> None:
    await grown(database, tmp_path / "a", 1, 2)
    copy(tmp_path / "a", tmp_path / "b")
    async with (
        draining(database, tmp_path / "a") as ours,
        draining(database, tmp_path / "b", at_once=False) as twin,
    ):
        ours.append(11, 12)
        await ours.until(lambda: ours.drain.pos == 4)
        twin.append(21, 22, 23)
        twin.start()
        await twin.until(lambda: twin.failure is not None or twin.drain.backlog == 0)

        assert twin.failure is not None
        assert twin.failure.exit_code == 75
        assert "another copy of this journal writes here, since" in twin.failure.message
        assert "from host" in twin.failure.message
        assert "m26 journal new-id" in twin.failure.hint
        assert (twin.drain.pos, twin.drain.backlog) == (2, 3)
        ours.append(13)
        await ours.until(lambda: ours.drain.pos == 5)
        assert await stored(ours) == {1, 2, 11, 12, 13}


async def test_of_two_homes_that_start_from_an_equal_cursor_the_first_to_commit_goes_on(
    database: str, tmp_path: Path
) -> None:
    await grown(database, tmp_path / "a", 1)
    copy(tmp_path / "a", tmp_path / "b")
    async with (
        draining(database, tmp_path / "a", at_once=False) as one,
        draining(database, tmp_path / "b", at_once=False) as other,
    ):
        one.append(11)
        other.append(21)
        one.start()
        other.start()
        for each in (one, other):
            await each.until(lambda each=each: each.failure is not None or each.drain.pos == 2)

        told = [each.failure.exit_code for each in (one, other) if each.failure]
        assert told == [75]
        assert len(await stored(one)) == 2


@pytest.mark.parametrize("uncommitted", [1, 3], ids=["fewer", "more"])
async def test_the_old_machine_that_starts_again_after_the_new_one_moved_on_is_refused(
    database: str, tmp_path: Path, uncommitted: int
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    await grown(database, old, 1)
    copy(old, new)
    async with draining(database, old, at_once=False) as made:
        made.append(*range(11, 11 + uncommitted))  # received, and never stored
        made.drain.finish()
    await grown(database, new, 21, 22)
    error = await refused(database, old)

    assert error is not None
    assert error.exit_code == 75
    assert await refused(database, new) is None


async def test_a_copy_that_was_taken_while_it_ran_is_not_told_as_a_damaged_journal(
    database: str, tmp_path: Path
) -> None:
    async with draining(database, tmp_path / "a") as ours:
        ours.append(1, 2)
        await ours.until(lambda: ours.drain.pos == 2)
        copy(tmp_path / "a", tmp_path / "b")
        ours.append(3, 4)
        await ours.until(lambda: ours.drain.pos == 4)
        error = await refused(database, tmp_path / "b")

        assert error is not None
        assert error.exit_code == 75
        assert not (tmp_path / "b" / "damage.json").exists()


async def test_what_a_copy_has_stored_of_a_backlog_that_both_have_is_passed_and_nothing_behind_it(
    database: str, tmp_path: Path
) -> None:
    async with draining(database, tmp_path / "a", at_once=False) as ours:
        ours.append(1, 2, 3)  # received while PostgreSQL was away
        copy(tmp_path / "a", tmp_path / "b")
        await grown(database, tmp_path / "b")
        ours.append(11)
        ours.start()
        await ours.until(lambda: ours.drain.pos == 4)
        assert await stored(ours) == {1, 2, 3, 11}
        assert await ours.count() == 4

    error = await refused(database, tmp_path / "b")
    assert error is not None
    assert error.exit_code == 75


async def test_a_home_that_was_moved_to_another_machine_goes_on_and_says_who_was_there(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await grown(database, tmp_path / "old", 1, 2)
    copy(tmp_path / "old", tmp_path / "new")
    capsys.readouterr()
    await grown(database, tmp_path / "new", 3)
    assert "store.other_writer" in "".join(capsys.readouterr())
    async with draining(database, tmp_path / "new") as made:
        made.append(4)
        await made.until(lambda: made.drain.pos == 4)
        assert await stored(made) == {1, 2, 3, 4}
    assert "store.other_writer" not in "".join(capsys.readouterr())


async def test_a_row_of_an_older_m26_is_trusted_once_and_then_filled(
    database: str, tmp_path: Path
) -> None:
    await grown(database, tmp_path / "a", 1, 2)
    copy(tmp_path / "a", tmp_path / "b")
    for home in ("a", "b"):
        (tmp_path / home / "cursor.json").unlink(missing_ok=True)
    async with draining(database, tmp_path / "a", at_once=False) as made:
        made.append(11)
    async with draining(database, tmp_path / "b", at_once=False) as made:
        made.append(21)
        emptied = "writer = NULL, host = NULL, since = NULL, checksum = NULL"
        await made.database.execute(f"UPDATE m26.ingest_cursor SET {emptied}")
    async with draining(database, tmp_path / "a") as made:
        await made.until(lambda: made.drain.pos == 3)
        row = await made.database.fetchrow("SELECT * FROM m26.ingest_cursor")
        assert row is not None
        assert row["checksum"] == made.journal.checksum(3)
        assert row["writer"] == made.journal.trail.writer.token
        assert row["host"]
        assert row["since"] is not None
    error = await refused(database, tmp_path / "b")
    assert error is not None
    assert error.exit_code == 75


async def test_an_old_home_that_starts_after_its_segments_were_released_is_refused(
    database: str, tmp_path: Path
) -> None:
    async with draining(database, tmp_path / "old", keep_bytes=0) as made:
        made.append(1)
        await made.until(lambda: made.drain.pos == 1)
    async with draining(database, tmp_path / "old", keep_bytes=0) as made:
        made.append(2)
        await made.until(lambda: made.journal.first_pos == 1)  # the first segment is gone
    copy(tmp_path / "old", tmp_path / "new")
    await grown(database, tmp_path / "new", 21)

    error = await refused(database, tmp_path / "old")
    assert error is not None
    assert error.exit_code == 75
    assert await refused(database, tmp_path / "new") is None


async def test_a_home_that_was_restored_from_an_older_backup_is_refused_until_it_is_told(
    database: str, tmp_path: Path
) -> None:
    await grown(database, tmp_path / "home", 1)
    copy(tmp_path / "home", tmp_path / "backup")
    await grown(database, tmp_path / "home", 2, 3)
    shutil.rmtree(tmp_path / "home")
    copy(tmp_path / "backup", tmp_path / "home")

    error = await refused(database, tmp_path / "home")
    assert error is not None
    assert error.exit_code == 75
    assert not (tmp_path / "home" / "damage.json").exists()


async def test_a_journal_whose_last_record_is_damaged_is_no_twin(
    database: str, tmp_path: Path
) -> None:
    await grown(database, tmp_path, 1, 2)
    (path,) = segment_paths(tmp_path)[-1:]
    content = bytearray(path.read_bytes())
    content[content.rindex(b"\xf1M26") + 2] ^= 1  # the header of the second record
    path.write_bytes(content)
    await grown(database, tmp_path, 3)
    (path,) = segment_paths(tmp_path)[-1:]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # the payload of the third
    path.write_bytes(content)
    async with draining(database, tmp_path) as made:
        made.append(4)
        await made.until(lambda: made.drain.pos == 4)
        assert await stored(made) == {1, 2, 3, 4}
