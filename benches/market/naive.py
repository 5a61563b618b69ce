"""Simple planners behind the dialogue, told the flags: the market is checked by what they reach.

`first-page` looks at the first page at an even pace and labels from the last look. `after-expiry`
looks at the newest edge before it overflows and asks once for all that expired.
"""

from __future__ import annotations

import heapq
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TextIO

US = 1_000_000
DAY = 86_400 * US


@dataclass(slots=True)
class _Seen:
    ratio: float
    expires: int  # µs
    bids: int
    price: int
    buyout: int
    at: int  # µs
    told: str = ""


class Naive:
    """What both have in common: the even pace, what was seen, labels from the last look."""

    def __init__(self, say: Callable[[dict[str, Any]], None], hello: dict[str, Any]) -> None:
        self.say, self.now = say, int(hello["now"])
        self.gap = DAY // int(hello["per_day"]) + 1
        self.seen: dict[int, _Seen] = {}

    def question(self) -> dict[str, Any]:
        """The next request."""
        return {
            "ask": "search",
            "offset": 0,
            "count": 100,
            "at": self.now + self.gap,
            "why": "even",
        }

    def take(self, reply: dict[str, Any]) -> None:
        """A reply."""
        self.now = reply["at"]
        for row in reply["auctions"]:
            self._row(row)

    def _row(self, row: list[Any]) -> bool:
        """Keep a row; whether it is new."""
        auction_id, status, bids, price, buyout, _, left, median = row[:8]
        new = auction_id not in self.seen
        if status == "active":
            ratio = buyout / max(1, median) if buyout else 9.0
            expires = self.now + left * US
            self.seen[auction_id] = _Seen(ratio, expires, bids, price, buyout, self.now)
        elif new or not self.seen[auction_id].told:
            self._tell(auction_id, status, price, buyout)
        return new

    def _tell(self, auction_id: int, status: str, price: int, buyout: int) -> None:
        sold = status == "ended"
        self.say(
            {
                "auction_id": auction_id,
                "outcome": "sold" if sold else status,
                "outcome_via": ("buyout" if price == buyout else "bid") if sold else None,
                "final_price": price if sold else None,
                "evidence": "status",
                "confidence": 1.0,
                "closed_after": None,
                "closed_before": self.now,
            }
        )
        seen = self.seen.setdefault(auction_id, _Seen(9.0, self.now, 0, price, buyout, self.now))
        seen.told = status

    def close(self) -> None:
        """Label what was not told from the last look, by rough priors."""
        for auction_id, seen in self.seen.items():
            if not seen.told:
                self.say({"auction_id": auction_id, "evidence": "last look", **_guess(seen)})


def _guess(seen: _Seen) -> dict[str, Any]:
    left = (seen.expires - seen.at) / US
    if seen.ratio < 0.6 and left > 3600:
        return _sold("buyout", seen.buyout, 0.95)
    if seen.ratio < 0.86 and left > 3600:
        return _sold("buyout", seen.buyout, 0.7)
    if seen.bids:
        return _sold("bid", seen.price, 0.92 if left <= 5 else 0.8 if left < 180 else 0.5)
    return {"outcome": "expired", "outcome_via": None, "final_price": None, "confidence": 0.6}


def _sold(via: str, price: int, confidence: float) -> dict[str, Any]:
    return {
        "outcome": "sold",
        "outcome_via": via,
        "final_price": price,
        "confidence": confidence,
    }


class AfterExpiry(Naive):
    """The newest edge, and one refresh of all that expired."""

    BATCH, PAGE = 50, 100

    def __init__(self, say: Callable[[dict[str, Any]], None], hello: dict[str, Any]) -> None:
        super().__init__(say, hello)
        self.due: list[tuple[int, int]] = []
        self.expired: deque[int] = deque()
        self.fresh = 0.0  # new on a page for each second, lately
        self.looked = self.now
        self.asked: tuple[int, ...] = ()

    def question(self) -> dict[str, Any]:
        """A page where it is about to overflow, or where nothing expired; else a refresh."""
        at = self.now + self.gap
        while self.due and self.due[0][0] <= at:
            self.expired.append(heapq.heappop(self.due)[1])
        expected = self.fresh * (at + self.gap - self.looked) / US
        if len(self.expired) >= self.BATCH and expected < 0.7 * self.PAGE:
            self.asked = tuple(
                self.expired.popleft() for _ in range(min(self.BATCH, len(self.expired)))
            )
            return {"ask": "refresh", "ids": list(self.asked), "at": at, "why": "expired"}
        self.asked = ()
        return {"ask": "search", "offset": 0, "count": 100, "at": at, "why": "newest edge"}

    def take(self, reply: dict[str, Any]) -> None:
        """A reply; what expires is put on the list."""
        before = self.now
        self.now = reply["at"]
        new = 0
        for row in reply["auctions"]:
            if self._row(row):
                new += 1
                if row[1] == "active":
                    heapq.heappush(self.due, (self.now + (row[6] + 2) * US, row[0]))
        if reply["error"]:
            self.expired.extend(self.asked)
        elif not self.asked:
            rate = new / max(1.0, (self.now - self.looked) / US)
            self.fresh += (rate - self.fresh) * 0.3
            self.looked = self.now
        assert self.now >= before


PLANNERS = {"first-page": Naive, "after-expiry": AfterExpiry}


def serve(kind: str, source: TextIO, target: TextIO, *, batch: int = 50) -> None:
    """Speak the dialogue to its end."""

    def say(line: dict[str, Any]) -> None:
        target.write(json.dumps(line, separators=(",", ":")) + "\n")

    AfterExpiry.BATCH = batch
    planner: Naive | None = None
    for text in source:
        line = json.loads(text)
        if line["type"] == "hello":
            planner = PLANNERS[kind](say, line)
        assert planner is not None
        if line["type"] == "end":
            planner.close()
            say({"type": "done", "coverage": []})
            target.flush()
            return
        if line["type"] == "restart":
            return
        if line["type"] == "reply":
            planner.take(line)
        say(planner.question())
        target.flush()
