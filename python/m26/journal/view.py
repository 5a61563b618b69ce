"""A journal's segments as readers may see them, found at open; records from a position on."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

from m26.errors import StorageError
from m26.journal import heads
from m26.journal import segment as seg
from m26.journal.damage import Gap
from m26.journal.files import Files
from m26.journal.segment import Identity
from m26.journal.trail import Trail
from m26.models import Record


@dataclass(frozen=True, slots=True)
class Segment:
    """One file; its name carries `first`."""

    first: int
    path: Path
    size: int
    """Bytes that are durable; more may be on their way."""


@dataclass(frozen=True, slots=True)
class View:
    """All segments, oldest first. Replaced as a whole, so that readers need no lock."""

    segments: tuple[Segment, ...]
    next_pos: int

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(segment.size for segment in self.segments)


class Viewed:
    """Who a journal is and how far it goes, for whoever has a view of it."""

    _identity: Identity
    _view: View

    @property
    def id(self) -> str:
        """The uuid made with the journal: ``part`` of its cursor in the database."""
        return str(self._identity.journal)

    @property
    def database(self) -> str | None:
        """The id of the database that its cursor belongs to; None before there was one."""
        database = self._identity.database
        return None if database is None else str(database)

    @property
    def first_pos(self) -> int:
        """Position of the oldest record that is kept."""
        return self._view.segments[0].first

    @property
    def next_pos(self) -> int:
        """Position behind the newest record, which the next one gets."""
        return self._view.next_pos

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self._view.size


@dataclass(frozen=True, slots=True)
class Mark:
    """Where reading ended, so that the next read need not walk its segment from the start."""

    segment: int
    pos: int
    offset: int


def open_view(
    folder: Path, files: Files, promised: Mapping[str, int]
) -> tuple[Identity, View, list[Gap]]:
    """Identity, segments and holes of a folder; a record torn by a crash is cut off.

    Args:
        folder: of the journal.
        files: file system calls.
        promised: by journal, how many records it is known to have had: see `Journal.open`.

    Raises:
        OSError: a file cannot be used.
        StorageError: a file is not the segment that its name says, or not of this journal.
    """
    paths = seg.segment_paths(folder)
    if Trail(folder).change is not None:
        raise StorageError(
            f"the journal {folder} was being given a new id, and that was not finished",
            hint="Run: m26 journal new-id",
        )
    if not paths:
        return Identity(uuid4(), None), View((), 0), []
    identity = heads.identity(paths, promised)
    gaps = list(_gaps(paths, files))
    first = int(paths[-1].stem)
    fd = files.open(paths[-1], os.O_RDWR)
    try:
        next_pos, size = seg.recover(fd, first)
        torn = size < os.fstat(fd).st_size
        if torn and next_pos >= promised.get(str(identity.journal), 0):
            files.cut(fd, size)  # else it was no crash that tore it: what is left is evidence
        files.sync(fd)  # whole, but perhaps never synced: it must be, before a cursor passes it
    finally:
        os.close(fd)
    sizes = [*(path.stat().st_size for path in paths[:-1]), size]
    segments = (Segment(int(p.stem), p, size) for p, size in zip(paths, sizes, strict=True))
    return identity, View(tuple(segments), next_pos), gaps


def _gaps(paths: list[Path], files: Files) -> Iterator[Gap]:
    """Holes between the segments: one is gone, or was cut.

    Raises:
        StorageError: two segments hold the same positions.
    """
    for path, following in pairwise(paths):
        fd = files.open(path, os.O_RDONLY)
        try:
            stop = seg.tail(fd, int(path.stem))
        finally:
            os.close(fd)
        begins = int(following.stem)
        if stop > begins:
            raise heads.overlapping(path, following, stop - 1)
        if stop < begins:
            yield Gap(stop, begins, seg.lost(stop, begins, path).detail)


def records(
    view: View, pos: int, *, mark: Mark | None, files: Files
) -> Iterator[tuple[Record, Mark | None]]:
    """Each record from `pos` on, with the mark at which reading goes on behind it.

    A hole is one record, that stands for all that are missing in it.

    Raises:
        OSError: a segment cannot be read at all.
    """
    first = view.segments[0].first
    if (stop := min(first, view.next_pos)) > pos:
        yield Record(pos, None, f"deleted: the journal begins at {first}", stop - pos), None
    pos = max(pos, first)
    begin = bisect_right(view.segments, pos, key=lambda segment: segment.first) - 1
    stops = [*(segment.first for segment in view.segments[1:]), view.next_pos]
    for segment, stop in zip(view.segments[begin:], stops[begin:], strict=True):
        if pos >= stop:
            continue
        start = Mark(segment.first, segment.first, seg.HEAD_BYTES)
        if mark is not None and mark.segment == segment.first and mark.pos <= pos:
            start = mark
        fd = files.open(segment.path, os.O_RDONLY)
        try:
            for entry in seg.walk(fd, offset=start.offset, end=segment.size, pos=start.pos):
                if entry.pos >= stop:
                    break
                if entry.pos >= pos:
                    if entry.pos > pos:
                        yield seg.lost(pos, entry.pos, segment.path), None
                    pos = entry.pos + 1
                    yield seg.load(fd, entry), Mark(segment.first, pos, entry.end)
        finally:
            os.close(fd)
        if stop > pos:
            yield seg.lost(pos, stop, segment.path), None
        pos = stop


def checksum(view: View, end: int, *, files: Files) -> int | None:
    """Checksum of the record that ends at `end`; None: deleted, missing, or its header damaged.

    Raises:
        OSError: its segment cannot be read.
    """
    pos = end - 1
    if not view.segments or not view.segments[0].first <= pos < view.next_pos:
        return None
    at = bisect_right(view.segments, pos, key=lambda segment: segment.first) - 1
    segment = view.segments[at]
    fd = files.open(segment.path, os.O_RDONLY)
    try:
        entries = seg.walk(fd, offset=seg.HEAD_BYTES, end=segment.size, pos=segment.first)
        entry = next((entry for entry in entries if entry.pos >= pos), None)
    finally:
        os.close(fd)
    return entry.crc if entry is not None and entry.pos == pos else None


def peek(folder: Path) -> tuple[str, Callable[[int], int | None]] | None:
    """The id of a journal that may be in use, and its `checksum` by end; None: there is none.

    Raises:
        OSError: a file cannot be read.
        StorageError: a file is not the segment that its name says.
    """
    paths = seg.segment_paths(folder)
    if not paths:
        return None
    sizes = [path.stat().st_size for path in paths]
    segments = [Segment(int(p.stem), p, size) for p, size in zip(paths, sizes, strict=True)]
    files = Files()
    fd = files.open(paths[-1], os.O_RDONLY)
    try:
        next_pos = seg.tail(fd, segments[-1].first)
    finally:
        os.close(fd)
    found = str(heads.identity(paths, {}).journal)
    return found, partial(checksum, View(tuple(segments), next_pos), files=files)
