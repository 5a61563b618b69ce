"""What a home knows by itself of its cursor: the writers it was, and how far it was committed."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from m26.errors import StorageError
from m26.home.files import read_object, write_private

FILE = "cursor.json"
_EVERY = 1.0
_WRITERS = 200
"""Openings that are remembered: what they wrote last is long passed."""


@dataclass(frozen=True, slots=True)
class Writer:
    """One opening of a journal, as its cursor names it."""

    token: str
    """Random: no other opening, and no copy, has the same."""
    host: str
    since: float
    """Unix seconds."""

    @classmethod
    def new(cls) -> Writer:
        """This process's, from now on."""
        return cls(secrets.token_hex(16), socket.gethostname(), time.time())


class Change(NamedTuple):
    """A new id that a journal is being given."""

    old: str
    new: str
    database: str
    """The database whose cursor of `new` begins at `pos`."""
    pos: int
    checksum: int | None


class Trail:
    """The file beside the segments. It is copied with them, and tells copies from damage.

    What cannot be written (a full disk) is written with what comes next: too little in it makes a
    home offer records again, or ask its operator; nothing is lost by it.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self.writer = Writer.new()
        self.pos = 0
        """How far this home knows its own records to be committed, in the database of `bind`."""
        self.checksum: int | None = None
        """Of the record that ends at `pos`."""
        self._unsaved, self._saved_at = False, 0.0
        document = read_object(self._path)
        self._of: tuple[object, object] = (document.get("journal"), document.get("database"))
        self._writers: list[dict[str, Any]] = []
        self.change: Change | None = None
        """A new id that was begun to be given, and not finished."""
        with suppress(KeyError, TypeError, ValueError):  # unreadable: nothing is known
            self._writers = [dict(each) for each in document["writers"]]
            self.change = None if document["change"] is None else Change(**document["change"])
            checksum = document["checksum"]
            self.checksum = None if checksum is None else int(checksum)
            self.pos = int(document["pos"])

    def bind(self, journal: str, database: str) -> None:
        """Write down who writes from now on; of another journal or database nothing is known."""
        if (journal, database) != self._of:
            self._of, self.pos, self.checksum = (journal, database), 0, None
        self._writers.append({**self._here(), "token": self.writer.token})
        self._unsaved = True
        self.save()

    def note(self, pos: int, checksum: int | None) -> None:
        """What is before `pos` is committed, as our records or as those that we share.

        On disk within a second: two fsyncs for each batch would be felt.
        """
        if (pos, checksum) != (self.pos, self.checksum):
            self.pos, self.checksum = pos, checksum
            self._unsaved = True
            if time.monotonic() - self._saved_at >= _EVERY:
                self.save()

    def save(self) -> None:
        """Write down what was noted since it was written last."""
        if self._unsaved:
            with suppress(StorageError):
                write_private(self._path, self._document(self.change))
                self._unsaved = False
            self._saved_at = time.monotonic()

    def wrote(self, token: str | None) -> bool:
        """Whether an opening of this very folder had this token: in a copy, nobody's are its own.

        A copy that is taken of a journal in use knows the token that goes on writing there.
        """
        if token == self.writer.token:
            return True
        here = self._here()
        return any({**here, "token": token} == each for each in self._writers)

    def begin(self, change: Change) -> None:
        """Write down, durably, that the journal gets another id: `finish` has to follow.

        Raises:
            StorageError: it could not be written; nothing has changed.
        """
        write_private(self._path, self._document(change))
        self.change = change

    def finish(self, change: Change) -> None:
        """The journal has its new id, and is committed as far as the change says.

        Raises:
            StorageError: it could not be written; it is still to be finished.
        """
        self._of, self.pos = (change.new, change.database), change.pos
        self.checksum = change.checksum
        write_private(self._path, self._document(None))
        self.change = None

    def _here(self) -> Mapping[str, object]:
        """What is another one in a copy."""
        return {"host": self.writer.host, "folder": self._path.parent.stat().st_ino}

    def _document(self, change: Change | None) -> bytes:
        journal, database = self._of
        return orjson.dumps(
            {
                "journal": journal,
                "database": database,
                "pos": self.pos,
                "checksum": self.checksum,
                "writers": self._writers[-_WRITERS:],
                "change": None if change is None else change._asdict(),
            },
            option=orjson.OPT_INDENT_2,
        )
