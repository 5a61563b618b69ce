"""The journal's writer: records to the newest segment, each whole and on disk, or taken back."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

from m26.errors import StorageError
from m26.journal import segment as seg
from m26.journal.files import Files, storage_error
from m26.journal.segment import Identity
from m26.journal.view import Segment


class Writer:
    """Holds the open segment. After a failed fsync it refuses everything.

    Used under the journal's lock, except `check`.
    """

    def __init__(self, folder: Path, files: Files) -> None:
        self._folder = folder
        self._files = files
        self._fd: int | None = None
        self._trouble = ""

    @property
    def is_open(self) -> bool:
        """Whether a segment of this process's own is open."""
        return self._fd is not None

    def check(self) -> None:
        """Raise StorageError when the journal is closed or its disk has failed."""
        if self._trouble:
            raise StorageError(
                f"journal {self._folder} {self._trouble}; it takes and gives nothing more",
                hint="Check the disk (dmesg), then start m26 again: it goes on from the last safe "
                "record.",
            )

    def append(self, segment: Segment, record: bytes) -> Segment:
        """Put one record behind `segment`, the open one; the longer segment."""
        assert self._fd is not None
        self._write(self._fd, record, segment.size)
        self._sync(self._fd, segment.size)
        return replace(segment, size=segment.size + len(record))

    def roll(self, first: int, identity: Identity) -> Segment:
        """Go on in a new segment. It gets its name only when its head is durable.

        A segment of the same name, which has no records, is replaced.
        """
        path = self._folder / seg.segment_name(first)
        temp = path.with_suffix(".tmp")
        try:
            fd = self._files.open(temp, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        except OSError as error:
            raise storage_error("write", self._folder, error) from None
        try:
            self._write(fd, seg.pack_head(identity, first), 0)
            self._sync(fd, 0)
            self._place(temp, path)
        except StorageError:
            os.close(fd)
            raise
        if self._fd is not None:
            os.close(self._fd)
        self._fd = fd
        return Segment(first, path, seg.HEAD_BYTES)

    def close(self) -> None:
        """Close the file; every later call fails."""
        self._trouble = self._trouble or "is closed"
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _write(self, fd: int, data: bytes, offset: int) -> None:
        """Write all of `data` at `offset`, or take back what was written of it."""
        rest, at = memoryview(data), offset
        try:
            while rest:
                taken = self._files.write(fd, rest, at)
                rest, at = rest[taken:], at + taken
        except OSError as error:
            try:
                self._files.cut(fd, offset)
            except OSError as second:
                self._fail("could not take back a torn record", second)
            raise storage_error("write", self._folder, error) from None

    def _sync(self, fd: int, offset: int) -> None:
        try:
            self._files.sync(fd)
        except OSError as error:
            # The kernel may have dropped the bytes and now call them clean: a second fsync would
            # prove nothing. Only take care that a restart does not find this record.
            try:
                self._files.cut(fd, offset)
            except OSError as second:
                self._fail("could neither fsync nor take back a record", second)
            self._fail("could not fsync", error)
        if os.fstat(fd).st_nlink == 0:
            gone = FileNotFoundError(errno.ENOENT, "someone deleted it")
            self._fail("has lost its newest segment", gone)

    def _place(self, temp: Path, path: Path) -> None:
        try:
            # Before the rename: where no descriptor is free, nothing has changed.
            folder = self._files.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise storage_error("write", self._folder, error) from None
        try:
            self._rename(temp, path, folder)
        finally:
            os.close(folder)

    def _rename(self, temp: Path, path: Path, folder: int) -> None:
        try:
            self._files.rename(temp, path)
        except OSError as error:
            raise storage_error("write", self._folder, error) from None
        try:
            self._files.sync_folder(folder)
        except OSError as error:
            self._fail("could not fsync its folder", error)

    def _fail(self, what: str, error: OSError) -> None:
        self._trouble = f"{what} ({error.strerror})"
        self.check()
