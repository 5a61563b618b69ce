"""A market trace in (NDJSON, ``docs/PRICES.md``); what was known of its cards at a moment out."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from m26.errors import ShapeError

US = 1_000_000
DAY = 86_400 * US
MONTH = 30 * DAY
"""How far back a price looks, µs."""


@dataclass(slots=True)
class Known:
    """What a pricer is given, times in µs: records of integers, a card by its place in ``ids``."""

    now: int
    ids: list[int] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    kinds: list[tuple[int | None, int | None, int | None]] = field(default_factory=list)
    """Overall, and position and program as numbers."""
    sales: array[int] = field(default_factory=lambda: array("q"))
    """Card, time, price, copy, by bid, confidence in millionths, the median that was shown or 0."""
    asks: array[int] = field(default_factory=lambda: array("q"))
    """Card, on offer from, until, price, whether it still is."""
    shown: array[int] = field(default_factory=lambda: array("q"))
    """Card, time, the median that was shown; the newest of a card last."""


def known_at(lines: Iterable[bytes], at: float) -> Known:
    """What a trace shows of its cards up to ``at``, s since 1970; nothing later is used.

    Raises:
        ShapeError: a line is none of a trace, or the first is not its header.
    """
    reader = _Reader(Known(round(at * US)))
    number = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = orjson.loads(line)
            reader.take(entry, first=number == 1)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
            problem = f"line {number} is none of a market trace: {_words(error)}"
            raise ShapeError(problem, hint="its form is in docs/PRICES.md, Traces") from error
    if number == 0:
        raise ShapeError("the trace is empty", hint="its form is in docs/PRICES.md, Traces")
    return reader.known


def _words(error: Exception) -> str:
    return f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)


class _Reader:
    def __init__(self, known: Known) -> None:
        self.known = known
        self._places: dict[int, int] = {}
        self._numbers: tuple[dict[str, int], dict[str, int]] = ({}, {})

    def take(self, entry: dict[str, Any], *, first: bool) -> None:
        if first != ("trace" in entry):
            raise ValueError("the first line, and no other, is {'trace': …}")
        if first:
            if entry["trace"].get("schema") != 1:
                raise ValueError(f"its schema is {entry['trace'].get('schema')}, known is 1")
        elif "card" in entry:
            self._card(entry["card"])
        else:
            self._auction(entry)

    def _place(self, card_id: int) -> int:
        place = self._places.setdefault(card_id, len(self._places))
        if place == len(self.known.ids):
            self.known.ids.append(card_id)
            self.known.kinds.append((None, None, None))
        return place

    def _card(self, card: dict[str, Any]) -> None:
        place = self._place(card["card_id"])
        if name := card.get("name"):
            self.known.names[card["card_id"]] = name
        kinds = [
            None if (word := card.get(key)) is None else numbers.setdefault(word, len(numbers))
            for key, numbers in zip(("position", "program"), self._numbers, strict=True)
        ]
        self.known.kinds[place] = (card.get("overall"), kinds[0], kinds[1])

    def _auction(self, row: dict[str, Any]) -> None:
        known = self.known
        posted = round(row["posted_at"] * US)
        place = self._place(row["card_id"])
        if posted > known.now:
            return
        ended = round((row.get("ended_at") or row["expires_at"]) * US)
        over = ended <= known.now
        if ended < known.now - MONTH:
            return
        if buyout := row.get("buyout_price"):
            # when it will end is not known yet
            known.asks.extend((place, posted, min(ended, known.now), buyout, not over))
        if median := row.get("median_price"):
            known.shown.extend((place, posted, median))
        if over and row.get("outcome") == "sold" and (price := row.get("final_price")):
            copy = row.get("card_instance_id") or 0
            by_bid = row.get("outcome_via") == "bid"
            known.sales.extend((place, ended, price, copy, by_bid, US, median or 0))
