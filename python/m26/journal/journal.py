"""The journal's lifetime: pages are appended and fsynced by the collector, read by the store.

Invariants: what `append` has returned for is on disk; a segment is written by one process only;
the newest segment is never deleted, so that no position is given out twice.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Self
from uuid import UUID

from m26.journal import segment as seg
from m26.journal.damage import Gap, Ledger
from m26.journal.files import Files, storage_error
from m26.journal.segment import Identity
from m26.journal.trail import Trail
from m26.journal.view import Mark, View, Viewed, checksum, open_view, records
from m26.journal.writer import Writer
from m26.models import Page, Record

_MIB = 2**20


class Journal(Viewed):
    """Append-only segments in one folder. Methods block: call them from worker threads."""

    def __init__(
        self,
        folder: Path,
        identity: Identity,
        view: View,
        *,
        keep_bytes: int,
        reserve_bytes: int,
        segment_bytes: int,
        files: Files,
    ) -> None:
        self._folder = folder
        self._identity = identity
        self._view = view
        self._keep_bytes = keep_bytes
        self._reserve_bytes = reserve_bytes
        self._segment_bytes = segment_bytes
        self._files = files
        self._writer = Writer(folder, files)
        self._lock = threading.Lock()
        self._mark: Mark | None = None
        self.damage = Ledger(folder)
        """What is damaged in it, or gone; found at opening and at reading."""
        self.trail = Trail(folder)
        """What this home knows of its cursor by itself."""

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        keep_bytes: int,
        reserve_bytes: int = 64 * _MIB,
        segment_bytes: int = 64 * _MIB,
        promised: Mapping[str, int] | None = None,
        files: Files | None = None,
    ) -> Self:
        """Open or make the journal in `folder`; a record torn by a crash is cut off.

        Args:
            folder: made with mode 0700 when it is not there.
            keep_bytes: committed bytes that `release` leaves for later replays.
            reserve_bytes: free disk space below which `full` says stop.
            segment_bytes: a segment is closed before it grows beyond this.
            promised: by journal, records that were on disk when somebody wrote it down elsewhere.
                One that ends before them has lost its end: that is damage, and their positions
                are not given out again.
            files: file system calls, for fault tests.

        Raises:
            StorageError: the folder cannot be used, or a file in it is not the segment of this
                journal that its name says.
        """
        files, promised = files or Files(), promised or {}
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
            for leftover in folder.glob("*.tmp"):
                files.unlink(leftover)
            identity, view, gaps = open_view(folder, files, promised)
        except OSError as error:
            raise storage_error("open", folder, error) from None
        journal = cls(
            folder,
            identity,
            view,
            keep_bytes=keep_bytes,
            reserve_bytes=reserve_bytes,
            segment_bytes=segment_bytes,
            files=files,
        )
        if not view.segments:
            journal._roll(0, identity)  # the identity is durable before anyone uses it
        if gaps:
            journal.damage.found(journal.id, gaps)
        journal._keep_promises(promised)
        return journal

    def bind(self, database_id: str) -> None:
        """Remember, durably, the database whose cursor counts this journal's records.

        Raises:
            StorageError: it could not be written.
        """
        with self._lock:
            self._writer.check()
            identity = replace(self._identity, database=UUID(database_id))
            if identity != self._identity:
                self._roll(self._view.next_pos, identity)
            self.trail.bind(self.id, database_id)

    def append(self, page: Page) -> int:
        """Store one page; its position. It is on disk when this returns.

        Raises:
            StorageError: it is not stored. Without room, what was written of it is taken back and
                a later call may succeed; after a failed fsync every later call fails.
        """
        payload = seg.pack_payload(page)
        with self._lock:
            self._writer.check()
            pos = self._view.next_pos
            record = seg.pack_record(pos, payload)
            last = self._view.segments[-1]
            crowded = pos > last.first and last.size + len(record) > self._segment_bytes
            if crowded or not self._writer.is_open:
                self._roll(pos, self._identity)
            segments = self._view.segments
            grown = self._writer.append(segments[-1], record)
            self._view = View((*segments[:-1], grown), pos + 1)
            return pos

    def read(self, pos: int, *, max_records: int = 64, max_bytes: int = 8 * _MIB) -> list[Record]:
        """Records from `pos` on, in order and without holes; empty when caught up.

        Args:
            pos: position of the first record wanted.
            max_records: most records returned.
            max_bytes: most body bytes returned, except that one record always fits.

        Returns:
            Records. One that is damaged, deleted or missing comes without its page and says why;
            neighbours that are missing come as one. All of that is added to `damage`.

        Raises:
            StorageError: a segment cannot be read at all. Nothing is passed over.
        """
        self._writer.check()
        found: list[Record] = []
        taken = 0
        try:
            for record, mark in records(self._view, pos, mark=self._mark, files=self._files):
                taken += len(record.page.body) if record.page else 0
                if found and taken > max_bytes:
                    break
                found.append(record)
                self._mark = mark or self._mark
                if len(found) >= max_records:
                    break
        except OSError as error:
            raise storage_error("read", self._folder, error) from None
        if gaps := [Gap(r.pos, r.end, r.detail) for r in found if r.page is None]:
            self.damage.found(self.id, gaps)
        return found

    def again(self, pos: int) -> Iterator[Record]:
        """Records from `pos` on, or from the first that is kept: they were read before.

        What is damaged comes without its page, and is not told once more.

        Raises:
            StorageError: a segment cannot be read.
        """
        while True:
            try:
                pos = max(pos, self.first_pos)
                for record, _ in records(self._view, pos, mark=None, files=self._files):
                    yield record
                    pos = record.end
            except FileNotFoundError:
                continue  # `release` has deleted a segment meanwhile
            except OSError as error:
                raise storage_error("read", self._folder, error) from None
            return

    def checksum(self, end: int) -> int | None:
        """Checksum of the record that ends at `end`, by which it is told from a twin's.

        None: it is not here (deleted, missing, its header damaged), and was not the last one that
        this home saw committed.

        Raises:
            StorageError: its segment cannot be read.
        """
        try:
            found = checksum(self._view, end, files=self._files)
        except OSError as error:
            raise storage_error("read", self._folder, error) from None
        return self.trail.checksum if found is None and end == self.trail.pos else found

    def skip_to(self, pos: int) -> None:
        """Give the next append the position `pos`: the database has passed what we lost.

        Raises:
            ValueError: `pos` was given out already.
            StorageError: it could not be written.
        """
        with self._lock:
            self._writer.check()
            if pos < self._view.next_pos:
                raise ValueError(f"position {pos} is before {self._view.next_pos}")
            if pos > self._view.next_pos:
                why = f"the journal ends at {self._view.next_pos}, but the database has passed them"
                self._pass_over(pos, why)

    def release(self, pos: int) -> None:
        """Everything before `pos` is committed: delete whole segments beyond `keep_bytes`.

        Raises:
            StorageError: a segment could not be deleted.
        """
        with self._lock:
            self._writer.check()
            while len(self._view.segments) > 1 and self._view.size > self._keep_bytes:
                oldest, following = self._view.segments[:2]
                if following.first > pos:
                    break
                try:
                    self._files.unlink(oldest.path)
                except OSError as error:
                    raise storage_error("clean up", self._folder, error) from None
                self._view = replace(self._view, segments=self._view.segments[1:])

    def full(self) -> str | None:
        """Why no further request may be sent, or None: the reply would find no room.

        Raises:
            StorageError: the journal or its disk failed.
        """
        self._writer.check()
        try:
            free = self._files.free(self._folder)
        except OSError as error:
            raise storage_error("measure", self._folder, error) from None
        if free >= self._reserve_bytes:
            return None
        left, kept = free // _MIB, self._reserve_bytes // _MIB
        return f"{left} MiB left on the disk of {self._folder}; m26 keeps {kept} MiB free"

    def check(self) -> None:
        """Raise StorageError when the journal is closed or its disk has failed for good."""
        self._writer.check()

    def close(self) -> None:
        """Close the files; every later call fails."""
        with self._lock:
            self._writer.close()
            self.trail.save()

    def _keep_promises(self, promised: Mapping[str, int]) -> None:
        """Tell what was on disk and is not; go on behind it."""
        for journal, count in promised.items():
            if journal != self.id and count:
                why = f"the journal they were in, {journal}, is gone: this home's is {self.id}"
                self.damage.found(journal, [Gap(0, count, why)])
        count, ends = promised.get(self.id, 0), self._view.next_pos
        if count > ends:
            self._pass_over(count, f"they were on disk, but now the journal ends at {ends}")

    def _pass_over(self, pos: int, why: str) -> None:
        """Go on at `pos`: what is before it and not here is gone."""
        self.damage.found(self.id, [Gap(self._view.next_pos, pos, why)])
        self._roll(pos, self._identity)

    def _roll(self, first: int, identity: Identity) -> None:
        new = self._writer.roll(first, identity)
        older = (segment for segment in self._view.segments if segment.first != first)
        self._view = View((*older, new), first)
        self._identity = identity
