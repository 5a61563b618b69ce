"""What a journal has lost, in a file beside it until the operator says that he knows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from m26.clock import iso, unix
from m26.errors import StorageError
from m26.home.files import write_private
from m26.home.lock import turn

FILE = "damage.json"
_LAST = 2**63 - 1
_MOST = 1000
"""Places that are kept apart; further ones widen the last."""


class Gap(NamedTuple):
    """Positions from `first` on, before `stop`, whose records are gone, and why."""

    first: int
    stop: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One damaged place of a journal."""

    journal: str
    first: int
    last: int
    why: str
    found_at: float
    """Unix seconds."""
    acknowledged_at: float | None = None

    def __str__(self) -> str:
        """For people: which records, and why."""
        many = f"records {self.first} to {self.last}"
        return f"{many if self.last > self.first else f'record {self.first}'}: {self.why}"


class Ledger:
    """Damage of the journal in `folder`. Its file is shared with `m26 journal ack`.

    What cannot be written (a full disk) is kept in memory and written later.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = folder / FILE
        self._turns = folder / f".{FILE}.lock"
        self._clock = clock
        self._guard = threading.Lock()
        self._pending: list[Damage] = []
        self._seen: tuple[object, tuple[Damage, ...]] = (None, ())

    def found(self, journal: str, gaps: Iterable[Gap]) -> None:
        """Records of `journal` are gone; what is known already, acknowledged or not, is no news."""
        now = self._clock()
        with self._guard:
            self._pending += [
                Damage(journal=journal, first=g.first, last=g.stop - 1, why=g.why, found_at=now)
                for g in gaps
            ]
        self.flush()

    def flush(self) -> None:
        """Write down what could not be written when it was found."""
        with self._guard:
            if not self._pending:
                return
            try:
                with turn(self._turns):
                    known = list(self._read())
                    added = _merged(known, self._pending)
                    if added != known:
                        self._write(added)
            except (OSError, StorageError):
                return
            self._pending = []

    def open(self) -> tuple[Damage, ...]:
        """What nobody has acknowledged yet, in the order in which it was found."""
        with self._guard:
            entries = _merged(self._look(), self._pending)
        return tuple(each for each in entries if each.acknowledged_at is None)

    def acknowledge(self) -> tuple[Damage, ...]:
        """The operator knows: what he has now been shown is told no more.

        Raises:
            OSError, StorageError: it could not be written, so it is still told.
        """
        if not self._path.exists():
            return ()
        with turn(self._turns):
            entries, now = self._read(), self._clock()
            shown = tuple(each for each in entries if each.acknowledged_at is None)
            if shown:
                self._write([replace(e, acknowledged_at=e.acknowledged_at or now) for e in entries])
        return shown

    def disown(self, journal: str, *, heir: str | None = None) -> None:
        """Whatever becomes of `journal`, it is no damage: this home has another one on purpose.

        Args:
            journal: given up.
            heir: has its records now, and what is known of their damage.

        Raises:
            OSError, StorageError: it could not be written.
        """
        now = self._clock()
        whole = Damage(
            journal=journal,
            first=0,
            last=_LAST,
            why="given up on purpose",
            found_at=now,
            acknowledged_at=now,
        )
        with turn(self._turns):
            kept = [each for each in self._read() if each.journal != journal or heir]
            moved = [replace(e, journal=heir) if heir and e.journal == journal else e for e in kept]
            self._write([*moved, whole])

    def _look(self) -> tuple[Damage, ...]:
        """What is in the file; read again only when it has changed."""
        try:
            facts = self._path.stat()
            version = (facts.st_mtime_ns, facts.st_ino, facts.st_size)
        except OSError:
            version = None
        if version != self._seen[0]:
            self._seen = version, self._read()
        return self._seen[1] if version else ()

    def _read(self) -> tuple[Damage, ...]:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return ()
        try:
            return tuple(map(_decoded, orjson.loads(content)["damage"]))
        except (KeyError, TypeError, ValueError):
            why = f"{self._path} cannot be read: which damage it told of is not known"
            at = self._path.stat().st_mtime
            return (Damage(journal="", first=0, last=0, why=why, found_at=at),)

    def _write(self, entries: Iterable[Damage]) -> None:
        document = {"damage": [_document(each) for each in entries]}
        write_private(self._path, orjson.dumps(document, option=orjson.OPT_INDENT_2))


def _merged(known: Iterable[Damage], found: Iterable[Damage]) -> list[Damage]:
    """`known` and what of `found` is news; what adjoins the last place widens it."""
    entries = list(known)
    for each in found:
        for news in _news(entries, each):
            last = entries[-1] if entries else None
            if last is None or last.acknowledged_at is not None or last.journal != news.journal:
                entries.append(news)
            elif last.last + 1 == news.first or len(entries) >= _MOST:
                first, end = min(last.first, news.first), max(last.last, news.last)
                entries[-1] = replace(last, first=first, last=end)
            else:
                entries.append(news)
    return entries


def _news(known: Iterable[Damage], found: Damage) -> Iterator[Damage]:
    """The parts of `found` that no known place covers."""
    first = found.first
    for place in sorted((k for k in known if k.journal == found.journal), key=lambda k: k.first):
        if first < place.first <= found.last:
            yield replace(found, first=first, last=place.first - 1)
        if place.first <= found.last:
            first = max(first, place.last + 1)
    if first <= found.last:
        yield replace(found, first=first)


def _document(damage: Damage) -> dict[str, Any]:
    acknowledged = damage.acknowledged_at
    return {
        **asdict(damage),
        "found_at": iso(damage.found_at),
        "acknowledged_at": None if acknowledged is None else iso(acknowledged),
    }


def _decoded(document: dict[str, Any]) -> Damage:
    acknowledged = document["acknowledged_at"]
    return Damage(
        journal=str(document["journal"]),
        first=int(document["first"]),
        last=int(document["last"]),
        why=str(document["why"]),
        found_at=unix(document["found_at"]),
        acknowledged_at=None if acknowledged is None else unix(acknowledged),
    )
