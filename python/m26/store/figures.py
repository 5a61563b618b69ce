"""Committed batches in, figures of the process out."""

from __future__ import annotations

from collections import Counter

from m26.status.metrics import Metrics, begin
from m26.store.batch import Concluded, Stored
from m26.store.rejects import REASONS

EVIDENCE = ("gap", "absent", "past_expiry", "final_window", "relisted", "status")
"""What outcomes rest on, the weakest first."""


class Figures:
    """Counts what one process stores."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        begin(metrics.rejects, REASONS)
        begin(metrics.outcomes, EVIDENCE)

    def count(self, stored: Stored) -> None:
        """Add a committed batch."""
        metrics = self._metrics
        for state in ("new", "changed", "unchanged"):
            metrics.auctions.labels(state).inc(getattr(stored, state))
        metrics.auctions.labels("rejected").inc(stored.rejects.total())
        metrics.late.inc(stored.late)
        metrics.drift.inc(stored.drift)
        metrics.commit_seconds.observe(stored.seconds)
        for counter, counts in (
            (metrics.events, stored.kinds),
            (metrics.rejects, stored.rejects),
            (metrics.outcomes, stored.outcomes),
        ):
            for label, number in counts.items():
                counter.labels(label).inc(number)

    def concluded(self, concluded: Concluded) -> None:
        """Add what a committed batch said beside its rows."""
        for _, _, _, observed_at, (*_, closed_at) in concluded.inferred:
            self._metrics.outcome_seconds.observe(max(0, observed_at - closed_at) / 1e6)
        agreed, said = Counter[str](), Counter[str]()
        for _, _, _, band, _, _, (right, expected), _ in concluded.calibration:
            agreed[band] += right
            said[band] += expected
        for band, expected in said.items():
            self._metrics.calibration.labels(band).set(agreed[band] / expected)
