"""A request and its moment in; the rows an upstream with these flags would give out.

What is alive is a byte for each place in the list's order; places are counted block by block, so
that an event costs nothing and the k-th listing is found in a walk over blocks.
"""

from __future__ import annotations

import random
from array import array
from bisect import bisect_left, bisect_right
from typing import Any

from benches.market.trace import BUYOUT, SOLD, US, Trace
from benches.market.variants import Flags

_BLOCK = 2048
_STATUS = ("active", "ended", "expired", "cancelled")


class Listed:
    """Auctions that a search can show, in one order."""

    def __init__(self, trace: Trace, order: str) -> None:
        size = len(trace)
        self.order = order
        self._on = bytearray(size)
        self._blocks = [0] * (size // _BLOCK + 1)
        self.total = 0
        self._at: array[int] | None = None  # place → index; None: place = size - 1 - index
        self._place: array[int] | None = None
        if order in ("ending", "none"):
            if order == "ending":
                ranked = sorted(range(size), key=trace.expires.__getitem__)
            else:
                ranked = list(range(size))
                random.Random(f"order {size}").shuffle(ranked)
            self._at = array("i", ranked)
            self._place = array("i", bytes(4 * size))
            for place, index in enumerate(ranked):
                self._place[index] = place
        self._last = size - 1

    def switch(self, index: int, *, on: bool) -> None:
        """Show an auction, or do so no longer; it must change."""
        place = self._last - index if self._place is None else self._place[index]
        self._on[place] = on
        step = 1 if on else -1
        self._blocks[place // _BLOCK] += step
        self.total += step

    def page(self, offset: int, count: int) -> list[int]:
        """Up to `count` auctions from the place `offset`."""
        if offset >= self.total:
            return []
        on, place = self._on, -1
        for held in self._blocks:
            if offset < held:
                break
            offset -= held
            place += _BLOCK
        for _ in range(offset + 1):
            place = on.find(1, place + 1)
        found = []
        while place >= 0 and len(found) < count:
            found.append(self._last - place if self._at is None else self._at[place])
            place = on.find(1, place + 1)
        return found

    def drawn(self, count: int, draw: random.Random) -> list[int]:
        """`count` different auctions, each as likely as any other."""
        count = min(count, self.total)
        on = self._on
        first, last = on.find(1), on.rfind(1)
        if self.total * 50 < last - first + 1:
            places = [i for i in range(first, last + 1) if on[i]]
            return [self._last - place for place in draw.sample(places, count)]
        found: dict[int, None] = {}
        spread, uniform = last - first + 1, draw.random
        while len(found) < count:
            place = first + int(uniform() * spread)
            if on[place]:
                found[self._last - place] = None
        return list(found)


class Upstream:
    """The market at a moment that only moves on, seen through flags that may be switched."""

    def __init__(self, trace: Trace, flags: Flags, *, seed: int = 1) -> None:
        self.trace, self.flags = trace, flags
        self.now = trace.epoch
        self._draw = random.Random(f"upstream {seed}")
        self._by_end = array("i", sorted(range(len(trace)), key=trace.ended.__getitem__))
        self._posted = self._gone = 0
        self._listed = Listed(trace, flags.order)
        self.advance(self.now)

    def advance(self, now: int) -> None:
        """Move on to `now`, µs."""
        trace, listed = self.trace, self._listed
        posted, gone, by_end = self._posted, self._gone, self._by_end
        size, ended = len(trace), trace.ended
        still = now - int(self.flags.visible * US)
        while posted < size and trace.posted[posted] <= now:
            listed.switch(posted, on=True)
            posted += 1
        while gone < size and ended[by_end[gone]] <= still and by_end[gone] < posted:
            listed.switch(by_end[gone], on=False)
            gone += 1
        self._posted, self._gone, self.now = posted, gone, now

    def switch(self, flags: Flags) -> None:
        """Behave otherwise from now on."""
        self.flags, self._listed = flags, Listed(self.trace, flags.order)
        self._posted = self._gone = 0
        self.advance(self.now)

    def lost(self) -> bool:
        """Whether this request fails for no reason."""
        return self.flags.loss > 0 and self._draw.random() < self.flags.loss

    def search(self, offset: int) -> tuple[list[int], bool]:
        """Auctions of a page, and whether the list was cut."""
        flags, listed = self.flags, self._listed
        reach = min(listed.total, flags.truncate or listed.total)
        offset = offset if flags.paging else 0
        count = min(flags.page, reach - offset)
        found = []
        if count > 0 and flags.order == "random":
            found = listed.drawn(count, self._draw)
        elif count > 0:
            found = listed.page(offset, count)
        return found, listed.total > reach

    def refresh(self, indices: list[int]) -> list[int] | None:
        """Auctions a refresh of known ids tells of; None: it fails. The batch is already cut."""
        flags, ended, now = self.flags, self.trace.ended, self.now
        if flags.ended == "error" and any(ended[i] <= now for i in indices):
            return None
        if flags.ended == "omitted":
            return [i for i in indices if ended[i] > now]
        if flags.recall is None:
            return indices
        since = now - int(flags.recall * US)
        return [i for i in indices if ended[i] > since]

    def index(self, auction_id: int) -> int:
        """Place in the trace; -1: no such auction."""
        ids = self.trace.ids
        i = bisect_left(ids, auction_id)
        return i if i < len(ids) and ids[i] == auction_id else -1

    def status(self, i: int) -> int:
        """0 active, 1 sold, 2 expired, 3 cancelled, now."""
        return 0 if self.trace.ended[i] > self.now else self.trace.outcome[i]

    def row(self, i: int) -> tuple[Any, ...]:
        """The auction as it is shown now."""
        trace, now = self.trace, self.now
        low, high = trace.first_bid[i], trace.first_bid[i + 1]
        status = left = 0
        if trace.ended[i] > now:
            if high > low:
                high = bisect_right(trace.bid_at, now, low, high)
            left = (trace.expires[i] - now) // US
        else:
            status = trace.outcome[i]
        bids = high - low
        price = trace.bid_price[high - 1] if bids else trace.start[i]
        if status == SOLD and trace.via[i] == BUYOUT and self.flags.ended_price == "final":
            bids, price = bids + 1, trace.final[i]
        return (
            trace.ids[i],
            _STATUS[status],
            bids,
            price,
            trace.buyout[i],
            trace.posted[i] // US,
            left,
            trace.median[i],
            trace.cards[i],
            trace.copies[i],
            trace.acquired[i],
        )
