"""A card's price and lots in; an offer, and all that will happen to it, out.

The shares this comes to (buyouts 33 %, bids 25 %, expired 39 %, withdrawn 3 %) and when bids and
buyouts come are held by tests/unit/test_sim_fate.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from m26.sim.cards import Prices
from m26.sim.lots import Lots
from m26.sim.tempo import MIXES, Tempo

_HOUR = 3_600
_NO_BUYOUT, _BAIT = 0.12, 0.04
_ASK, _ASK_SPREAD = 0.155, 0.32
"""Of the logarithm of an ask against the fair price."""
_SOONEST, _SLOWER, _SPREAD = 1.8, 11.8, 2.0
"""Logarithm of the seconds to a buyout at `_CHEAP`, what a ratio of 1 more adds, its spread."""
_CHEAP = 0.3
_WANTED, _DEARER, _MORE = 2.22, 3.6, 0.55
"""How likely a first bid is at a start price of 0, what a ratio of 1 adds, and a further bid."""
_LATE, _LATE_LEFT, _LATE_SPREAD = 0.6, 4.73, 2.8
"""Share of bids that come late; logarithm of the seconds left then, its spread."""
_WITHDRAWN = 0.049
_AGAIN_SOLD, _AGAIN_EXPIRED = 0.12, 0.55
_PAUSE = 1_500
"""Seconds to the next listing of a copy, in the mean."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a seller asks for, and what comes of it."""

    start: int
    buyout: int
    """Coins; 0 for none."""
    steps: tuple[tuple[float, str], ...]
    """When something happens and what, in order, the last one an end: ``bid``; ``buyout``,
    ``cancel`` or ``end``, by the clock."""

    @property
    def ends(self) -> float:
        """When it ends."""
        return self.steps[-1][0]


def duration(rng: Lots, tempo: Tempo, *, alive: bool = False) -> int:
    """Seconds of the clock for which an auction is posted; 2 or more.

    Args:
        rng: what it is drawn from.
        tempo: of the market.
        alive: of one that is on offer at a moment, not of one that is posted in it.
    """
    mix = MIXES[tempo.mix]
    pairs = zip(mix.hours, mix.shares, strict=True)
    weights = [share * hours if alive else share for hours, share in pairs]
    return max(2, round(tempo.clock(rng.choices(mix.hours, weights)[0] * _HOUR)))


def fate(rng: Lots, prices: Prices, tempo: Tempo, *, opened: float, expires: float) -> Offer:
    """An offer of a card, and what happens to it.

    Args:
        rng: what all of it is drawn from.
        prices: of the card.
        tempo: of the market.
        opened: when it is posted, by the clock.
        expires: when it ends at the latest.
    """
    ask, begin = _ratios(rng)
    start = prices.within(begin * prices.fair)
    buyout = max(prices.within(ask * prices.fair), start + increment(start)) if ask else 0
    ends = (expires, "end")
    if buyout:
        slow = _SOONEST + _SLOWER * (buyout / prices.fair - _CHEAP)
        lively = math.exp(min(rng.gauss(slow, _SPREAD), 50)) / tempo.buyouts
        ends = min(ends, (tempo.after(opened, lively, expires), "buyout"))
    bids = _bids(rng, start / prices.fair, tempo, opened, expires)
    if rng.random() < _WITHDRAWN * tempo.withdrawals:
        withdrawn = rng.uniform(opened, expires)
        if not bids or withdrawn < bids[0]:
            ends = min(ends, (withdrawn, "cancel"))
    steps = [(at, "bid") for at in bids if at < ends[0]]
    return Offer(start, buyout, (*steps, ends))


def again(rng: Lots, status: str, tempo: Tempo, *, ended: float) -> float | None:
    """When a copy is listed again after its auction, by the clock; None: it is not."""
    share = {"ENDED": _AGAIN_SOLD, "EXPIRED": _AGAIN_EXPIRED}.get(status, 0)
    if rng.random() >= share:
        return None
    return tempo.after(ended, rng.expovariate(1 / _PAUSE), math.inf)


def bid(rng: Lots, fair: int, least: int) -> int:
    """What a bidder offers, coins.

    Args:
        rng: what it is drawn from.
        fair: what the card is worth.
        least: the next bid that is possible.
    """
    step = increment(least)
    more = max(0, rng.uniform(0.6, 1.0) * fair - least) * rng.random() ** 2
    return least + int(more / step) * step


def increment(price: int) -> int:
    """The least step between two bids."""
    for limit, step in ((1_000, 50), (10_000, 100), (50_000, 250)):
        if price < limit:
            return step
    return 500


def _ratios(rng: Lots) -> tuple[float, float]:
    """Ask (0: none) and start price against the fair price."""
    roll = rng.random()
    if roll < _BAIT / 2:
        return rng.uniform(0.2, 0.35), 0.1
    if roll < _BAIT:
        return rng.uniform(3, 5), rng.uniform(1.5, 3)
    if roll < _BAIT + _NO_BUYOUT:
        return 0, rng.uniform(0.1, 1.0)
    ask = rng.lognormvariate(_ASK, _ASK_SPREAD)
    return ask, ask * rng.uniform(0.2, 0.97)


def _bids(rng: Lots, ratio: float, tempo: Tempo, opened: float, expires: float) -> list[float]:
    """When bids come: some over the whole time, most near the end, which is hard."""
    bids: list[float] = []
    wanted = tempo.activity / (1 + math.exp(-(_WANTED - _DEARER * ratio)))
    while rng.random() < wanted:
        at = rng.uniform(opened, expires)
        if rng.random() < _LATE * tempo.late:
            left = tempo.clock(math.exp(rng.gauss(_LATE_LEFT, _LATE_SPREAD)))
            at = expires - left if left < expires - opened else at
        bids.append(at)
        wanted = min(0.9, _MORE * tempo.activity)
    return sorted(bids)
