from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from tests.support.journals import make_page, open_journal, read_all

from m26.errors import HomeLockedError, StorageError
from m26.home.lock import HomeLock
from m26.journal import Journal, read_segment, segment_paths
from m26.models import SWEEP_END, Page


def test_what_is_appended_is_read_back_whole_and_in_order(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal")
    pages = [make_page(number) for number in range(50)]
    assert [journal.append(page) for page in pages] == list(range(50))
    assert [record.page for record in read_all(journal)] == pages
    assert journal.read(50) == []
    assert journal.next_pos == 50
    assert len(segment_paths(tmp_path / "journal")) > 2


def test_empty_bodies_unicode_and_sweep_ends_survive(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    page = replace(make_page(1), body=b"", account="Zoë 🏈", command=SWEEP_END, sweep=2**62)
    journal.append(page)
    assert journal.read(0)[0].page == page


def test_reopening_goes_on_with_the_same_identity_and_positions(tmp_path: Path) -> None:
    first = open_journal(tmp_path)
    database = str(uuid4())
    first.append(make_page(0))
    first.bind(database)
    first.append(make_page(1))
    first.close()
    second = open_journal(tmp_path)
    assert (second.id, second.database, second.next_pos) == (first.id, database, 2)
    assert second.append(make_page(2)) == 2
    assert [record.page for record in read_all(second)] == [make_page(n) for n in range(3)]


def test_opening_often_without_appending_leaves_no_files_behind(tmp_path: Path) -> None:
    for _ in range(5):
        open_journal(tmp_path).close()
    assert len(segment_paths(tmp_path)) == 1


def test_a_journal_made_anew_has_a_new_identity(tmp_path: Path) -> None:
    assert open_journal(tmp_path / "a").id != open_journal(tmp_path / "b").id


def test_binding_before_the_first_record_is_durable(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    assert journal.database is None
    database = str(uuid4())
    journal.bind(database)
    journal.bind(database)
    assert open_journal(tmp_path).database == database
    assert len(segment_paths(tmp_path)) == 1


def test_a_read_stays_within_its_limits_but_always_gives_one_record(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, segment_bytes=1 << 20)
    for number in range(10):
        journal.append(make_page(number, size=1000))
    assert len(journal.read(0, max_records=3)) == 3
    assert len(journal.read(0, max_bytes=2500)) == 2
    assert len(journal.read(0, max_bytes=1)) == 1


def test_reading_backwards_and_out_of_order_works(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    for number in range(30):
        journal.append(make_page(number))
    for pos in [*reversed(range(30)), 3, 17, 4, 29]:
        assert journal.read(pos, max_records=1)[0].page == make_page(pos)


def test_release_deletes_whole_committed_segments_beyond_what_is_kept(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path, keep_bytes=3000, reserve_bytes=0, segment_bytes=1000)
    for number in range(40):
        journal.append(make_page(number))
    before = journal.size
    journal.release(0)
    assert journal.size == before
    journal.release(20)
    assert 0 < journal.first_pos <= 20
    assert [record.page for record in read_all(journal, 20)] == [
        make_page(n) for n in range(20, 40)
    ]
    journal.release(40)
    assert 1000 < journal.size <= 3000
    assert journal.size == sum(path.stat().st_size for path in segment_paths(tmp_path))


def test_the_next_position_survives_when_everything_is_released(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path, keep_bytes=0, reserve_bytes=0, segment_bytes=500)
    for number in range(10):
        journal.append(make_page(number))
    journal.release(10)
    journal.close()
    assert open_journal(tmp_path).next_pos == 10


def test_released_positions_are_reported_not_passed_over(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path, keep_bytes=0, reserve_bytes=0, segment_bytes=500)
    for number in range(10):
        journal.append(make_page(number))
    journal.release(10)
    records = read_all(journal)
    assert [(r.pos, r.end, r.page is None) for r in records] == [
        (0, journal.first_pos, True),
        *((pos, pos + 1, False) for pos in range(journal.first_pos, 10)),
    ]
    assert "deleted" in records[0].detail


def test_skip_to_gives_the_next_record_its_position_and_reports_the_hole(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    journal.append(make_page(0))
    journal.skip_to(1_000_000)
    assert journal.append(make_page(1)) == 1_000_000
    journal.skip_to(1_000_001)
    with pytest.raises(ValueError, match="before"):
        journal.skip_to(5)
    again = open_journal(tmp_path)
    assert again.next_pos == 1_000_001
    assert again.read(1_000_000)[0].page == make_page(1)
    hole, behind = again.read(1, max_records=10)
    assert (hole.pos, hole.end, hole.page) == (1, 1_000_000, None)
    assert "records 1 to 999999 are missing" in hole.detail
    assert behind.page == make_page(1)


def test_a_segment_can_be_read_on_its_own(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    for number in range(30):
        journal.append(make_page(number))
    records = [record for path in segment_paths(tmp_path) for record in read_segment(path)]
    assert [record.page for record in records] == [make_page(number) for number in range(30)]


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "journal"
    open_journal(folder).append(make_page(0))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]


def test_segments_of_two_journals_in_one_folder_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        open_journal(tmp_path / name).append(make_page(0))
    other = open_journal(tmp_path / "b")
    other.skip_to(7)
    foreign = segment_paths(tmp_path / "b")[1]
    foreign.rename(tmp_path / "a" / foreign.name)
    with pytest.raises(StorageError, match="more than one journal") as caught:
        open_journal(tmp_path / "a")
    assert foreign.name in caught.value.message


def test_a_closed_journal_refuses_every_call(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    journal.close()
    journal.close()
    for call in (lambda: journal.append(make_page(0)), lambda: journal.read(0), journal.full):
        with pytest.raises(StorageError, match="closed"):
            call()


def test_a_reader_beside_several_writers_sees_each_record_once_and_whole(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, segment_bytes=20_000)
    written: dict[int, Page] = {}
    seen: dict[int, Page | None] = {}

    def write(start: int) -> None:
        for number in range(start, start + 60):
            page = make_page(number, size=900)
            written[journal.append(page)] = page

    def read() -> None:
        while len(seen) < 180:
            for record in journal.read(len(seen), max_records=5):
                assert record.pos not in seen
                seen[record.pos] = record.page
            journal.release(len(seen))

    threads = [threading.Thread(target=write, args=(start,)) for start in (0, 1000, 2000)]
    threads.append(threading.Thread(target=read))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert seen == written
    assert len(written) == 180


def test_a_second_copy_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    with HomeLock.acquire(tmp_path):
        with pytest.raises(HomeLockedError, match=str(os.getpid())) as caught:
            HomeLock.acquire(tmp_path)
        assert caught.value.exit_code == 75
    HomeLock.acquire(tmp_path).release()
