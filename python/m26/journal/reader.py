"""A journal's folder in, its records out, for other processes than the one that writes to it.

Invariant: nothing is locked, written or cut, so it may be looked at while m26 runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from m26.errors import StorageError
from m26.journal import heads
from m26.journal import segment as seg
from m26.journal.files import Files, storage_error
from m26.journal.segment import Identity
from m26.journal.view import Segment, View, Viewed, records
from m26.models import Record

_TRIES = 10


@dataclass(frozen=True, slots=True)
class Holding:
    """What one segment holds, by the headers of its records."""

    path: Path
    first: int
    stop: int
    """Position behind its last record."""
    records: int
    """Those with an intact header: fewer than `stop - first` where some are damaged or missing."""
    size: int
    """Bytes."""
    times: tuple[int, int] | None
    """When its first and its last record were received, microseconds; None where that is gone."""


class Reader(Viewed):
    """The journal in a folder, as it was when this was made; `refresh` looks again.

    Raises:
        StorageError: there is none, or a file is not the segment that its name says.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = Files()
        self._identity, self._view = self._look()

    def refresh(self) -> None:
        """Look again: records came, and what is committed may have been deleted.

        Raises:
            StorageError: a file cannot be read, or is not the segment that its name says.
        """
        self._identity, self._view = self._look()

    def records(self, pos: int) -> Iterator[Record]:
        """Every record from `pos` on; what is damaged, missing or deleted comes without its page.

        Raises:
            StorageError: a file cannot be read.
        """
        while True:
            try:
                for record, _ in records(self._view, pos, mark=None, files=self._files):
                    yield record
                    pos = record.end
            except FileNotFoundError:
                self.refresh()  # m26 has deleted a segment meanwhile: what was in it is told
            except OSError as error:
                raise storage_error("read", self._folder, error) from None
            else:
                return

    def holdings(self) -> Iterator[Holding]:
        """What each segment holds, oldest first; one that is deleted meanwhile is left out.

        Raises:
            StorageError: a file cannot be read.
        """
        ends = chain((s.first for s in self._view.segments[1:]), (self._view.next_pos,))
        for segment, stop in zip(self._view.segments, ends, strict=True):
            try:
                yield _holding(segment, stop)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise storage_error("read", self._folder, error) from None

    def _look(self) -> tuple[Identity, View]:
        for _ in range(_TRIES):
            try:
                if paths := seg.segment_paths(self._folder):
                    return _look(paths, self._files)
            except FileNotFoundError:
                continue  # deleted meanwhile
            except OSError as error:
                raise storage_error("read", self._folder, error) from None
            break
        raise StorageError(
            f"there is no journal in {self._folder}",
            hint="`m26 run` makes it. Is --home, or M26_HOME, the right one?",
        )


def _look(paths: list[Path], files: Files) -> tuple[Identity, View]:
    """As `open_view` finds them, but that nothing is cut, synced or told as damage."""
    identity = heads.identity(paths, {})
    fd = files.open(paths[-1], os.O_RDONLY)
    try:
        next_pos, size = seg.recover(fd, int(paths[-1].stem))
    finally:
        os.close(fd)
    sizes = [*(path.stat().st_size for path in paths[:-1]), size]
    segments = [Segment(int(p.stem), p, size) for p, size in zip(paths, sizes, strict=True)]
    return identity, View(tuple(segments), next_pos)


def _holding(segment: Segment, stop: int) -> Holding:
    fd = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        found = seg.walk(fd, offset=seg.HEAD_BYTES, end=segment.size, pos=segment.first)
        entries = [entry for entry in found if entry.pos < stop]
        ends = [seg.load(fd, entry).page for entry in (*entries[:1], *entries[-1:])]
    finally:
        os.close(fd)
    times = [page.fetched_at for page in ends if page is not None]
    whole = (times[0], times[1]) if len(times) == 2 else None  # noqa: PLR2004 - first and last
    return Holding(segment.path, segment.first, stop, len(entries), segment.size, whole)
