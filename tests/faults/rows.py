"""What a row of the failure table is: what is provoked in, what has to follow and when out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_JITTER = 0.2
_PACE = 2.5
"""Seconds that pacing may add to a wait."""
TRANSIENT = (1.0, 2.0, 4.0, 8.0)
"""Waits after what passes by itself; a pause follows them."""

Fault = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Next:
    """One request that has to follow: its kind, and the seconds since the one before."""

    kind: str
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.kind} after {self.least:g} to {self.most:g} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table, provoked in one way."""

    reason: str
    faults: Sequence[Fault]
    then: Sequence[Next] = ()
    """What follows the first request that is struck."""
    state: str = ""
    """Told while the run waits; empty where nothing is waited for."""
    stops: int | None = None
    """Exit code of a run that is to end at the STOP; None where there is none."""
    quarantined: int = 0
    """Replies that go into the quarantine."""
    kept_as: str = ""
    """Their reason there, where it is not the row's: what the reader of pages calls it."""
    way: str = ""
    """Tells several ways to one reason apart."""

    @property
    def name(self) -> str:
        """For the test's report."""
        return f"{self.reason}-{self.way}" if self.way else self.reason


def retried(*seconds: float, kind: str = "process") -> list[Next]:
    """The same request again, jittered."""
    return [Next(kind, s * (1 - _JITTER), s * (1 + _JITTER) + _PACE) for s in seconds]


def paused(*seconds: float, kind: str = "process") -> list[Next]:
    """The same request after pauses, which are not jittered."""
    return [Next(kind, s, s + _PACE) for s in seconds]


def soon(*kinds: str) -> list[Next]:
    """Requests at once."""
    return [Next(kind, 0.0, _PACE) for kind in kinds]


def blaze(name: str, **more: Any) -> Fault:
    return {"fault": "error", "name": name, "next": 1, **more}


def status(code: int, **more: Any) -> Fault:
    return {"fault": "status", "status": code, "next": 1, **more}
