"""A journal and a dictionary are driven through the same random lives and must agree."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.support.journals import make_page

from m26.journal import Journal
from m26.journal.files import Files
from m26.models import Page


class _Killed(BaseException):
    """The process is gone: nothing of ours may run behind it."""


class _Mortal(Files):
    """Dies after `lives` more bytes, as a kill -9 in the middle of a write would."""

    lives: int | None = None

    def write(self, fd: int, data: memoryview, offset: int) -> int:
        if self.lives is None:
            return super().write(fd, data, offset)
        taken = super().write(fd, data[: self.lives], offset) if self.lives else 0
        self.lives -= taken
        if taken < len(data):
            raise _Killed
        return taken

    def sync(self, fd: int) -> None:
        if self.lives == 0:
            raise _Killed
        super().sync(fd)


class JournalMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="journal-"))
        self.files = _Mortal()
        self.pages: dict[int, Page] = {}
        self.next = 0
        self.cursor = 0
        self.made = 0

    @initialize()
    def begin(self) -> None:
        self.journal = self.open()
        self.identity = self.journal.id

    def open(self) -> Journal:
        return Journal.open(
            self.folder, keep_bytes=1500, reserve_bytes=0, segment_bytes=1000, files=self.files
        )

    def page(self, size: int) -> Page:
        self.made += 1
        return make_page(self.made, size=size)

    @rule(size=st.integers(0, 600))
    def append(self, size: int) -> None:
        page = self.page(size)
        assert self.journal.append(page) == self.next
        self.pages[self.next] = page
        self.next += 1

    @rule(max_records=st.integers(1, 20), max_bytes=st.integers(1, 3000))
    def store_some(self, max_records: int, max_bytes: int) -> None:
        records = self.journal.read(self.cursor, max_records=max_records, max_bytes=max_bytes)
        assert bool(records) == (self.cursor < self.next)
        for record in records:
            assert (record.pos, record.page) == (self.cursor, self.pages.get(record.pos))
            assert not any(pos in self.pages for pos in range(record.pos + 1, record.end))
            self.cursor = record.end

    @rule()
    def release(self) -> None:
        self.journal.release(self.cursor)
        assert self.journal.first_pos <= self.cursor

    @rule()
    def restart(self) -> None:
        self.journal.close()
        self.journal = self.open()

    @rule(size=st.integers(0, 600), share=st.floats(0, 1))
    def die_while_appending(self, size: int, share: float) -> None:
        page = self.page(size)
        self.files.lives = int(share * (size + 400))
        try:
            pos = self.journal.append(page)
        except _Killed:
            pos = None
        self.files.lives = None
        self.journal.close()
        self.journal = self.open()
        if pos is not None or self.journal.next_pos > self.next:
            self.pages[self.next] = page  # whole on disk, though nobody was told
            self.next += 1

    @rule(ahead=st.integers(0, 5))
    def skip(self, ahead: int) -> None:
        self.next += ahead
        self.journal.skip_to(self.next)

    @rule(database=st.uuids())
    def bind(self, database: object) -> None:
        self.journal.bind(str(database))
        assert self.journal.database == str(database)

    @invariant()
    def it_agrees(self) -> None:
        if hasattr(self, "journal"):
            assert self.journal.next_pos == self.next
            assert self.journal.id == self.identity

    def teardown(self) -> None:
        self.journal.close()
        shutil.rmtree(self.folder)


TestJournal = JournalMachine.TestCase
TestJournal.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
