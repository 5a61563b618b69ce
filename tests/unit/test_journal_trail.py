"""What proves that a cursor is ours: checksums of records, and what the home knows by itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from uuid import UUID

import pytest
from tests.support.journals import make_page, open_journal

from m26.errors import StorageError
from m26.journal import Trail, segment_paths
from m26.journal.trail import FILE, Change
from m26.store.batch import Cursor
from m26.store.twin import is_ours

DATABASE = str(UUID(int=1))
MAGIC = b"\xf1M26"


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_a_record_has_the_checksum_that_it_was_read_with_whatever_became_of_its_payload(
    tmp_path: Path,
) -> None:
    journal = open_journal(tmp_path, segment_bytes=600)
    for number in range(5):
        journal.append(make_page(number))
    journal.skip_to(9)
    journal.append(make_page(9))
    checksums = {r.end: r.checksum for r in journal.read(0)}
    assert {end: journal.checksum(end) for end in checksums} == checksums
    assert checksums[9] is None  # the hole
    assert len({c for c in checksums.values() if c is not None}) == 6
    assert journal.checksum(0) is None
    assert journal.checksum(7) is None
    assert journal.checksum(11) is None
    journal.close()

    newest = segment_paths(tmp_path)[-1]
    flip(newest, -1)
    again = open_journal(tmp_path)
    (record,) = again.read(9)
    assert (record.page, record.checksum) == (None, checksums[10])
    assert again.checksum(10) == checksums[10]
    again.close()

    flip(newest, newest.read_bytes().rindex(MAGIC) + 5)
    again = open_journal(tmp_path)
    assert again.checksum(10) is None
    again.close()


def test_two_copies_of_a_journal_have_another_checksum_from_the_first_record_of_their_own(
    tmp_path: Path,
) -> None:
    ours = open_journal(tmp_path / "a")
    ours.append(make_page(1))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    copy = open_journal(tmp_path / "b")
    ours.append(make_page(2))
    copy.append(make_page(3))
    assert ours.checksum(1) == copy.checksum(1)
    assert ours.checksum(2) != copy.checksum(2)
    ours.close()
    copy.close()


def test_a_released_record_has_the_checksum_that_was_noted_when_it_was_committed(
    tmp_path: Path,
) -> None:
    journal = open_journal(tmp_path)
    journal.bind(DATABASE)
    journal.append(make_page(1))
    checksum = journal.checksum(1)
    journal.trail.note(1, checksum)
    journal.skip_to(2)
    for path in segment_paths(tmp_path)[:-1]:
        path.unlink()
    journal.close()
    again = open_journal(tmp_path)
    assert again.checksum(1) == checksum
    assert again.checksum(2) is None
    again.close()


@pytest.mark.parametrize(
    ("pos", "stored", "own", "writer", "ours"),
    [
        (5, 7, 7, "foreign", True),  # the same record
        (5, 7, 8, "foreign", False),
        (5, 7, 8, "mine", False),  # a machine that was cloned in memory
        (3, 7, 8, "foreign", False),  # set back, and stored by another since
        (3, 7, None, "foreign", True),  # set back: nothing is passed that we did not see committed
        (4, None, 8, "foreign", True),
        (5, 7, None, "foreign", False),  # the record is not here
        (5, 7, None, "mine", True),  # the journal lost its end
        (5, None, 8, "mine", True),  # what was damaged was repaired
        (5, None, 8, "foreign", False),
        (5, None, None, None, False),  # while it runs an older m26 passes nothing
    ],
)
def test_what_a_cursor_has_passed_is_ours_only_if_it_is_proved(
    tmp_path: Path, pos: int, stored: int | None, own: int | None, writer: str | None, ours: bool
) -> None:
    trail = Trail(tmp_path)
    trail.bind("j", DATABASE)
    trail.note(4, 1)
    token = trail.writer.token if writer == "mine" else writer
    assert is_ours(Cursor(pos, token, "host", None, stored), own, trail) is ours


def test_a_home_knows_its_writers_and_a_copy_of_it_does_not(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    first = Trail(tmp_path / "a")
    first.bind("j", DATABASE)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "a").rename(tmp_path / "moved")

    assert Trail(tmp_path / "moved").wrote(first.writer.token)
    assert not Trail(tmp_path / "b").wrote(first.writer.token)
    assert not Trail(tmp_path / "moved").wrote(Trail(tmp_path / "b").writer.token)
    assert not Trail(tmp_path / "moved").wrote(None)


def test_of_another_journal_or_database_nothing_is_known(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    trail.bind("j", DATABASE)
    trail.note(5, 9)
    trail.save()
    again = Trail(tmp_path)
    again.bind("j", DATABASE)
    assert (again.pos, again.checksum) == (5, 9)
    for other in (("k", DATABASE), ("j", str(UUID(int=2)))):
        moved = Trail(tmp_path)
        moved.bind(*other)
        assert (moved.pos, moved.checksum) == (0, None)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"writers": 1}', b'{"pos": "x"}'])
def test_a_file_that_cannot_be_read_says_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    trail = Trail(tmp_path)
    assert (trail.pos, trail.checksum, trail.change) == (0, None, None)
    trail.bind("j", DATABASE)
    assert Trail(tmp_path).wrote(trail.writer.token)


def test_a_full_disk_ends_no_storing_and_begins_no_change(tmp_path: Path) -> None:
    (tmp_path / "j").mkdir()
    trail = Trail(tmp_path / "j")
    (tmp_path / "j" / f".{FILE}.new").mkdir()  # the file cannot be replaced
    trail.bind("j", DATABASE)
    trail.note(5, 9)
    with pytest.raises(StorageError):
        trail.begin(Change("j", "k", DATABASE, 5, 9))
    assert trail.change is None
    (tmp_path / "j" / f".{FILE}.new").rmdir()
    trail.save()
    assert Trail(tmp_path / "j").pos == 5
