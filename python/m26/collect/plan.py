"""Replies in, the next question and what became of auctions out: the planner, kept in a folder.

Which request comes next, and why, is decided in Rust (`m26._native.Planner`), by what was asked and
answered and by nothing else.  So a log of questions and replies, begun anew with each snapshot,
rebuilds it after a kill at any moment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

import orjson
import structlog

from m26._native import Planner
from m26.errors import StorageError
from m26.home.files import replace_private

_log = structlog.get_logger()
_SNAPSHOT_EVERY = 1_000
"""Replies after which the log begins anew: as many are read again after a kill."""
FLAGS = (
    *("order", "paging", "page", "truncate", "batch"),
    *("ended", "recall", "visible", "ended_price"),
)
"""What an upstream may do one way or the other."""
REASONS = (
    *("front_page", "a_hole", "a_page_around_a_moment", "a_page_of_the_sweep"),
    *("where_moments_stand", "a_round_of_the_list", "expired", "probe"),
)
"""Why requests are sent, as they are counted."""
PLANS = "plan"
"""Folder of a home, with one for each platform."""
_STATE = "state"
_HEADER = b"m26 plan %d\n" % Planner.LAYOUT


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
        pins: what the operator answered of the upstream, by flag.

    Raises:
        StorageError: the folder cannot be read or written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        per_day: int,
        per_minute: int,
        now: int,
        pins: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = folder
        budget = {"per_day": per_day, "per_minute": per_minute, "now": now}
        with _told(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._kept = _opened(folder, lambda: Planner(**budget))
            self._log: IO[bytes] = _log_path(folder, self._kept.generation).open("ab", buffering=0)
            os.truncate(self._log.fileno(), self._kept.whole)
        self.planner.resume(**budget)
        is_new = self.planner.pin(dict(pins or {}))
        if is_new or not (folder / _STATE).exists():
            self.save()  # the log goes on from what is believed now

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.save()
        self._log.close()

    @property
    def planner(self) -> Planner:
        """What decides; to be asked, not to be told anything."""
        return self._kept.planner

    def next(self, now: int) -> Question:
        """The next question; nothing is written down yet."""
        (search, ids), at, why = self.planner.next(now)
        return Question(Ask(search, list(ids)), at, why)

    def sent(self, question: Question) -> None:
        """Count a question, before it goes out."""
        self._write("sent", [[question.ask.search, question.ask.ids], question.at])
        self._kept.sent(question.ask, question.at)

    def unsent(self) -> None:
        """The last question did not go out after all, or nothing can be learned of its reply."""
        self._write("unsent", None)
        self._kept.unsent()

    def reply(self, at: int, *, failed: bool, truncated: bool, rows: Sequence[Row]) -> News:
        """Take in the reply to the last question."""
        self._write("reply", [at, failed, truncated, rows])
        news = self._kept.reply(at, failed, truncated, rows)
        if self._kept.replies >= _SNAPSHOT_EVERY:
            self.save()
        return news

    def conclude(self) -> News:
        """What can be said of every auction that is still open."""
        return _news(self.planner.conclude())

    def save(self) -> None:
        """Write down what is known, and begin the log anew."""
        kept, folder = self._kept, self._folder
        old = _log_path(folder, kept.generation)
        kept.generation, kept.replies = kept.generation + 1, 0
        header = _HEADER + kept.generation.to_bytes(8, "big")
        with _told(folder):
            log = _log_path(folder, kept.generation).open("wb", buffering=0)
            replace_private(folder / _STATE, header + self.planner.save())
            self._log.close()
            self._log = log
            old.unlink(missing_ok=True)

    def _write(self, what: str, given: object) -> None:
        with _told(self._folder):
            self._log.write(orjson.dumps([what, given]) + b"\n")


def look(folder: Path) -> Planner | None:
    """The planner of a folder as its last reply left it, whoever has it open.

    None: there is none, or it is of another version.
    """
    try:
        return _Kept.load(folder, None).planner
    except (OSError, ValueError):
        return None


def kept(home: Path) -> dict[str, Planner]:
    """What a home knows of each platform's market, by platform."""
    folders = sorted(path for path in (home / PLANS).glob("*") if path.is_dir())
    found = ((folder.name, look(folder)) for folder in folders)
    return {name: planner for name, planner in found if planner is not None}


@dataclass(slots=True)
class _Kept:
    """What a folder holds, and what was asked since."""

    planner: Planner
    generation: int = 0
    asked: Ask | None = None
    replies: int = 0
    """Since the snapshot."""
    whole: int = 0
    """Bytes of the log, without a line that a kill cut."""

    @classmethod
    def load(cls, folder: Path, fresh: Callable[[], Planner] | None) -> Self:
        """The last snapshot, and what the log says came after it.

        Raises:
            FileNotFoundError: there is no snapshot, and `fresh` makes none.
            ValueError: it is of another version.
        """
        try:
            state = (folder / _STATE).read_bytes()
            generation = int.from_bytes(state[len(_HEADER) :][:8], "big")
            if not state.startswith(_HEADER):
                raise ValueError("it was kept by another version")
            kept = cls(Planner.load(state[len(_HEADER) + 8 :]), generation)
        except FileNotFoundError:
            if fresh is None:
                raise
            kept = cls(fresh())
        with suppress(FileNotFoundError), _log_path(folder, kept.generation).open("rb") as log:
            for line in log:
                if not line.endswith(b"\n"):
                    break
                kept._again(line)
                kept.whole += len(line)
        return kept

    def _again(self, line: bytes) -> None:
        match orjson.loads(line):
            case ["sent", [[search, ids], at]]:
                self.sent(Ask(None if search is None else (search[0], search[1]), ids), at)
            case ["unsent", _]:
                self.unsent()
            case ["reply", given]:
                self.reply(*given)

    def sent(self, ask: Ask, at: int) -> None:
        """A question goes out."""
        self.planner.sent(at)
        self.asked = ask

    def unsent(self) -> None:
        """It did not."""
        self.planner.unsent()
        self.asked = None

    def reply(self, at: int, failed: bool, truncated: bool, rows: Sequence[Any]) -> News:
        """Its reply came."""
        if self.asked is None:
            raise ValueError("a reply without a question")
        self.replies += 1
        rows = [tuple(row) for row in rows]
        return _news(
            self.planner.observe(self.asked, at=at, failed=failed, truncated=truncated, rows=rows)
        )


def _opened(folder: Path, fresh: Callable[[], Planner]) -> _Kept:
    try:
        return _Kept.load(folder, fresh)
    except ValueError as error:  # what it knew comes back by replies
        _log.warning("plan.begun_anew", folder=str(folder), reason=str(error))
        for path in (folder / _STATE, *folder.glob("log-*")):
            path.unlink(missing_ok=True)
        return _Kept(fresh())


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"cannot keep the plan in {folder}: {error.strerror or error}",
            hint="Free disk space, or give m26 the folder back; what is known is not lost.",
        ) from error


def _log_path(folder: Path, generation: int) -> Path:
    return folder / f"log-{generation}"


def _news(told: tuple[list[Any], list[Any]]) -> News:
    return News([Label(*label) for label in told[0]], [Notice(*notice) for notice in told[1]])
