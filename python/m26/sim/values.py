"""A seed, a platform, a card and a day in; what that card is worth there and then, out.

Pure functions of their arguments: any moment can be asked about, in any order and after any
restart.  Nothing wanders off: a walk is back where it began at the start of each season, what a
promo and a release do is forgotten.  All of it is a model, whose figures no pricer may know.
"""

from __future__ import annotations

import functools
import itertools
import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass

from m26.sim.lots import lots

DAY = 86_400
"""Seconds of the market, in which days count since 1970, as its hours do in `tempo`."""
SEASON = 32.0
"""Days after which a walk is back at 0."""
_HALVINGS = 9
"""Of a season, down to an hour and a half; in between values move evenly."""
_FLOOR = 150.0
"""Coins that any card is worth; a listing may cost 100 and more."""
_PLATFORM = 0.1
"""Of a card's level on one platform, in logs, as are the next ones."""
_NOISE = (0.04, 0.09)
_VOLATILITY = (0.02, 0.09)
"""Of a card's value in a day."""
_DRIFT = 0.015
"""Of the whole market in a day."""
_PROMO_EVERY, _PROMO_FALL, _FALLING, _BACK = 6.0, (0.06, 0.18), 1 / 3, 12.0
"""Days between promos, how far the market falls, how soon, how soon it is back, in days."""
_FORGOTTEN = 10
"""Promos after which one is."""
_RELEASED, _HEIGHT, _DECAY = 0.2, (0.4, 1.0), (2.0, 6.0)
"""Share of the cards that are released anew in a season, how far above their level, days until
that has fallen to a third."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a market's prices do."""

    moves: bool
    """Whether values move; else each card has one."""
    washed: float
    """Share of the cards whose trades are washed now and then."""


KINDS: Mapping[str, Kind] = {
    "static": Kind(moves=False, washed=0.1),
    "drift": Kind(moves=True, washed=0.0),
    "drift-wash": Kind(moves=True, washed=0.35),
}


@dataclass(frozen=True, slots=True)
class Values:
    """What cards are worth on one platform."""

    seed: int
    platform: str
    moves: bool

    def at(self, card: int, usual: int, day: float) -> float:
        """What a card is worth.

        Args:
            card: its number in the deck.
            usual: what it is usually worth, coins.
            day: of the market.
        """
        seed, platform = self.seed, self.platform
        log = _level(seed, platform, card)
        if self.moves:
            log += self.index(day) + released(seed, card, day)
            log += volatility(seed, card) * walk(f"{seed}/{platform}/{card}", day)
        return max(_FLOOR, usual * math.exp(log))

    def index(self, day: float) -> float:
        """How far the whole market is above its usual level, in logs; 0 where nothing moves."""
        return _index(self.seed, self.platform, day) if self.moves else 0.0


@functools.lru_cache(8_192)
def noise(seed: int, card: int) -> float:
    """How a card's honest prices scatter around its value, in logs."""
    return lots("noise", seed, card).uniform(*_NOISE)


@functools.lru_cache(8_192)
def volatility(seed: int, card: int) -> float:
    """How far a card's value moves in a day by itself, in logs."""
    return lots("volatility", seed, card).uniform(*_VOLATILITY)


def washed(seed: int, platform: str, card: int, kind: Kind) -> bool:
    """Whether a card is one of those whose trades are washed now and then."""
    return lots("washed", seed, platform, card).random() < kind.washed


def promos(seed: int, day: float) -> float:
    """What promos, which are the same on all platforms, take from the market, in logs: less or 0.

    It falls within hours, and is back in weeks.
    """
    cell = math.floor(day / _PROMO_EVERY)
    taken = 0.0
    for number in range(cell - _FORGOTTEN, cell + 1):
        begins, fall = _promo(seed, number)
        if (age := day - begins) > 0:
            taken += fall * (1 - math.exp(-age / _FALLING)) * math.exp(-age / _BACK)
    return -taken


def released(seed: int, card: int, day: float) -> float:
    """How far a card is above its level because it came out anew, on all platforms, in logs."""
    season = math.floor(day / SEASON)
    above = 0.0
    for number in (season - 1, season):
        begins, height, decay = _release(seed, card, number)
        if (age := day - begins) > 0:
            above += height * math.exp(-age / decay)
    return above


def walk(name: str, day: float) -> float:
    """A random walk that moves by 1 in a day, another one for each name; 0 where a season starts.

    It is Lévy's construction of a Brownian bridge: between two points that are known, the middle
    is half way, give or take half the root of the time between them.
    """
    season, place = divmod(day / SEASON, 1.0)
    points = _bridge(name, int(season))
    at = place * (len(points) - 1)
    low = min(int(at), len(points) - 2)
    return points[low] + (points[low + 1] - points[low]) * (at - low)


@functools.lru_cache(8_192)  # most who ask do so at the full hour, for one card after another
def _index(seed: int, platform: str, day: float) -> float:
    return _DRIFT * walk(f"{seed}/{platform}", day) + promos(seed, day)


@functools.lru_cache(8_192)
def _level(seed: int, platform: str, card: int) -> float:
    return lots("level", seed, platform, card).gauss(0, _PLATFORM)


@functools.lru_cache(8_192)
def _bridge(name: str, season: int) -> array[float]:
    rng = lots("walk", name, season)
    points = array("d", (0.0, 0.0))
    for halving in range(_HALVINGS):
        spread = math.sqrt(SEASON / 2**halving) / 2
        finer = array("d")
        for low, high in itertools.pairwise(points):
            finer.extend((low, (low + high) / 2 + rng.gauss(0, spread)))
        finer.append(0.0)
        points = finer
    return points


@functools.lru_cache(1_024)
def _promo(seed: int, number: int) -> tuple[float, float]:
    """The day on which a promo begins, how far the market falls."""
    rng = lots("promo", seed, number)
    return (number + rng.random()) * _PROMO_EVERY, rng.uniform(*_PROMO_FALL)


@functools.lru_cache(16_384)
def _release(seed: int, card: int, season: int) -> tuple[float, float, float]:
    """The day on which a card comes out anew in a season, how high (0: not at all), how long."""
    rng = lots("release", seed, card, season)
    height = rng.uniform(*_HEIGHT) if rng.random() < _RELEASED else 0.0
    return (season + rng.random()) * SEASON, height, rng.uniform(*_DECAY)
