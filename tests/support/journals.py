"""Pages and faulty file systems for the journal's tests."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path

import orjson

from m26.journal import Journal
from m26.journal.files import Files
from m26.models import Page, Record


def make_page(number: int, *, size: int = 200) -> Page:
    """A page whose body is different for each number and does not compress."""
    body = random.Random(number).randbytes(size)
    return Page(
        account="main",
        platform="ps5",
        command="Mobile_SearchAuctions",
        query='{"filters":[],"itemName":"","offset":0}',
        status=200,
        content_type="application/json",
        fetched_at=1_786_913_835_000_000 + number,
        body=body,
        sweep=number // 10,
    )


def open_journal(folder: Path, *, files: Files | None = None, segment_bytes: int = 4000) -> Journal:
    return Journal.open(
        folder, keep_bytes=1 << 40, reserve_bytes=0, segment_bytes=segment_bytes, files=files
    )


def promise(home: Path, journal: str, records: int, account: str = "main") -> None:
    """The account's book, as it stands after a request that came behind `records`."""
    entries = {
        "spent": [[1, 1]], "logins": [], "last": None, "due": 0.0, "eased_at": None,
        "slow_until": 0.0, "pause": None, "taken": {}, "forgiving": [],
    }  # fmt: skip
    book = {
        "stamp": {"at": 1.0, "steady": 1.0, "start": ""},
        "entries": entries,
        "journal": {"journal": journal, "records": records},
    }
    (home / "budget").mkdir(exist_ok=True)
    (home / "budget" / f"{account}.json").write_bytes(orjson.dumps(book))


def read_all(journal: Journal, pos: int = 0, *, max_records: int = 7) -> list[Record]:
    """Everything from `pos` on, in several reads, checked to be dense."""
    records: list[Record] = []
    at = pos
    while batch := journal.read(at, max_records=max_records):
        for record in batch:
            assert record.pos == at
            at = record.end
        records += batch
    assert at == max(pos, journal.next_pos)
    return records


class SmallDisk(Files):
    """A disk of `room` bytes for record data: short writes first, then ENOSPC."""

    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, fd: int, data: memoryview, offset: int) -> int:
        if self.room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = super().write(fd, data[: self.room], offset)
        self.room -= taken
        return taken

    def free(self, folder: Path) -> int:
        return self.room


class BadSync(Files):
    """A disk whose fsync fails from the given call on; later calls pretend to succeed."""

    def __init__(self, *, fails_at: int, also_cut: bool = False) -> None:
        self.calls = 0
        self.fails_at = fails_at
        self.also_cut = also_cut

    def sync(self, fd: int) -> None:
        self.calls += 1
        if self.calls == self.fails_at:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync(fd)

    def cut(self, fd: int, size: int) -> None:
        if self.also_cut:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        super().cut(fd, size)
