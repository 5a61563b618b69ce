"""A journal's segments as readers may see them, found at open; records from a position on."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from m26.errors import StorageError
from m26.journal import segment as seg
from m26.journal.files import Files
from m26.journal.segment import Identity
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


@dataclass(frozen=True, slots=True)
class Mark:
    """Where reading ended, so that the next read need not walk its segment from the start."""

    segment: int
    pos: int
    offset: int


def open_view(folder: Path, files: Files) -> tuple[Identity, View]:
    """Identity and segments of a folder; a record torn by a crash is cut off.

    Raises:
        OSError: a file cannot be used.
        StorageError: the segments do not belong to one journal.
    """
    paths = seg.segment_paths(folder)
    if not paths:
        return Identity(uuid4(), None), View((), 0)
    identity = _identity(folder, paths)
    fd = files.open(paths[-1], os.O_RDWR)
    try:
        next_pos, size = seg.recover(fd, int(paths[-1].stem))
        if size < os.fstat(fd).st_size:
            files.cut(fd, size)
        files.sync(fd)  # whole, but perhaps never synced: it must be, before a cursor passes it
    finally:
        os.close(fd)
    sizes = [*(path.stat().st_size for path in paths[:-1]), size]
    segments = (Segment(int(p.stem), p, size) for p, size in zip(paths, sizes, strict=True))
    return identity, View(tuple(segments), next_pos)


def _identity(folder: Path, paths: list[Path]) -> Identity:
    known = [head[0] for head in map(seg.read_head, paths) if head is not None]
    if not known:
        raise StorageError(
            f"{folder} holds segments, but none says which journal it belongs to",
            hint="Move the folder away; `m26 replay` reads its segments into the database.",
        )
    if len({identity.journal for identity in known}) > 1:
        raise StorageError(
            f"{folder} holds segments of more than one journal",
            hint="Move the foreign *.seg files away; `m26 replay` reads them.",
        )
    return known[-1]


def records(
    view: View, pos: int, *, mark: Mark | None, files: Files
) -> Iterator[tuple[Record, Mark | None]]:
    """Each record from `pos` on without a hole, with the mark at which reading goes on behind it.

    Raises:
        OSError: a segment cannot be read at all.
    """
    first = view.segments[0].first
    for missing in range(pos, min(first, view.next_pos)):
        yield Record(missing, None, f"deleted: the journal begins at {first}"), None
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
                    for missing in range(pos, entry.pos):
                        yield seg.lost(missing, segment.path), None
                    pos = entry.pos + 1
                    yield seg.load(fd, entry), Mark(segment.first, pos, entry.end)
        finally:
            os.close(fd)
        for missing in range(pos, stop):
            yield seg.lost(missing, segment.path), None
        pos = stop
