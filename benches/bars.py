"""Bars: what must hold, what was measured, and how far off a build fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pytest_benchmark.fixture import BenchmarkFixture

TIMES = "\N{MULTIPLICATION SIGN}"
PARSE, ALL_NEW, LOAD, RIVAL, HISTORY, SIZE, MEMORY, CPU = 0.3, 0.5, 0.5, 0.3, 0.5, 0.1, 0.1, 0.3
"""Tolerances of the gates; the reason for each stands in benches/README.md."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One line of the report's first table. One of `at_least` and `at_most` is given."""

    id: str
    """Of the requirement: P1 to P9."""
    what: str
    against: str
    measured: float
    at_least: float | None = None
    at_most: float | None = None
    unit: str = TIMES
    tolerance: float | None = None
    """A build fails by this share of the bar beyond it; None: reported, never a gate."""

    @property
    def met(self) -> bool:
        return self._holds(0)

    @property
    def gate(self) -> float | None:
        """Where a build fails; None: nowhere."""
        if self.tolerance is None:
            return None
        if self.at_least is not None:
            return self.at_least * (1 - self.tolerance)
        return self._most * (1 + self.tolerance)

    @property
    def passes(self) -> bool:
        """Whether the gate lets it through."""
        return self.tolerance is None or self._holds(self.tolerance)

    @property
    def summary(self) -> str:
        """One line for a build that fails."""
        return f"{self.what} / {self.against}: {self.measured:.2f}, the gate is at {self.gate:.2f}"

    @property
    def _most(self) -> float:
        assert self.at_most is not None
        return self.at_most

    def _holds(self, tolerance: float) -> bool:
        if self.at_least is not None:
            return self.measured >= self.at_least * (1 - tolerance)
        return self.measured <= self._most * (1 + tolerance)


def keep(benchmark: BenchmarkFixture, *bars: Bar) -> None:
    """Into the benchmark's JSON, for the report and the gate."""
    benchmark.extra_info.setdefault("bars", []).extend(asdict(bar) for bar in bars)


def kept(extra_info: Mapping[str, Any]) -> list[Bar]:
    """The bars of one benchmark, out of its JSON."""
    return [Bar(**bar) for bar in extra_info.get("bars", ())]
