"""The book of one account: requests spent, its pause, failures met; one file for all processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import structlog

from m26.clock import since_start
from m26.descriptors import is_exhausted
from m26.errors import OutageError
from m26.home.files import cannot, write_private
from m26.home.lock import open_lock, take

_log = structlog.get_logger()
_BOOT = Path("/proc/sys/kernel/random/boot_id")
DAY, MINUTE = 86_400.0, 60.0
_CELL = 20
"""Seconds of requests that become one entry when only the day's window still sees them."""
_STEP = 1.0
"""Seconds by which a clock must be off to count as set: less is two reads one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Until when no request of the account may leave, and why."""

    until: float
    """Unix seconds."""
    seconds: float
    """How long it was meant to last: it never lasts longer, whatever the clock does."""
    reason: str
    """Code of the failure table."""
    message: str
    advice: str


@dataclass(slots=True, kw_only=True)
class Entries:
    """What stands in a book. All times are Unix seconds."""

    spent: list[tuple[int, int]] = field(default_factory=list)
    """(time, requests), oldest first; the time is that of the last of them, rounded up."""
    logins: list[float] = field(default_factory=list)
    last: float | None = None
    """When the last request was allowed."""
    due: float = 0.0
    """When the next request would be due if all were evenly spaced."""
    eased_at: float | None = None
    """When requests began anew after a rest: the burst grows from one since then."""
    slow_until: float = 0.0
    pause: Pause | None = None
    taken: dict[str, list[float]] = field(default_factory=dict)
    """For each reason of the failure table: when its action was taken."""
    forgiving: list[str] = field(default_factory=list)
    """Reasons that a good reply takes back."""

    def shift(self, seconds: float) -> None:
        """Move every time: the clock was set, and nothing of this happened earlier or later."""
        whole = round(seconds)
        self.spent = [(at + whole, count) for at, count in self.spent]
        self.logins = [at + seconds for at in self.logins]
        self.taken = {why: [at + seconds for at in times] for why, times in self.taken.items()}
        self.due += seconds
        self.slow_until += seconds
        self.last = None if self.last is None else self.last + seconds
        self.eased_at = None if self.eased_at is None else self.eased_at + seconds
        if self.pause is not None:
            self.pause = replace(self.pause, until=self.pause.until + seconds)

    def forget(self, now: float) -> None:
        """Drop what no window sees; put together what only the day's does."""
        old: list[tuple[int, int]] = []
        young: list[tuple[int, int]] = []
        for at, count in self.spent:
            if at > now - MINUTE:
                young.append((at, count))
            elif at > now - DAY:
                if old and old[-1][0] // _CELL == at // _CELL:
                    count += old.pop()[1]  # noqa: PLW2901 - the same cell's
                old.append((at, count))
        self.spent = old + young


class Durable(NamedTuple):
    """How far a journal is safely on disk."""

    journal: str
    """Its id."""
    records: int
    """Position behind its last durable record."""


class Book:
    """The file of one account and the lock beside it. Its writers take turns; readers need none.

    Beside the entries stands how far the journal was on disk when they were written: each request
    is written down before it leaves, so that costs nothing, and a journal that ends early is
    noticed (`promised`). Earlier versions pass that member over, and drop it when they write.

    Args:
        path: the file; its folder is made.
        clock: Unix seconds.
        steady: seconds of a clock that is never set, since the machine's start, for all processes;
            None: those of the machine where `clock` is the machine's, else `clock` itself.
        durable: how far the journal is on disk; None where this process writes none: what stands
            in the book about it then stays.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] | None = None,
        durable: Callable[[], Durable] | None = None,
    ) -> None:
        self._path = path
        self._lock = path.with_name(f".{path.stem}.lock")
        self._clock = clock
        self._steady = steady or (since_start if clock is time.time else clock)
        self._start = _start_of_machine()
        self._seen: tuple[object, Entries] = (None, Entries())
        self._durable = durable
        self._promise: Durable | None = None
        """As it stands in the book."""

    @property
    def promises_too_little(self) -> bool:
        """Whether more is on disk than the book says."""
        return self._durable is not None and self._durable() != self._promise

    @contextmanager
    def turn(self) -> Iterator[Entries]:
        """What is in the book; no other process writes until the block ends. `save` keeps changes.

        Raises:
            StorageError: the folder cannot be used.
            OutageError: no descriptor was free for it; `when_free` waits for one.
        """
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = open_lock(self._lock)
        except OSError as error:
            raise cannot("use", self._path.parent, error) from None
        try:
            take(lock, wait=True)
            document = _read(self._path)
            self._promise = _promise(document)
            entries, remark = self._entries(document)
            if remark:
                _log.warning(remark, path=str(self._path))
                self.save(entries)  # or the next look would move it once more
            yield entries
        finally:
            os.close(lock)

    def save(self, entries: Entries) -> None:
        """Write down; only within a `turn`.

        Raises:
            StorageError: it cannot be written; what stood there stands.
        """
        stamp = {"at": self._clock(), "steady": self._steady(), "start": self._start}
        document: dict[str, Any] = {"stamp": stamp, "entries": entries}
        promise = self._promise if self._durable is None else self._durable()
        if promise is not None:
            document["journal"] = promise._asdict()
        write_private(self._path, orjson.dumps(document))
        self._promise = promise

    def look(self) -> Entries:
        """What is in the book, without a lock: to show it, not to change it."""
        try:
            facts = self._path.stat()
            version = (facts.st_mtime_ns, facts.st_ino, facts.st_size)
        except OSError:
            version = None
        if version is None or version != self._seen[0]:
            with suppress(OutageError):  # what was seen last will do until it can be read
                entries, remark = self._entries(_read(self._path))
                self._seen = (None if remark else version), entries
        return self._seen[1]

    def _entries(self, document: Any) -> tuple[Entries, str]:  # noqa: ANN401 - any JSON
        """As by the clock of now, and what had to be done for that, if anything."""
        now, remark = self._clock(), ""
        if document is None:
            return Entries(due=now), ""
        try:
            entries = _decoded(**document["entries"])
            off = self._off(**document["stamp"], now=now)
        except (AttributeError, KeyError, TypeError, ValueError):
            # Unreadable is not empty: assume that the burst and some logins were just used.
            return Entries(due=now + DAY, last=now, logins=[now] * 3), "budget.unreadable"
        if off:
            entries.shift(off)
        pause = entries.pause
        if pause is not None and pause.until > now + pause.seconds:
            entries.pause = replace(pause, until=now + pause.seconds)
        if off or entries.pause is not pause:
            remark = "budget.clock_was_set"
        entries.forget(now)
        return entries, remark

    def _off(self, *, at: float, steady: float, start: str, now: float) -> float:
        """By how much the clock was set since the book was written."""
        if not start or start != self._start:
            return min(0.0, now - at)  # the machine was off, for an unknown time
        off = now - at - max(0.0, self._steady() - steady)
        return off if abs(off) > _STEP else 0.0


def promised(folder: Path) -> dict[str, int]:
    """By journal: how many records were on disk when a book of `folder` was last written."""
    found: dict[str, int] = {}
    for path in folder.glob("*.json"):
        promise = _promise(_read(path))
        if promise is not None:
            found[promise.journal] = max(promise.records, found.get(promise.journal, 0))
    return found


def _promise(document: Any) -> Durable | None:  # noqa: ANN401 - any JSON
    try:
        return Durable(str(document["journal"]["journal"]), int(document["journal"]["records"]))
    except (KeyError, TypeError, ValueError):
        return None


def _read(path: Path) -> Any:  # noqa: ANN401 - any JSON; None where there is no file
    try:
        return orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        if is_exhausted(error):
            raise cannot("read", path, error) from None
        return {}
    except ValueError:
        return {}


def _whole(number: float) -> int:
    if abs(number) >= 2**63:  # it could not be written again
        raise ValueError("no time and no count")
    return int(number)


def _decoded(  # the names are those of `Entries`: one that is not known is an error
    *,
    spent: list[list[int]],
    logins: list[float],
    pause: dict[str, Any] | None,
    taken: dict[str, list[float]],
    forgiving: list[str],
    last: float | None,
    eased_at: float | None,
    **times: float,
) -> Entries:
    return Entries(
        spent=[(_whole(at), _whole(count)) for at, count in spent],
        logins=[float(at) for at in logins],
        pause=None
        if pause is None
        else Pause(
            until=float(pause["until"]),
            seconds=float(pause["seconds"]),
            reason=str(pause["reason"]),
            message=str(pause["message"]),
            advice=str(pause["advice"]),
        ),
        taken={str(why): [float(at) for at in found] for why, found in taken.items()},
        forgiving=[str(why) for why in forgiving],
        last=None if last is None else float(last),
        eased_at=None if eased_at is None else float(eased_at),
        **{name: float(at) for name, at in times.items()},
    )


def _start_of_machine() -> str:
    """Names the time since the machine was started; empty where it does not tell."""
    try:
        return _BOOT.read_text("ascii").strip()
    except OSError:
        return ""
