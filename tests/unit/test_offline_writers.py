from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from m26.errors import StorageError, UsageError
from m26.offline.convert import time_text
from m26.offline.writers import Format, format_of, open_rows, open_target


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (1_786_827_435_000_000, "2026-08-15T20:57:15Z"),
        (1_786_827_435_000_001, "2026-08-15T20:57:15.000001Z"),
        (-1_000_000, "1969-12-31T23:59:59Z"),
    ],
)
def test_times_have_a_fraction_only_when_it_is_not_zero(microseconds: int, text: str) -> None:
    assert time_text(microseconds) == text


@pytest.mark.parametrize(
    ("target", "kind", "expected"),
    [
        ("a.ndjson", None, Format("ndjson")),
        ("a.JSONL.gz", None, Format("ndjson", "gzip")),
        ("a.csv.zst", None, Format("csv", "zstd")),
        ("-", None, Format("ndjson")),
        ("-", "csv", Format("csv")),
        ("rows.txt", "csv", Format("csv")),
    ],
)
def test_the_name_says_the_format(target: str, kind: Any, expected: Format) -> None:
    assert format_of(target, kind) == expected


def test_csv_quotes_what_needs_it(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    with open_rows(str(target), ["a", "b"], form=Format("csv")) as write:
        write([['say "hi", now', None], ["two\nlines", 3]])
    assert target.read_bytes() == b'a,b\r\n"say ""hi"", now",\r\n"two\nlines",3\r\n'


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    target.write_bytes(b"old")
    with pytest.raises(TypeError), open_target(str(target)) as file:
        file.writelines([b"new", None])  # type: ignore[list-item]
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.csv"]  # noqa: PTH208


def test_devices_are_written_to_not_replaced(tmp_path: Path) -> None:
    with open_target("/dev/null") as file:
        file.write(b"gone")
    assert not Path("/dev/null").is_file()
    with pytest.raises(StorageError, match="No space left"), open_target("/dev/full") as file:
        file.write(b"no room")
    with pytest.raises(UsageError, match="it is a folder"), open_target(str(tmp_path)):
        pass
