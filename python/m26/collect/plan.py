"""Replies in, the next question and what became of auctions out: the planner, kept in a folder.

Which request comes next, and why, is decided in Rust (`m26._native.Planner`), by what was asked and
answered and by nothing else.  So a log of questions and replies, begun anew with each snapshot,
rebuilds it after a kill at any moment.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

import orjson

from m26._native import Planner
from m26.errors import StorageError
from m26.home.files import replace_private

_SNAPSHOT_EVERY = 1_000
"""Replies after which the log begins anew: as many are read again after a kill."""


class Ask(NamedTuple):
    """A question: a page of the list, or the states of auctions."""

    search: tuple[int, int] | None
    """Offset and count."""
    ids: list[int]
    """Empty for a search."""


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask, when (µs of server time), and why."""

    ask: Ask
    at: int
    why: str


Row = Sequence[Any]
"""An auction as a reply shows it: id, status, bids, current bid, buyout price, posted (s), seconds
left, median price, card, physical copy, acquired (s). Money in coins."""


class Label(NamedTuple):
    """What became of an auction. Times in µs."""

    auction_id: int
    outcome: str
    outcome_via: str | None
    final_price: int | None
    evidence: str
    confidence: float
    price_confidence: float
    closed_after: int | None
    closed_before: int | None
    closed_at: int | None


class Notice(NamedTuple):
    """What is now held true of the upstream; the value is JSON text."""

    flag: str
    value: str
    why: str


class News(NamedTuple):
    """What a reply came to."""

    labels: list[Label]
    notices: list[Notice]


class Plan:
    """A planner whose questions and replies are on disk before they count.

    Args:
        folder: where it is kept; made if it is not there.
        per_day: most requests in 24 h.
        per_minute: most requests in a minute.
        now: server time, µs.

    Raises:
        StorageError: the folder cannot be read or written.
    """

    def __init__(self, folder: Path, *, per_day: int, per_minute: int, now: int) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._asked: Ask | None = None
        self._replies = 0
        self._generation, self.planner = self._load(per_day, per_minute, now)
        log = self._log_path(self._generation)
        whole = self._replay(log)
        self._log: IO[bytes] = log.open("ab", buffering=0)
        os.truncate(self._log.fileno(), whole)
        self.planner.resume(per_day=per_day, per_minute=per_minute, now=now)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.save()
        self._log.close()

    def next(self, now: int) -> Question:
        """The next question; nothing is written down yet."""
        ask, at, why = self.planner.next(now)
        return Question(Ask(*ask), at, why)

    def sent(self, question: Question) -> None:
        """Count a question, before it goes out."""
        self._write("sent", [[question.ask.search, question.ask.ids], question.at])
        self._sent(question.ask, question.at)

    def unsent(self) -> None:
        """The last question did not go out after all."""
        self._write("unsent", None)
        self._unsent()

    def reply(self, at: int, *, failed: bool, truncated: bool, rows: Sequence[Row]) -> News:
        """Take in the reply to the last question."""
        self._write("reply", [at, failed, truncated, rows])
        news = self._reply(at, failed, truncated, rows)
        self._replies += 1
        if self._replies >= _SNAPSHOT_EVERY:
            self.save()
        return news

    def conclude(self) -> News:
        """What can be said of every auction that is still open."""
        return _news(self.planner.conclude())

    def save(self) -> None:
        """Write down what is known, and begin the log anew."""
        generation = self._generation + 1
        state = self.planner.save()
        log = self._log_path(generation).open("wb", buffering=0)
        replace_private(self._folder / "state", generation.to_bytes(8, "big") + state)
        self._log.close()
        self._log_path(self._generation).unlink(missing_ok=True)
        self._log, self._generation, self._replies = log, generation, 0

    def _load(self, per_day: int, per_minute: int, now: int) -> tuple[int, Planner]:
        with suppress(FileNotFoundError, ValueError):
            kept = (self._folder / "state").read_bytes()
            return int.from_bytes(kept[:8], "big"), Planner.load(kept[8:])
        return 0, Planner(per_day=per_day, per_minute=per_minute, now=now)

    def _replay(self, log: Path) -> int:
        """Take in what the log holds; how many bytes of it are whole."""
        whole = 0
        for line in _lines(log):
            try:
                what, given = orjson.loads(line)
            except ValueError:
                break  # cut by a kill while it was written
            match what:
                case "sent":
                    self._sent(Ask(*given[0]), given[1])
                case "unsent":
                    self._unsent()
                case _:
                    self._reply(*given)
            self._replies += what == "reply"
            whole += len(line)
        return whole

    def _sent(self, ask: Ask, at: int) -> None:
        self.planner.sent(at)
        self._asked = ask

    def _unsent(self) -> None:
        self.planner.unsent()
        self._asked = None

    def _reply(self, at: int, failed: bool, truncated: bool, rows: Sequence[Any]) -> News:
        if self._asked is None:
            raise StorageError("a reply without a question", hint="This is a bug: please report it.")
        ask = self._asked
        told = self.planner.observe(
            ask, at=at, failed=failed, truncated=truncated, rows=[tuple(row) for row in rows]
        )
        return _news(told)

    def _write(self, what: str, given: Any) -> None:
        self._log.write(orjson.dumps([what, given]) + b"\n")

    def _log_path(self, generation: int) -> Path:
        return self._folder / f"log-{generation}"


def _news(told: tuple[list[Any], list[Any]]) -> News:
    return News([Label(*label) for label in told[0]], [Notice(*notice) for notice in told[1]])


def _lines(path: Path) -> Iterator[bytes]:
    with suppress(FileNotFoundError), path.open("rb") as file:
        yield from file
