"""Replies in, the next question and what became of auctions out: the planner, kept in a folder.

Which request comes next, and why, is decided in Rust (`m26._native.Planner`), by what was asked and
answered and by nothing else.  So a log of questions and replies, begun anew with each snapshot,
rebuilds it after a kill at any moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

from m26._native import Planner
from m26.collect.plan_files import PlanFiles

_SNAPSHOT_EVERY = 1_000
"""Replies after which the log begins anew: as many are read again after a kill."""
_DAY = 86_400_000_000
_HELD = 4
"""Requests that may have left beyond an even pace, at the most."""


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


_NOTHING = News([], [])


class Plan:
    """A planner whose questions and replies are on disk before they count.

    What is there and cannot be read is moved aside and told, and the planner begins anew, as if it
    had spent the budget of the day before.

    Args:
        folder: where it is kept; made if it is not there.
        per_day: most requests in 24 h.
        per_minute: most requests in a minute.
        now: server time, µs.

    Raises:
        HomeLockedError: another process has this plan.
        StorageError: the folder cannot be read or written.
    """

    def __init__(self, folder: Path, *, per_day: int, per_minute: int, now: int) -> None:
        self._asked: Ask | None = None
        self._replies = 0
        self._is_anew = False
        self.untold = _NOTHING
        """What the last reply came to, if no question followed it: a kill may have kept it back."""
        with ExitStack() as stack:
            self._files = stack.enter_context(PlanFiles(folder))
            self.planner = self._restored() or self._begun(per_day, per_minute, now)
            self._files.add("resume", [per_day, per_minute, now])
            self.planner.resume(per_day=per_day, per_minute=per_minute, now=now)
            self._held = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._held:
            if kind is None:
                self.save()

    def next(self, now: int) -> Question:
        """The next question; nothing is written down yet."""
        ask, at, why = self.planner.next(now)
        return Question(Ask(*ask), at, why)

    def sent(self, question: Question) -> None:
        """Count a question before it goes out, and what came of the one before as told."""
        if self._replies >= _SNAPSHOT_EVERY:
            self.save()
        self._files.add("sent", [list(question.ask), question.at])
        self._sent(question.ask, question.at)

    def unsent(self) -> None:
        """The last question did not go out after all."""
        self._files.add("unsent", [])
        self._unsent()

    def reply(self, at: int, *, failed: bool, truncated: bool, rows: Sequence[Row]) -> News:
        """Take in the reply to the last question.

        Raises:
            ValueError, TypeError, OverflowError: a row is none; nothing has changed.
        """
        news = self._reply(at, failed, truncated, rows)
        self._files.add("reply", [at, failed, truncated, rows])
        return news

    def conclude(self) -> News:
        """What can be said of every auction that is still open."""
        return _news(self.planner.conclude())

    def save(self) -> None:
        """Write down what is known, and begin the log anew."""
        self._files.begin(self.planner.save())
        self._replies = 0

    def _restored(self) -> Planner | None:
        try:
            if kept := self._files.load():
                self.planner = Planner.load(kept.state)
                for what, given in kept.events:
                    self._again(what, given)
                return self.planner
        except (ValueError, TypeError, OverflowError) as error:
            self._asked, self._replies, self.untold = None, 0, _NOTHING
            self._files.move_aside(str(error))
            self._is_anew = True
        return None

    def _begun(self, per_day: int, per_minute: int, now: int) -> Planner:
        planner = Planner(per_day=per_day, per_minute=per_minute, now=now)
        if self._is_anew:
            for back in range(per_day, 0, -1):
                planner.sent(now - max(0, back - _HELD) * _DAY // per_day)
        self._files.begin(planner.save())
        return planner

    def _again(self, what: str, given: list[Any]) -> None:
        match what:
            case "sent":
                (search, ids), at = given
                self._sent(Ask(tuple(search) if search else None, ids), at)
            case "unsent":
                self._unsent()
            case "reply":
                self.untold = self._reply(*given)
            case _:
                per_day, per_minute, now = given
                self.planner.resume(per_day=per_day, per_minute=per_minute, now=now)

    def _sent(self, ask: Ask, at: int) -> None:
        self.planner.sent(at)
        self._asked, self.untold = ask, _NOTHING

    def _unsent(self) -> None:
        self.planner.unsent()
        self._asked = None

    def _reply(self, at: int, failed: bool, truncated: bool, rows: Sequence[Any]) -> News:
        if self._asked is None:
            raise ValueError("a reply without a question")
        told = self.planner.observe(
            self._asked, at=at, failed=failed, truncated=truncated, rows=list(map(tuple, rows))
        )
        self._asked = None
        self._replies += 1
        return _news(told)


def _news(told: tuple[list[Any], list[Any]]) -> News:
    return News([Label(*label) for label in told[0]], [Notice(*notice) for notice in told[1]])
