"""Lines of a planner in; what it holds true of each auction and of the upstream, kept in arrays."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from benches.market.trace import OUTCOMES, SOLD, VIA, Trace
from benches.market.variants import Flags

SURE = 0.9
"""Confidence from which a label is sure."""
NOT_SAID = -1
_FLAGS = frozenset(Flags().told())


def whole(value: Any, least: int = 0) -> bool:
    """An integer of JSON, no truth value, from `least` up to what 64 bits hold."""
    return type(value) is int and least <= value < 1 << 62


def _share(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1


def sound(label: dict[str, Any]) -> bool:
    """Whether a label is as the contract has it."""
    outcome, price = label.get("outcome"), label.get("final_price")
    sold = outcome == "sold"
    after, before = label.get("closed_after"), label.get("closed_before")
    return (
        outcome in OUTCOMES
        and label.get("outcome_via") in (VIA if sold else (None,))
        and (price is None or (sold and whole(price)))
        and _share(label.get("confidence"))
        and _share(label.get("price_confidence", label["confidence"]))
        and all(at is None or whole(at) for at in (after, before))
        and (after is None or before is None or after <= before)
        and isinstance(label.get("evidence"), str | None)
    )


@dataclass(slots=True)
class Notice:
    """What was said of a flag, after how many requests of each kind."""

    value: Any
    sent: Counter[str]
    at: int


class Claims:
    """The last label of each auction, since when its claim stands, and what was served before."""

    def __init__(self, trace: Trace) -> None:
        size = len(trace)
        self.shown = bytearray(size)
        self.told = bytearray(size)  # outcome a reply has given; 0 none
        self.active_at = array("q", bytes(8 * size))  # µs of the last reply that showed it alive
        self.said = bytearray(size)  # whether there is a label
        self.outcome = bytearray(size)
        self.via = bytearray(size)
        self.sure = bytearray(size)
        self.ever_sure = bytearray(size)
        self.taken_back = bytearray(size)
        self.price = array("q", bytes(8 * size))
        self.confidence = array("d", bytes(8 * size))
        self.price_confidence = array("d", bytes(8 * size))
        self.since = array("q", bytes(8 * size))  # µs: outcome, price and being sure stand
        self.at = array("q", bytes(8 * size))
        self.after = array("q", bytes(8 * size))
        self.before = array("q", bytes(8 * size))
        self.foretold: list[tuple[int, int, int, float, float]] = []
        """Labels that stood when a reply first told the end: place, outcome, price, confidences."""
        self.notices: dict[str, list[Notice]] = {}
        self.evidence: Counter[str] = Counter()
        self.labels = 0

    def label(self, i: int, label: dict[str, Any], now: int) -> None:
        """Take a sound label of the auction at `i`, said at `now`."""
        outcome = OUTCOMES.index(label["outcome"])
        price = label.get("final_price")
        price = NOT_SAID if price is None else price
        confidence = label["confidence"]
        price_confidence = label.get("price_confidence", confidence)
        sure = confidence >= SURE and (outcome != SOLD or price_confidence >= SURE)
        sure = sure and outcome != 0
        same = self.said[i] and self.outcome[i] == outcome and self.price[i] == price
        if not (same and self.sure[i] == sure):
            self.since[i] = now
        if self.sure[i] and not (same and sure):
            self.taken_back[i] = 1
        self.labels += 1
        self.said[i] = 1
        self.outcome[i], self.via[i] = outcome, VIA.index(label.get("outcome_via"))
        self.sure[i] = sure
        self.ever_sure[i] |= sure
        self.price[i] = price
        self.confidence[i], self.price_confidence[i] = confidence, price_confidence
        self.at[i] = now
        after, before = label.get("closed_after"), label.get("closed_before")
        self.after[i] = NOT_SAID if after is None else after
        self.before[i] = NOT_SAID if before is None else before
        self.evidence[str(label.get("evidence"))] += 1

    def notice(self, notice: dict[str, Any], sent: Counter[str], now: int) -> bool:
        """Take a notice; False if it is of no known flag."""
        name = notice.get("notice")
        if name not in _FLAGS or "value" not in notice:
            return False
        self.notices.setdefault(name, []).append(Notice(notice["value"], sent.copy(), now))
        return True

    def serve(self, i: int, status: int, now: int) -> None:
        """A reply shows the auction at `i`."""
        self.shown[i] = 1
        if status and not self.told[i] and self.outcome[i]:
            sure = self.confidence[i], self.price_confidence[i]
            self.foretold.append((i, self.outcome[i], self.price[i], *sure))
        if status:
            self.told[i] = status
        else:
            self.active_at[i] = now


def showing(name: str) -> tuple[str, ...]:
    """Kinds of requests that can show how a flag is set."""
    if name in ("batch", "ended", "recall", "ended_price"):
        return ("refresh",)
    return ("further back",) if name == "paging" else ("front", "further back")


def holds(name: str, value: Any, true: Any) -> bool:
    """Whether a notice's value is right; a recall may be off by a factor of 2."""
    if name == "recall" and true is not None:
        return _number(value) and true / 2 <= value <= true * 2
    if isinstance(true, bool) or true is None or isinstance(true, str):
        return value is true or (isinstance(true, str) and value == true)
    return _number(value) and value == true


def _number(value: Any) -> bool:
    return type(value) in (int, float)


@dataclass(slots=True)
class Counts:
    """What happened in a run, beside labels."""

    violations: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    why: Counter[str] = field(default_factory=Counter)
    decide: array[float] = field(default_factory=lambda: array("d"))  # s
    decide_cpu: array[float] = field(default_factory=lambda: array("d"))  # s, labels included
    coverage: list[dict[str, int]] = field(default_factory=list)
    switched: list[tuple[str, Any, Counter[str]]] = field(default_factory=list)
    """Flag, its new value, requests of each kind that were sent before."""
    ended: str = ""
    """Why the run was over before its end; empty if it was not."""
    lives: int = 0
    peak_mb: float = 0.0
    home_mb: float = 0.0
    cpu_s: float = 0.0
    wall_s: float = 0.0
