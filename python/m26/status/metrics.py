"""The figures of one process, as Prometheus metrics; stages count once per batch or request."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LONG = (1, 10, 60, 300, 900, 3_600, 14_400, 43_200, 86_400, 172_800)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LOGIN = "login"
"""What logins are counted as, beside the wire names of commands."""

# Without this each counter gets a second sample, its time of creation.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """Every metric of docs/OPERATIONS.md, in a registry of its own (nothing global)."""

    def __init__(self) -> None:
        self.registry = r = CollectorRegistry()
        self.requests = Counter(
            "m26_requests_total", "Gateway requests by outcome.", ["command", "outcome"], registry=r
        )
        self.request_seconds = Histogram(
            "m26_request_seconds", "Gateway request to reply.", registry=r, buckets=_SECONDS
        )
        self.budget_remaining = Gauge(
            "m26_budget_remaining", "Requests left before a limit.", ["window"], registry=r
        )
        self.auctions = Counter(
            "m26_auctions_total",
            "Auction observations stored, by what they told.",
            ["state"],
            registry=r,
        )
        self.late = Counter(
            "m26_late_total",
            "States stored after a newer one of their auction: events with late = true.",
            registry=r,
        )
        self.events = Counter("m26_events_total", "Events committed.", ["kind"], registry=r)
        self.outcomes = Counter(
            "m26_outcomes_total", "Outcomes committed, by evidence.", ["evidence"], registry=r
        )
        self.outcome_seconds = Histogram(
            "m26_outcome_seconds",
            "The end of an auction, as it is known or guessed, to its outcome.",
            registry=r,
            buckets=_LONG,
        )
        self.calibration = Gauge(
            "m26_calibration_ratio",
            "Inferred outcomes that proved right over those expected to, by price band.",
            ["band"],
            registry=r,
        )
        self.commit_seconds = Histogram(
            "m26_commit_seconds", "One batch, lock to commit.", registry=r, buckets=_SECONDS
        )
        self.lag_seconds = Gauge(
            "m26_lag_seconds",
            "Age of the oldest page a stage has not passed.",
            ["stage"],
            registry=r,
        )
        self.stream_rebuilds = Counter(
            "m26_stream_rebuilds_total",
            "Times the Redis stream was rebuilt from history.",
            ["reason"],
            registry=r,
        )
        self.rollup_lag = Gauge(
            "m26_rollup_lag_seconds",
            "Age of the oldest event that prices do not have, as long as this process knows.",
            registry=r,
        )
        self.rollup_events = Counter(
            "m26_rollup_events_total", "Events that this process took into prices.", registry=r
        )
        self.fair_lag = Gauge(
            "m26_fair_lag_seconds",
            "At most so long after its events a card was priced in the last round.",
            registry=r,
        )
        self.fair_cards = Counter(
            "m26_fair_cards_total", "Cards that this process priced, each time.", registry=r
        )
        self.fair_coverage = Gauge(
            "m26_fair_interval_coverage",
            "Share of the cards' next sales that were within what was said of them; 0.8 is due.",
            ["group"],
            registry=r,
        )
        self.journal_bytes = Gauge("m26_journal_bytes", "Bytes of journal on disk.", registry=r)
        self.journal_damaged = Gauge(
            "m26_journal_damaged", "Damaged places of the journal, unacknowledged.", registry=r
        )
        self.auth_seconds_left = Gauge(
            "m26_auth_seconds_left", "Life left in a credential.", ["what"], registry=r
        )
        self.coverage = Gauge(
            "m26_coverage_ratio",
            "Share of the listings of the last day that were seen, by estimate.",
            ["platform"],
            registry=r,
        )
        self.plan_requests = Counter(
            "m26_plan_requests_total", "Requests by why they were sent.", ["reason"], registry=r
        )
        self.upstream_changes = Counter(
            "m26_upstream_changes_total",
            "What the upstream can do, learned or found changed.",
            ["flag"],
            registry=r,
        )
        self.state = Gauge("m26_state", "1 for the current state.", ["state"], registry=r)
        self.rejects = Counter("m26_rejects_total", "Quarantined items.", ["reason"], registry=r)
        self.drift = Counter("m26_drift_total", "Surprises in the upstream's shape.", registry=r)
        self.clock_skew = Gauge("m26_clock_skew_seconds", "Server clock minus ours.", registry=r)
        self.web_refused = Counter(
            "m26_web_refused_total", "HTTP requests without the right token.", registry=r
        )
        ProcessCollector(registry=r)  # memory, open files and CPU, under their usual names
        begin(self.auctions, ("new", "changed", "unchanged", "rejected"))
        begin(self.events, ("listed", "bid", "changed", "closed"))
        begin(self.lag_seconds, ("journal", "store", "publish"))

    def count_request(self, command: str, outcome: str) -> None:
        """One gateway request, by its wire name and ``ok`` or the reason of the failure table."""
        self.requests.labels(command, outcome).inc()

    def value(self, name: str, **labels: str) -> float:
        """Current value of one sample, 0 when it was never touched."""
        return self.registry.get_sample_value(name, labels) or 0.0

    def by_label(self, name: str, label: str) -> dict[str, float]:
        """Samples of one metric, summed by one of its labels."""
        sums: dict[str, float] = {}
        for family in self.registry.restricted_registry([name]).collect():
            for sample in family.samples:
                key = sample.labels[label]
                sums[key] = sums.get(key, 0.0) + sample.value
        return sums

    def total(self, name: str) -> float:
        """Sum of a counter over all its labels."""
        families = self.registry.restricted_registry([name]).collect()
        return sum(sample.value for family in families for sample in family.samples)

    def render(self) -> bytes:
        """Prometheus text format."""
        return generate_latest(self.registry)


def begin(metric: Counter | Gauge, *labels: Iterable[str]) -> None:
    """Have a sample at 0 for everything known to be counted, so that rates see the first one.

    Args:
        metric: one that has labels.
        labels: for each of them its known values; whoever counts knows them.
    """
    for values in product(*labels):
        metric.labels(*values)
