from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.journals import BadSync, SmallDisk, make_page, open_journal, read_all

from m26.errors import StorageError
from m26.journal import Journal, segment_paths


def _append_until_it_fails(journal: Journal) -> None:
    while journal.next_pos < 100:
        journal.append(make_page(journal.next_pos))


def test_a_full_disk_tears_nothing_and_the_journal_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    """Every amount of room from none to two records: short writes at each byte."""
    for room in range(0, 700, 7):
        disk = SmallDisk(room=1 << 20)
        folder = tmp_path / str(room)
        journal = open_journal(folder, files=disk)
        journal.append(make_page(0))
        disk.room = room
        with pytest.raises(StorageError, match="No space left") as caught:
            _append_until_it_fails(journal)
        assert "Free space" in caught.value.hint
        stored = journal.next_pos
        assert stored <= 1 + room // 200
        crashed = open_journal(folder)  # what a crash at this moment would find
        assert [record.page for record in read_all(crashed)] == [
            make_page(number) for number in range(stored)
        ]
        crashed.close()
        disk.room = 1 << 20
        assert journal.append(make_page(stored)) == stored
        assert [r.page for r in read_all(journal)] == [make_page(n) for n in range(stored + 1)]


def test_no_room_for_a_new_segment_is_reported_and_tried_again(tmp_path: Path) -> None:
    disk = SmallDisk(room=1 << 20)
    journal = open_journal(tmp_path, files=disk, segment_bytes=400)
    journal.append(make_page(0))
    disk.room = 50
    with pytest.raises(StorageError, match="No space left"):
        journal.append(make_page(1))
    disk.room = 1 << 20
    assert journal.append(make_page(1)) == 1
    assert len(segment_paths(tmp_path)) == 2


def test_a_real_file_size_limit_is_handled_like_a_full_disk(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, segment_bytes=1 << 20)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(StorageError, match="File too large"):
            _append_until_it_fails(journal)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)
    stored = journal.next_pos
    assert 0 < stored < 100
    again = open_journal(tmp_path)
    assert [record.page for record in read_all(again)] == [make_page(n) for n in range(stored)]


def test_it_says_stop_before_the_disk_is_full(tmp_path: Path) -> None:
    disk = SmallDisk(room=100 << 20)
    journal = Journal.open(tmp_path, keep_bytes=0, reserve_bytes=64 << 20, files=disk)
    assert journal.full() is None
    disk.room = 10 << 20
    reason = journal.full()
    assert reason is not None
    assert "10 MiB left" in reason


@pytest.mark.parametrize("also_cut", [False, True], ids=["taken back", "left behind"])
def test_after_a_failed_fsync_nothing_is_trusted_until_a_restart(
    tmp_path: Path, *, also_cut: bool
) -> None:
    disk = BadSync(fails_at=4, also_cut=also_cut)  # the head's fsync is the first
    journal = open_journal(tmp_path, files=disk, segment_bytes=1 << 20)
    journal.append(make_page(0))
    journal.append(make_page(1))
    with pytest.raises(StorageError, match="fsync"):
        journal.append(make_page(2))
    for call in (
        lambda: journal.append(make_page(3)),
        lambda: journal.read(0),
        lambda: journal.release(1),
        lambda: journal.skip_to(9),
        lambda: journal.bind("6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
        journal.full,
    ):
        with pytest.raises(StorageError, match="fsync"):
            call()
    assert disk.calls == 4
    again = open_journal(tmp_path)
    found = [record.page for record in read_all(again)]
    assert found[:2] == [make_page(0), make_page(1)]
    assert len(found) == 2 + also_cut


def test_a_failed_fsync_of_a_new_segment_poisons_too(tmp_path: Path) -> None:
    disk = BadSync(fails_at=3)
    journal = open_journal(tmp_path, files=disk, segment_bytes=300)
    journal.append(make_page(0))
    with pytest.raises(StorageError, match="fsync"):
        journal.append(make_page(1))
    with pytest.raises(StorageError, match="fsync"):
        journal.append(make_page(1))
    assert [record.page for record in read_all(open_journal(tmp_path))] == [make_page(0)]


def test_a_segment_deleted_under_the_journal_is_noticed_before_the_page_is_acknowledged(
    tmp_path: Path,
) -> None:
    journal = open_journal(tmp_path)
    journal.append(make_page(0))
    segment_paths(tmp_path)[0].unlink()
    with pytest.raises(StorageError, match="deleted"):
        journal.append(make_page(1))


def test_a_folder_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_text("not a folder")
    with pytest.raises(StorageError, match="cannot open the journal") as caught:
        open_journal(path)
    assert caught.value.exit_code == 6


_WRITER = """
import sys
from pathlib import Path
from tests.support.journals import make_page, open_journal

journal = open_journal(Path(sys.argv[1]), segment_bytes=3000)
while True:
    number = journal.append(make_page(journal.next_pos))
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


def test_a_killed_process_loses_nothing_that_append_returned_for(tmp_path: Path, seed: int) -> None:
    """kill -9 ten times in a row on the same journal, after a few acknowledged records each."""
    acknowledged = -1
    paths = os.pathsep.join(sys.path)
    for round_ in range(10):
        process = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
        )
        assert process.stdout is not None
        for _ in range(1 + (seed + round_ * 7) % 40):
            acknowledged = int(process.stdout.readline())
        process.kill()
        rest = process.stdout.read().splitlines()
        process.stdout.close()
        process.wait()
        acknowledged = int(rest[-1]) if rest else acknowledged
    journal = open_journal(tmp_path)
    records = read_all(journal)
    assert acknowledged + 1 <= len(records) <= acknowledged + 2  # one may be whole, not told
    assert [record.page for record in records] == [make_page(n) for n in range(len(records))]
