"""A made market and a pricer in; how near it comes, by how often a card sells, out."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benches.prices import files
from benches.prices.model import Made, value_at
from benches.prices.oracle import Oracle, moments

GROUPS = ("< 5", "5 to 24", "≥ 25")
"""Honest sales in 7 days."""
NEAR = 0.05


@dataclass(slots=True)
class Errors:
    """Of one pricer in one group: shares of the true value, and intervals that held it."""

    far: list[float] = field(default_factory=list)
    held: int = 0

    def add(self, fair: float, truth: float, interval: tuple[float, float] | None = None) -> None:
        """A price."""
        self.far.append(abs(fair / truth - 1))
        if interval is not None:
            self.held += interval[0] <= truth <= interval[1]

    @property
    def mean(self) -> float:
        """Percent."""
        return 100 * sum(self.far) / max(1, len(self.far))

    @property
    def covered(self) -> float:
        """Percent of the intervals."""
        return 100 * self.held / max(1, len(self.far))


@dataclass(slots=True)
class Scores:
    """Of m26, the oracle and the median of 25 sales, by group."""

    ours: list[Errors] = field(default_factory=lambda: [Errors() for _ in GROUPS])
    oracle: list[Errors] = field(default_factory=lambda: [Errors() for _ in GROUPS])
    median: list[Errors] = field(default_factory=lambda: [Errors() for _ in GROUPS])
    near: list[bool] = field(default_factory=list)
    """Cards with at least 10 sales: whether the price is within NEAR."""

    def figures(self) -> dict[str, float]:
        """Percent, and ratios of mean errors."""
        figures = {"near": 100 * sum(self.near) / max(1, len(self.near))}
        for name, ours, oracle, median in zip(
            GROUPS, self.ours, self.oracle, self.median, strict=True
        ):
            figures |= {
                f"prices {name}": len(ours.far),
                f"error {name}": ours.mean,
                f"oracle {name}": oracle.mean,
                f"median {name}": median.mean,
                f"against oracle {name}": ours.mean / max(0.01, oracle.mean),
                f"against median {name}": ours.mean / max(0.01, median.mean),
                f"covered {name}": ours.covered,
            }
        return figures


def score(market: Made, command: tuple[str, ...], count: int, scores: Scores) -> None:
    """Price every card at `count` moments by `command` (`m26 market value`, or another like it)."""
    oracle = Oracle(market)
    with TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.ndjson"
        with trace.open("wb") as file:
            file.writelines(files.lines(market))
        for when in moments(market, count):
            told = (*command, str(trace), "--at", str(when), "--json")
            output = subprocess.run(told, check=True, capture_output=True).stdout
            items = {each["card_id"]: each for each in json.loads(output)["items"]}
            for card in market.cards:
                truth = value_at(card, when)
                week = len(oracle.honest(card, when, 7))
                group = 0 if week < 5 else 1 if week < 25 else 2
                said = items[card.card_id]
                scores.ours[group].add(said["fair"], truth, (said["fair_low"], said["fair_high"]))
                best, low, high = oracle.value(card, when)
                scores.oracle[group].add(best, truth, (low, high))
                if (plain := oracle.median_of_25(card, when)) is not None:
                    scores.median[group].add(plain, truth)
                if said["n"] >= 10:
                    scores.near.append(abs(said["fair"] / truth - 1) <= NEAR)
