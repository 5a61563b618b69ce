"""Auctions of a market as flat arrays, and the two files that hold them: a cache and NDJSON."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

US = 1_000_000
"""µs in a second."""
DAY = 86_400 * US
OUTCOMES = ("unknown", "sold", "expired", "cancelled")
SOLD, EXPIRED, CANCELLED = 1, 2, 3
VIA = (None, "bid", "buyout")
BID, BUYOUT = 1, 2
_COLUMNS = {
    "ids": "q",
    "cards": "i",
    "copies": "q",
    "acquired": "q",  # s
    "posted": "q",  # µs
    "expires": "q",  # µs
    "start": "i",
    "buyout": "i",
    "fair": "i",
    "median": "i",
    "first_bid": "i",  # place of the auction's first bid; those of the next one follow
    "bid_at": "q",  # µs
    "bid_price": "i",
    "outcome": "b",
    "via": "b",
    "final": "i",
    "ended": "q",  # µs
}


class Trace:
    """All auctions by rising id: one array a column, times in µs (`acquired` in s), 0 = absent."""

    __slots__ = ("header", *_COLUMNS)

    ids: array[int]
    cards: array[int]
    copies: array[int]
    acquired: array[int]
    posted: array[int]
    expires: array[int]
    start: array[int]
    buyout: array[int]
    fair: array[int]
    median: array[int]
    first_bid: array[int]
    bid_at: array[int]
    bid_price: array[int]
    outcome: array[int]
    via: array[int]
    final: array[int]
    ended: array[int]

    def __init__(self, header: dict[str, Any]) -> None:
        self.header = header
        for name, kind in _COLUMNS.items():
            setattr(self, name, array(kind))
        self.first_bid.append(0)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def epoch(self) -> int:
        """Start of the run, µs."""
        return int(self.header["epoch"]) * US

    def bids(self, index: int) -> list[tuple[int, int]]:
        """(time in µs, price) of each bid."""
        low, high = self.first_bid[index], self.first_bid[index + 1]
        return list(zip(self.bid_at[low:high], self.bid_price[low:high], strict=True))

    def checked(self) -> Trace:
        """Itself; ValueError where ids or posting times do not rise, or an end comes too early."""
        for name in ("ids", "posted"):
            column = getattr(self, name)
            if any(column[i] > column[i + 1] for i in range(len(column) - 1)):
                raise ValueError(f"{name} of the trace must rise from line to line: sort it")
        for i, ended in enumerate(self.ended):
            if ended < self.posted[i]:
                raise ValueError(f"auction {self.ids[i]} of the trace ended before it was posted")
        return self


def save(trace: Trace, path: Path) -> None:
    """Keep a trace as its header and raw arrays: read back in a moment, on this machine alone."""
    part = path.with_suffix(f".{os.getpid()}")  # two runs may make the same one at once
    with part.open("wb") as file:
        sizes = {name: len(getattr(trace, name)) for name in _COLUMNS}
        file.write(orjson.dumps({"header": trace.header, "sizes": sizes}) + b"\n")
        for name in _COLUMNS:
            getattr(trace, name).tofile(file)
    part.replace(path)


def load(path: Path) -> Trace:
    """What `save` kept."""
    with path.open("rb") as file:
        head = orjson.loads(file.readline())
        trace = Trace(head["header"])
        trace.first_bid.pop()
        for name in _COLUMNS:
            getattr(trace, name).fromfile(file, head["sizes"][name])
    return trace


def lines(trace: Trace) -> Iterator[bytes]:
    """The trace as NDJSON."""
    yield orjson.dumps({"trace": {**trace.header, "auctions": len(trace)}}) + b"\n"
    for i in range(len(trace)):
        yield orjson.dumps(_auction(trace, i)) + b"\n"


def _auction(trace: Trace, i: int) -> dict[str, Any]:
    sold = trace.outcome[i] == SOLD
    return {
        "auction_id": trace.ids[i],
        "card_id": trace.cards[i],
        "card_instance_id": trace.copies[i],
        "acquired_at": trace.acquired[i],
        "posted_at": _seconds(trace.posted[i]),
        "expires_at": _seconds(trace.expires[i]),
        "start_price": trace.start[i],
        "buyout_price": trace.buyout[i],
        "fair_price": trace.fair[i] or None,
        "median_price": trace.median[i],
        "bids": [[at / US, price] for at, price in trace.bids(i)],
        "outcome": OUTCOMES[trace.outcome[i]],
        "outcome_via": VIA[trace.via[i]],
        "final_price": trace.final[i] if sold else None,
        "ended_at": trace.ended[i] / US,
    }


def parse(source: Iterable[bytes]) -> Trace:
    """A trace from its NDJSON lines; ValueError where ids or posting times do not rise."""
    rows = iter(source)
    trace = Trace(orjson.loads(next(rows))["trace"])
    for line in rows:
        row = orjson.loads(line)
        if "auction_id" in row:
            add(trace, row)
    return trace.checked()


def add(trace: Trace, row: dict[str, Any]) -> None:
    """Append one auction as it stands in NDJSON."""
    trace.ids.append(row["auction_id"])
    trace.cards.append(row["card_id"])
    trace.copies.append(row["card_instance_id"])
    trace.acquired.append(int(row["acquired_at"] or 0))
    trace.posted.append(_micros(row["posted_at"]))
    trace.expires.append(_micros(row["expires_at"]))
    trace.start.append(row["start_price"])
    trace.buyout.append(row["buyout_price"] or 0)
    trace.fair.append(row.get("fair_price") or 0)
    trace.median.append(row["median_price"] or 0)
    for at, price in row["bids"]:
        trace.bid_at.append(_micros(at))
        trace.bid_price.append(price)
    trace.first_bid.append(len(trace.bid_at))
    trace.outcome.append(OUTCOMES.index(row["outcome"]))
    trace.via.append(VIA.index(row["outcome_via"]))
    trace.final.append(row["final_price"] or 0)
    trace.ended.append(_micros(row["ended_at"]))


def _micros(seconds: float) -> int:
    return round(seconds * US)


def _seconds(micros: int) -> float:
    return micros // US if micros % US == 0 else micros / US
