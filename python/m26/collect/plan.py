"""Replies in, the next question and what became of auctions out: the planner, kept in a folder.

Which request comes next, and why, is decided in Rust (`m26._native.Planner`), by what was asked and
answered and by nothing else.  So a log of questions and replies, begun anew with each snapshot,
rebuilds it after a kill at any moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from m26._native import Planner
from m26.collect.plan_files import Kept, PlanFiles, read
from m26.collect.questions import Ask, Label, News, Notice, Question, Row

_SNAPSHOT_EVERY = 1_000
"""Replies after which the log begins anew: as many are read again after a kill."""
PLANS = "plan"
"""Folder of a home, with one for each platform."""
_DAY = 86_400_000_000
_HELD = 4
"""Requests that may have left beyond an even pace, at the most."""


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
        pins: what the operator answered of the upstream, by flag.

    Raises:
        HomeLockedError: another process has this plan.
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
        with ExitStack() as stack:
            self._files = stack.enter_context(PlanFiles(folder))
            self._budget, self._pins = (per_day, per_minute), dict(pins or {})
            self._course = self._restored() or self._begun(now)
            self._note("resume", [per_day, per_minute, now])
            if self.planner.pin(self._pins):
                self.save()  # the log goes on from what is believed now
            self._held = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._held:
            if kind is None:
                self.save()

    @property
    def planner(self) -> Planner:
        """What decides; to be asked, not to be told anything."""
        return self._course.planner

    @property
    def untold(self) -> News:
        """What the last reply came to, if no question followed it: a kill may have kept it back."""
        return self._course.untold

    def next(self, now: int) -> Question:
        """The next question; it is not written down yet.

        What the last reply came to counts as told. Now and then a snapshot is written: until the
        question is due nobody waits.
        """
        if self._course.replies >= _SNAPSHOT_EVERY:
            self.save()
        try:
            (search, ids), at, why = self.planner.next(now)
        except RuntimeError as error:
            self._begin_anew(now, str(error))
            (search, ids), at, why = self.planner.next(now)
        return Question(Ask(search, list(ids)), at, why)

    def sent(self, question: Question) -> None:
        """Count a question before it goes out, and what came of the one before as told."""
        self._note("sent", [list(question.ask), question.at, question.why])

    def unsent(self) -> None:
        """The last question did not go out after all, or nothing can be learned of its reply."""
        self._note("unsent", [])

    def reply(self, at: int, *, failed: bool, truncated: bool, rows: Sequence[Row]) -> News:
        """Take in the reply to the last question.

        Raises:
            ValueError, TypeError, OverflowError: a row is none; nothing has changed.
        """
        given = [at, failed, truncated, rows]
        try:
            self._course.take("reply", given)  # first: what cannot be read is not written down
        except RuntimeError as error:
            self._begin_anew(at, str(error))
            return _NOTHING
        self._files.add("reply", given)
        return self.untold

    def _begin_anew(self, now: int, why: str) -> None:
        """A fault of ours would come again with what is kept: it is moved aside, and told."""
        self._files.move_aside(why)
        self._course = self._begun(now)
        self.planner.pin(self._pins)
        self.save()

    def conclude(self) -> News:
        """What can be said of every auction that is still open."""
        return _news(self.planner.conclude())

    def save(self) -> None:
        """Write down what is known, and begin the log anew."""
        self._files.begin(self.planner.save())
        self._course.replies = 0

    def _note(self, what: str, given: list[Any]) -> None:
        self._files.add(what, given)
        self._course.take(what, given)

    def _restored(self) -> _Course | None:
        try:
            kept = self._files.load()
            return _Course.of(kept) if kept else None
        except (ValueError, TypeError, OverflowError, RuntimeError) as error:
            self._files.move_aside(str(error))
            return None

    def _begun(self, now: int) -> _Course:
        per_day, per_minute = self._budget
        planner = Planner(per_day=per_day, per_minute=per_minute, now=now)
        if self._files.is_aside:
            for back in range(per_day, 0, -1):
                planner.sent(now - max(0, back - _HELD) * _DAY // per_day, "")
        self._files.begin(planner.save())
        return _Course(planner)


@dataclass(slots=True)
class _Course:
    """A planner, and what happens to it."""

    planner: Planner
    asked: Ask | None = None
    replies: int = 0
    """Since the snapshot."""
    untold: News = _NOTHING

    @classmethod
    def of(cls, kept: Kept) -> Self:
        """As it was left."""
        course = cls(Planner.load(kept.state))
        for what, given in kept.events:
            course.take(what, given)
        return course

    def take(self, what: str, given: Sequence[Any]) -> None:
        """Live through an event, now or once more."""
        match what:
            case "sent":
                (search, ids), at, why = given
                self.planner.sent(at, why)
                self.asked = Ask(None if search is None else (search[0], search[1]), ids)
                self.untold = _NOTHING
            case "unsent":
                self.planner.unsent()
                self.asked = None
            case "reply":
                self._reply(*given)
            case _:
                per_day, per_minute, now = given
                self.planner.resume(per_day=per_day, per_minute=per_minute, now=now)

    def _reply(self, at: int, failed: bool, truncated: bool, rows: Sequence[Row]) -> None:
        if self.asked is None:
            raise ValueError("a reply without a question")
        rows = list(map(tuple, rows))
        told = self.planner.observe(
            self.asked, at=at, failed=failed, truncated=truncated, rows=rows
        )
        self.asked, self.untold = None, _news(told)
        self.replies += 1


def look(folder: Path) -> Planner | None:
    """The planner of a folder as its last reply left it, whoever has it open.

    None: there is none, or it cannot be read.
    """
    try:
        kept = read(folder)
        return _Course.of(kept).planner if kept else None
    except (OSError, ValueError, TypeError, OverflowError, RuntimeError):
        return None


def kept(home: Path) -> dict[str, Planner]:
    """What a home knows of each platform's market, by platform."""
    folders = sorted(path for path in (home / PLANS).glob("*") if path.is_dir())
    found = ((folder.name, look(folder)) for folder in folders)
    return {name: planner for name, planner in found if planner is not None}


def _news(told: tuple[list[Any], list[Any]]) -> News:
    return News([Label(*label) for label in told[0]], [Notice(*notice) for notice in told[1]])
