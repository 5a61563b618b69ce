from __future__ import annotations

import random
import shutil
from pathlib import Path

import orjson
import pytest
import zstandard
from tests.support.journals import make_page, open_journal, read_all

from m26.errors import StorageError
from m26.journal import read_segment, segment_paths
from m26.journal.segment import HEAD_BYTES, pack_record
from m26.offline import read_captures


def test_a_kill_at_any_byte_of_an_append_costs_only_that_append(tmp_path: Path) -> None:
    """Every cut point of three appends, the last segment's whole length."""
    source = tmp_path / "source"
    journal = open_journal(source, segment_bytes=1 << 20)
    ends = [HEAD_BYTES]
    for number in range(3):
        journal.append(make_page(number, size=120))
        ends.append(journal.size)
    journal.close()
    whole = segment_paths(source)[0].read_bytes()
    folder = tmp_path / "cut"
    for cut in range(HEAD_BYTES, len(whole) + 1):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / segment_paths(source)[0].name).write_bytes(whole[:cut])
        kept = sum(end <= cut for end in ends) - 1
        again = open_journal(folder)
        assert again.next_pos == kept
        assert again.append(make_page(99)) == kept
        expected = [make_page(number, size=120) for number in range(kept)] + [make_page(99)]
        assert [record.page for record in read_all(again)] == expected
        again.close()


@pytest.mark.parametrize("reopen", [True, False], ids=["after a restart", "while open"])
def test_a_flipped_bit_costs_one_record_and_is_reported(
    tmp_path: Path, seed: int, *, reopen: bool
) -> None:
    """2,000 random bits over several segments and the heads too."""
    rng = random.Random(seed)
    journal = open_journal(tmp_path, segment_bytes=3000)
    pages = [make_page(number, size=rng.randrange(0, 400)) for number in range(40)]
    for page in pages:
        journal.append(page)
    identity = journal.id
    paths = segment_paths(tmp_path)
    sizes = [path.stat().st_size for path in paths]
    in_heads = 0
    for _ in range(1000):
        index = rng.choices(range(len(paths)), sizes)[0]
        at = rng.randrange(sizes[index])
        in_heads += at < HEAD_BYTES
        with paths[index].open("r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ (1 << rng.randrange(8))]))
        reader = open_journal(tmp_path) if reopen else journal
        records = read_all(reader, max_records=100)
        lost = [record.pos for record in records if record.page is None]
        assert reader.id == identity
        assert len(records) == 40
        assert len(lost) == (at >= HEAD_BYTES)
        assert all(records[pos].detail.startswith("damaged on disk") for pos in lost)
        assert [r.page for r in records if r.page] == [
            p for i, p in enumerate(pages) if i not in lost
        ]
        if reopen:
            reader.close()
        with paths[index].open("r+b") as file:
            file.seek(at)
            file.write(bytes([byte]))
    assert in_heads > 0


def test_after_a_damaged_last_record_its_position_is_not_used_again(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, segment_bytes=1 << 20)
    for number in range(3):
        journal.append(make_page(number))
    journal.close()
    path = segment_paths(tmp_path)[0]
    data = bytearray(path.read_bytes())
    data[data.rindex(b"\xf1M26") + 5] ^= 1  # in the position field of the last header
    path.write_bytes(data)
    again = open_journal(tmp_path)
    assert again.append(make_page(3)) == 3
    assert [record.page is None for record in read_all(again)] == [False, False, True, False]
    assert [record.page is None for record in read_segment(path)] == [False, False, True]


def test_a_tail_of_zeros_from_a_power_cut_is_cut_off(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    journal.append(make_page(0))
    journal.close()
    path = segment_paths(tmp_path)[0]
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(bytes(5000))
    again = open_journal(tmp_path)
    assert again.next_pos == 1
    assert path.stat().st_size == size


def test_a_deleted_segment_is_reported_once_with_its_range(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, segment_bytes=2000)
    for number in range(20):
        journal.append(make_page(number))
    first, _, third = (int(path.stem) for path in segment_paths(tmp_path)[:3])
    segment_paths(tmp_path)[1].unlink()
    with pytest.raises(StorageError, match=r"cannot read .*\.seg: No such file"):
        read_all(journal)
    journal.close()
    records = read_all(open_journal(tmp_path))
    (lost,) = [record for record in records if record.page is None]
    assert first < lost.pos < lost.end == third
    assert f"records {lost.pos} to {third - 1} are missing" in lost.detail


def test_a_folder_whose_heads_are_all_damaged_is_refused_with_a_way_out(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    journal.append(make_page(0))
    journal.close()
    path = segment_paths(tmp_path)[0]
    path.write_bytes(bytes(HEAD_BYTES) + path.read_bytes()[HEAD_BYTES:])
    with pytest.raises(StorageError, match="nothing says which journal") as caught:
        open_journal(tmp_path)
    assert path.name in caught.value.message
    assert "replay" in caught.value.hint
    assert [record.page for record in read_segment(path)] == [make_page(0)]
    assert list(read_captures(path)) == [make_page(0)]


def test_a_record_with_fields_of_a_later_version_is_still_read(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, segment_bytes=1 << 20)
    journal.append(make_page(0))
    journal.close()
    path = segment_paths(tmp_path)[0]
    header = orjson.dumps({"account": "main", "unknown_later_field": 1})
    later = zstandard.compress(len(header).to_bytes(4, "little") + header)
    with path.open("ab") as file:
        file.write(pack_record(1, later))
    records = read_all(open_journal(tmp_path))
    assert records[1].page is None
    assert "another version" in records[1].detail
