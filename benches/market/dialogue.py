"""Trace, flags and a command in; the whole dialogue with that planner out, as claims and counts."""

from __future__ import annotations

import resource
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import orjson
from benches.market.claims import Claims, Counts, sound, whole
from benches.market.process import Gone, Planner
from benches.market.trace import DAY, US, Trace
from benches.market.upstream import Upstream
from benches.market.variants import Flags, with_flag

MINUTE = 60 * US
TOO_MANY = 2000
"""Violations after which a run is over."""
BREAKS = ("restart", "kill", "kill-reply")


@dataclass(frozen=True, slots=True)
class Break:
    """The planner ends `hours` after the start, and is started anew `away` hours later.

    A `restart` is told, a `kill` comes in place of a reply, a `kill-reply` right after one.
    """

    hours: float
    kind: str = "restart"
    away: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How a run goes."""

    flags: Flags
    days: float
    per_day: int = 4000
    per_minute: int = 6
    seed: int = 1
    switches: tuple[tuple[float, str, str], ...] = ()
    """Hours after the start, flag, its new value."""
    breaks: tuple[Break, ...] = ()


@dataclass(slots=True)
class Budget:
    """Requests that were sent: never more than so many in any 24 h and in any 60 s.

    A span is open at one end: a request exactly 24 h after another is not in one span with it.
    """

    per_day: int
    per_minute: int
    _sent: deque[int] = field(default_factory=deque)
    _minute: deque[int] = field(default_factory=deque)

    def broken(self, at: int) -> str:
        """The rule that a request at `at` breaks; empty: none, and it is counted as sent."""
        for sent, span in ((self._sent, DAY), (self._minute, MINUTE)):
            while sent and sent[0] <= at - span:
                sent.popleft()
        if len(self._sent) >= self.per_day:
            return "per_day"
        if len(self._minute) >= self.per_minute:
            return "per_minute"
        self._sent.append(at)
        self._minute.append(at)
        return ""


class Run:
    """One run of a planner, from its first hello to `done`."""

    def __init__(self, trace: Trace, plan: Plan, command: Sequence[str], folder: Path) -> None:
        self.trace, self.plan, self.command = trace, plan, command
        self.home, self.log = folder / "home", folder / "stderr.log"
        self.home.mkdir(parents=True)
        self.upstream = Upstream(trace, plan.flags, seed=plan.seed)
        self.claims, self.counts = Claims(trace), Counts()
        self.budget = Budget(plan.per_day, plan.per_minute)
        self.now = trace.epoch
        self.end = trace.epoch + round(plan.days * DAY)
        self._switches = deque(sorted(plan.switches))
        self._breaks = deque(sorted(plan.breaks, key=lambda each: each.hours))
        self._draw = Random(f"run {plan.seed}")
        self._planner: Planner
        self._asked = self._cpu = 0.0

    def play(self) -> None:
        """Play it; `counts.ended` says why if it did not come to its end."""
        begun = time.monotonic()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self._start()
        try:
            while self._turn():
                pass
            self._finish()
        except Gone as gone:
            self.counts.ended = str(gone)
        finally:
            self._planner.measure()
            self._take_all(self._planner.kill())
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        counts = self.counts
        counts.peak_mb = max(counts.peak_mb, self._planner.peak_mb)
        counts.cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        counts.wall_s = time.monotonic() - begun
        files = (path for path in self.home.rglob("*") if path.is_file())
        counts.home_mb = sum(path.stat().st_size for path in files) / 1e6

    def _start(self) -> None:
        plan = self.plan
        self._planner = Planner(self.command, self.home, self.log)
        self.counts.lives += 1
        hello = {"type": "hello", "schema": 1, "platform": "sim", "now": self.now}
        hello |= {"per_day": plan.per_day, "per_minute": plan.per_minute}
        self._say(hello | {"seed": self._draw.getrandbits(31)})

    def _say(self, line: dict[str, Any]) -> None:
        self._cpu = self._planner.cpu()
        self._asked = time.perf_counter()
        self._planner.say(orjson.dumps(line))

    def _turn(self) -> bool:
        """Take lines up to a question and answer it; False when the run is over."""
        question = self._question()
        if question is None or question["ask"] == "stop":
            return False
        at = question["at"]
        if self._breaks and at >= self._moment(self._breaks[0].hours):
            self._interrupt(self._breaks.popleft(), question)
            return True
        if at >= self.end:
            return False
        self._answer(question)
        if not sum(self.counts.requests.values()) % 256:
            self._planner.measure()
        return True

    def _moment(self, hours: float) -> int:
        return self.trace.epoch + round(hours * 3600 * US)

    def _question(self) -> dict[str, Any] | None:
        """The next question that is well-formed; None: there were too many violations."""
        while self.counts.violations.total() < TOO_MANY:
            line = self._take(self._planner.line())
            if line is None:
                continue
            self.counts.decide.append(self._planner.heard - self._asked)
            self.counts.decide_cpu.append(self._planner.cpu() - self._cpu)
            if _well_formed(line):
                return line
            self._refuse("malformed")
        self.counts.ended = f"there were {TOO_MANY:,} violations"
        return None

    def _take(self, text: bytes) -> dict[str, Any] | None:
        """Keep what a line says; the line if it is a question or `done`."""
        try:
            line = orjson.loads(text)
        except orjson.JSONDecodeError:
            line = None
        if not isinstance(line, dict):
            self.counts.violations["no object"] += 1
        elif "ask" in line or line.get("type") == "done":
            return line
        elif "notice" in line:
            if not self.claims.notice(line, self.counts.requests, self.now):
                self.counts.violations["malformed notice"] += 1
        elif "auction_id" in line:
            self._label(line)
        else:
            self.counts.violations["unknown line"] += 1
        return None

    def _take_all(self, lines: Sequence[bytes]) -> None:
        for text in lines:
            self._take(text)

    def _label(self, label: dict[str, Any]) -> None:
        if not whole(label["auction_id"]) or not sound(label):
            self.counts.violations["malformed label"] += 1
            return
        i = self.upstream.index(label["auction_id"])
        if i < 0 or not self.claims.shown[i]:
            self.counts.violations["label of an auction never shown"] += 1
            return
        self.claims.label(i, label, self.now)

    def _refuse(self, rule: str) -> None:
        self.counts.violations[rule] += 1
        self._reply("REFUSED", [], truncated=False)

    def _reply(self, error: str | None, found: Sequence[int], *, truncated: bool) -> None:
        rows = [self.upstream.row(i) for i in found]
        for i in found:
            self.claims.serve(i, self.upstream.status(i), self.now)
        line = {"type": "reply", "at": self.now, "error": error, "truncated": truncated}
        self._say(line | {"auctions": rows})

    def _advance(self, at: int) -> None:
        while self._switches and self._moment(self._switches[0][0]) <= at:
            hours, name, value = self._switches.popleft()
            self.upstream.advance(max(self.now, self._moment(hours)))
            self.upstream.switch(with_flag(self.upstream.flags, name, value))
            told = self.upstream.flags.told().get(name)
            self.counts.switched.append((name, told, self.counts.requests.copy()))
        self.now = at
        self.upstream.advance(at)

    def _answer(self, question: dict[str, Any]) -> None:
        at = question["at"]
        if at < self.now:
            self._refuse("at before the last reply")
            return
        self._advance(at)
        if rule := self.budget.broken(at):
            self._refuse(rule)
            return
        search = question["ask"] == "search"
        kind = "refresh" if not search else "front" if question["offset"] == 0 else "further back"
        self.counts.requests[kind] += 1
        self.counts.why[str(question.get("why"))] += 1
        found: list[int] | None
        truncated = False
        if self.upstream.lost():
            found = None
        elif search:
            found, truncated = self.upstream.search(question["offset"])
        else:
            found = self.upstream.refresh(self._known(question["ids"]))
        error = "ERR_SYSTEM" if found is None else None
        self._reply(error, found or (), truncated=truncated)

    def _known(self, ids: list[int]) -> list[int]:
        """Places of those ids that the batch takes and a reply has shown; the others count."""
        places = [self.upstream.index(auction_id) for auction_id in ids]
        unknown = sum(i < 0 or not self.claims.shown[i] for i in places)
        if unknown:
            self.counts.violations["id never shown"] += unknown
        taken = dict.fromkeys(places[: self.upstream.flags.batch])
        return [i for i in taken if i >= 0 and self.claims.shown[i]]

    def _interrupt(self, end: Break, question: dict[str, Any]) -> None:
        self._planner.measure()
        self.counts.peak_mb = max(self.counts.peak_mb, self._planner.peak_mb)
        if end.kind == "restart":
            self._say({"type": "restart"})
            lines, code = self._planner.leave()
            if code != 0:
                self.counts.violations["restart: exit code " + str(code)] += 1
        elif end.kind == "kill" or question["at"] >= self.end:
            lines = self._planner.kill()
        else:
            self._answer(question)
            lines = self._planner.kill(after=self._draw.random() * 0.005)
        self._take_all(lines)
        self._advance(max(self.now, self._moment(end.hours)) + round(end.away * 3600 * US))
        self._start()

    def _finish(self) -> None:
        """Say that it is the end, and take what is left up to `done`."""
        self._say({"type": "end", "at": self.end})
        while self.counts.violations.total() < TOO_MANY:
            line = self._take(self._planner.line())
            if line is None:
                continue
            if line.get("type") == "done":
                self._coverage(line.get("coverage"))
                self._planner.measure()
                lines, code = self._planner.leave()
                self._take_all(lines)
                if code != 0:
                    self.counts.violations["done: exit code " + str(code)] += 1
                return
            self.counts.violations["question after the end"] += 1

    def _coverage(self, rows: Any) -> None:
        names = ("from", "to", "listed", "low", "high")
        for row in rows if isinstance(rows, list) else [None]:
            if isinstance(row, dict) and all(type(row.get(n)) in (int, float) for n in names):
                self.counts.coverage.append(row)
            else:
                self.counts.violations["malformed coverage"] += 1


def _well_formed(question: dict[str, Any]) -> bool:
    ask, ids = question.get("ask"), question.get("ids")
    if ask == "stop":
        return True
    if not whole(question.get("at")) or not isinstance(question.get("why"), str | None):
        return False
    if ask == "search":
        return whole(question.get("offset")) and whole(question.get("count"), 1)
    return ask == "refresh" and isinstance(ids, list) and bool(ids) and all(map(whole, ids))
