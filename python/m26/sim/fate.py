"""A card's price and lots in; an offer, and all that will happen to it, out.

The shares this comes to (buyouts 33 %, bids 25 %, expired 39 %, withdrawn 3 %) and when bids and
buyouts come are held by tests/unit/test_sim_fate.py; those where everybody knows what a card is
worth by tests/unit/test_sim_trade.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
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
_AT_VALUE, _EXACT = 10.2, 35.0
"""The same at a ratio of 1, where buyers know what a card is worth."""
_SNIPED, _BAITED, _OVERPAID, _DEAR = 0.06, 0.04, 0.03, 0.40
"""Of the listings there: asks far below the value, which make a tenth of the sales; far above it;
above it, but somebody takes them; and, of the others, those above what the card is worth."""
_SURE = 0.04
"""How much more sellers ask, in logs: those who ask less sell more often, so that in the mean a
card is sold for its value."""
_SHY = 0.02
"""How much less bidders give, in logs."""
_WASHING = (5, 60)
"""Seconds that a wash trade takes."""
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
    motive: str = "honest"
    """``honest``, ``snipe`` (too cheap), ``bait`` (too dear for anybody), ``overpaid`` (too dear,
    but taken) or ``wash`` (sold to its own seller)."""

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
    return Offer(start, buyout, _steps(rng, tempo, opened, expires, bids, ends))


@dataclass(frozen=True, slots=True)
class Known:
    """What everybody knows of a card."""

    noise: float
    """How honest prices scatter around its value, in logs."""
    value: Callable[[float], float]
    """What it is worth at a time of the clock."""


def near(
    rng: Lots, prices: Prices, tempo: Tempo, known: Known, *, opened: float, expires: float
) -> Offer:
    """As `fate`, where sellers and buyers go by what the card is worth, then and later."""
    motive, ask, felt = _motive(rng, known.noise)
    start = prices.within(ask * rng.uniform(0.2, 0.97) * prices.fair, 1)
    if motive == "honest" and rng.random() < _NO_BUYOUT:
        buyout = 0
    else:
        buyout = max(prices.within(ask * prices.fair, 1), start + 1)
    ends = (expires, "end")
    if motive == "bait":
        return Offer(start, buyout, (ends,), motive)
    if buyout:
        ratio = buyout / prices.fair

        def pace(at: float) -> float:
            return math.exp(-_EXACT * (buyout / known.value(at) - ratio))

        slow = _AT_VALUE + _EXACT * (felt - 1)
        lively = math.exp(min(rng.gauss(slow, _SPREAD), 50)) / tempo.buyouts
        ends = min(ends, (tempo.after(opened, lively, expires, pace), "buyout"))
    bids = _bids(rng, start / prices.fair, tempo, opened, expires)
    return Offer(start, buyout, _steps(rng, tempo, opened, expires, bids, ends), motive)


def wash(rng: Lots, prices: Prices, tempo: Tempo, *, opened: float, height: float) -> Offer:
    """An offer that its seller's friend takes at once, at `height` times what the card is worth."""
    ends = opened + tempo.clock(rng.uniform(*_WASHING))
    buyout = prices.within(prices.fair * height * rng.uniform(0.9, 1.1), 1)
    start = prices.within(buyout * rng.uniform(0.4, 0.95), 1)
    return Offer(start, max(buyout, start + 1), ((ends, "buyout"),), "wash")


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


def limit(rng: Lots, value: float, noise: float) -> int:
    """What a bidder offers who knows what a card is worth, coins."""
    return round(value * math.exp(rng.gauss(-_SHY, noise)))


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


def _motive(rng: Lots, noise: float) -> tuple[str, float, float]:
    """Why a seller asks what, against the value, and for how dear buyers take it."""
    roll = rng.random()
    if roll < _SNIPED:
        ask = rng.uniform(0.3, 0.85)
        return "snipe", ask, ask
    if roll < _SNIPED + _BAITED:
        return "bait", rng.uniform(3, 5), math.inf
    if roll < _SNIPED + _BAITED + _OVERPAID:
        return "overpaid", rng.uniform(1.12, 1.5), 0.9
    dear = rng.random() < _DEAR
    ask = math.exp(0.03 + abs(rng.gauss(0, 0.16)) if dear else rng.gauss(_SURE, noise))
    return "honest", ask, ask


def _steps(
    rng: Lots,
    tempo: Tempo,
    opened: float,
    expires: float,
    bids: list[float],
    ends: tuple[float, str],
) -> tuple[tuple[float, str], ...]:
    """Bids up to an end, unless the seller withdraws before any."""
    if rng.random() < _WITHDRAWN * tempo.withdrawals:
        withdrawn = rng.uniform(opened, expires)
        if not bids or withdrawn < bids[0]:
            ends = min(ends, (withdrawn, "cancel"))
    return *((at, "bid") for at in bids if at < ends[0]), ends


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
