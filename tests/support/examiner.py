"""A tiny examiner: a market of a few auctions that answers `m26 plan serve` as it asks."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from m26.collect.serve import serve

NOW = 1_788_220_800_000_000
DAY = 86_400_000_000
Line = dict[str, Any]
HELLO: Line = {"type": "hello", "schema": 1, "platform": "sim", "now": NOW}
HELLO |= {"per_day": 4000, "per_minute": 6, "seed": 1234567}


def row(auction_id: int, at: int, *, lives: int = 3600) -> list[Any]:
    """An auction that was posted at the start and expires unsold so many seconds later."""
    left = NOW // 10**6 + lives - at // 10**6
    status = "active" if left > 0 else "expired"
    posted = NOW // 10**6 - auction_id
    return [auction_id, status, 0, 2300, 2450, posted, max(left, 0), 1235, 7, auction_id, posted]


def answer(question: Line) -> Line:
    """Of a market with nine auctions, all on the first page while they are on offer."""
    at = question["at"]
    ids = range(1, 10) if question["ask"] == "search" else question["ids"]
    rows = [row(auction_id, at) for auction_id in ids]
    if question["ask"] == "search":
        rows = [each for each in rows if each[1] == "active" and not question["offset"]]
    return {"type": "reply", "at": at, "error": None, "truncated": False, "auctions": rows}


class Examiner(io.BytesIO):
    """What the planner reads from: a hello, then what `tell` makes of each question, then nothing.

    Args:
        tell: the next line by the question and its number from 0; bytes as they are.
    """

    def __init__(self, hello: object, tell: Callable[[Line, int], object]) -> None:
        super().__init__()
        self.heard: list[Line] = []
        self.sink = io.BytesIO()
        self._next: Callable[[], object] = lambda: hello
        self._tell = tell
        self._read = 0

    def readline(self, _size: int | None = -1, /) -> bytes:
        """The next line for the planner."""
        text = self.sink.getvalue()[self._read :]
        self._read += len(text)
        self.heard += map(json.loads, text.splitlines())
        told = self._next()
        asked = self.questions
        self._next = lambda: self._tell(self.questions[-1], len(self.questions) - 1)
        assert asked or not text or self.heard  # it speaks only after a hello
        if told is None:
            return b""
        return told if isinstance(told, bytes) else json.dumps(told).encode() + b"\n"

    @property
    def questions(self) -> list[Line]:
        return [line for line in self.heard if "ask" in line]

    @property
    def labels(self) -> dict[int, Line]:
        return {line["auction_id"]: line for line in self.heard if "auction_id" in line}

    def play(self, folder: Path) -> int:
        """Serve until the end; the exit code."""
        try:
            return serve(folder, self, self.sink)
        finally:
            self.heard += map(json.loads, self.sink.getvalue()[self._read :].splitlines())
