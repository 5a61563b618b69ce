"""How big, how fast and how lively a market is: its own seconds in, those of the clock out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_HOUR = 3_600
_RUSH = 20
"""Hour of the market's day with the most to do."""
_QUIET = 0.08
"""What is done in the quietest hour, of what is done in the rush; with what is listed again, which
comes later, it is an eighth."""
_SHARP = 2.4
_AGAIN = 0.285
"""Share of the postings whose copy was in an auction before, by `fate.again`."""


def _hours() -> tuple[float, ...]:
    phases = (math.cos((hour + 0.5 - _RUSH) / 24 * math.tau) for hour in range(24))
    lively = [_QUIET + (1 - _QUIET) * ((1 + phase) / 2) ** _SHARP for phase in phases]
    return tuple(weight * 24 / sum(lively) for weight in lively)


HOURS = _hours()
"""How much is done in each hour of a day, against the mean: 2.5 in the rush."""


@dataclass(frozen=True, slots=True)
class Mix:
    """For how long auctions are posted, and for how long they live."""

    hours: tuple[int, ...]
    shares: tuple[float, ...]
    life: float
    """Hours to the end, in the mean, as `fate.fate` has it."""


MIXES: Mapping[str, Mix] = {
    "default": Mix((1, 4, 8, 24, 72), (0.15, 0.10, 0.15, 0.55, 0.05), 12.5),
    "thirds": Mix((1, 8, 24), (1 / 3, 1 / 3, 1 / 3), 7.7),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tempo:
    """The knobs of a market."""

    size: int = 400
    """Auctions alive at a time, in the mean."""
    speed: float = 144.0
    """How much faster than real: one of the market's days is 86,400 / speed seconds."""
    mix: str = "default"
    """Name of the durations in use."""
    activity: float = 1.0
    """Multiplies how likely bids are."""
    buyouts: float = 1.0
    """Multiplies how fast buyers are."""
    late: float = 1.0
    """Multiplies the share of bids that come late."""
    withdrawals: float = 1.0
    """Multiplies how often sellers withdraw."""

    @property
    def arrivals(self) -> float:
        """Postings of new copies a second of the clock, in the mean over a day."""
        return self.size / self.clock(MIXES[self.mix].life * _HOUR) * (1 - _AGAIN)

    def clock(self, seconds: float) -> float:
        """How long so many of the market's seconds take by the clock."""
        return seconds / self.speed

    def lively(self, at: float) -> float:
        """How much is done at a time of the clock, against the mean."""
        return HOURS[int(at * self.speed / _HOUR) % 24]

    def after(
        self,
        at: float,
        lively: float,
        until: float,
        pace: Callable[[float], float] = lambda _: 1.0,
    ) -> float:
        """When so many of the market's seconds have passed, which rush where much is done.

        Args:
            at: from when on, by the clock.
            lively: the seconds.
            until: by the clock; what would be later is never (infinity).
            pace: how much faster they pass at a time of the clock, for another reason.
        """
        now, end = at * self.speed, until * self.speed
        while now < end:
            step = _HOUR - now % _HOUR
            weight = HOURS[int(now / _HOUR) % 24] * pace(now / self.speed)
            if lively <= step * weight:
                return (now + lively / weight) / self.speed
            lively -= step * weight
            now += step
        return math.inf
