from __future__ import annotations

import re

from m26.status.metrics import Metrics

CONTRACT = {
    "m26_requests_total": "counter",
    "m26_request_seconds": "histogram",
    "m26_budget_remaining": "gauge",
    "m26_auctions_total": "counter",
    "m26_events_total": "counter",
    "m26_commit_seconds": "histogram",
    "m26_lag_seconds": "gauge",
    "m26_journal_bytes": "gauge",
    "m26_journal_damaged": "gauge",
    "m26_auth_seconds_left": "gauge",
    "m26_coverage_ratio": "gauge",
    "m26_plan_requests_total": "counter",
    "m26_outcomes_total": "counter",
    "m26_outcome_seconds": "histogram",
    "m26_calibration_ratio": "gauge",
    "m26_state": "gauge",
    "m26_rejects_total": "counter",
    "m26_drift_total": "counter",
    "m26_clock_skew_seconds": "gauge",
    "m26_rollup_lag_seconds": "gauge",
}


def test_every_metric_of_the_contract_has_its_name_and_type() -> None:
    text = Metrics().render().decode()
    assert dict(re.findall(r"^# TYPE (m26_\S+) (\S+)$", text, re.MULTILINE)) == {
        **CONTRACT,
        "m26_fair_cards_total": "counter",
        "m26_fair_interval_coverage": "gauge",
        "m26_fair_lag_seconds": "gauge",
        "m26_late_total": "counter",
        "m26_rollup_events_total": "counter",
        "m26_stream_rebuilds_total": "counter",
        "m26_upstream_changes_total": "counter",
        "m26_web_refused_total": "counter",
    }


def test_known_labels_are_there_before_anything_happens() -> None:
    metrics = Metrics()
    assert metrics.by_label("m26_auctions_total", "state") == {
        "new": 0,
        "changed": 0,
        "unchanged": 0,
        "rejected": 0,
    }
    assert set(metrics.by_label("m26_events_total", "kind")) == {
        "listed",
        "bid",
        "changed",
        "closed",
    }
    assert metrics.by_label("m26_auth_seconds_left", "what") == {}  # unknown is not 0


def test_a_counter_has_one_sample_and_the_process_shows_its_memory() -> None:
    metrics = Metrics()
    metrics.events.labels("bid").inc(3)
    text = metrics.render().decode()
    assert 'm26_events_total{kind="bid"} 3.0' in text
    assert "_created" not in text
    assert "process_resident_memory_bytes" in text


def test_samples_are_summed_by_one_label_and_over_all() -> None:
    metrics = Metrics()
    metrics.requests.labels("search", "ok").inc(2)
    metrics.requests.labels("login", "ok").inc()
    metrics.requests.labels("search", "timeout").inc(4)
    assert metrics.by_label("m26_requests_total", "outcome") == {"ok": 3, "timeout": 4}
    assert metrics.total("m26_requests_total") == 7
    assert metrics.value("m26_requests_total", command="search", outcome="ok") == 2
    assert metrics.value("m26_requests_total", command="none", outcome="ok") == 0


def test_two_sets_of_metrics_share_nothing() -> None:
    one, other = Metrics(), Metrics()
    one.drift.inc()
    assert (one.total("m26_drift_total"), other.total("m26_drift_total")) == (1, 0)
