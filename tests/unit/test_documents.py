"""The documents as programs read them: kept by hand in tests/golden, so that they can fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from tests.support.observing import Watched

from m26.cli import figures
from m26.clock import iso
from m26.status.conditions import State
from m26.status.views import StatusView
from m26.web.openapi import document
from m26.web.schema import schema_of

GOLDEN = Path(__file__).parents[1] / "golden"


def made_up() -> Any:
    """The status of a made-up process in which every member says something."""
    watched = Watched(simulator=False)
    metrics, status = watched.metrics, watched.status
    for outcome, times in (("ok", 40), ("rate_limited", 2)):
        metrics.requests.labels("search", outcome).inc(times)
    for window, left in (("day", 3958), ("minute", 4)):
        metrics.budget_remaining.labels(window).set(left)
    for number, kind in enumerate(("listed", "bid", "changed", "closed"), 1):
        metrics.events.labels(kind).inc(number)
    for number, state in enumerate(("new", "changed", "unchanged", "rejected"), 1):
        metrics.auctions.labels(state).inc(1000 * number)
    for number, stage in enumerate(("journal", "store", "publish"), 1):
        metrics.lag_seconds.labels(stage).set(number / 4)
    for what, left in (("session", 1200), ("access_token", 9000), ("bundles", 86400)):
        metrics.auth_seconds_left.labels(what).set(left)
    for seconds in (0.25, 0.5):
        metrics.commit_seconds.observe(seconds)
    metrics.rejects.labels("bad_price").inc(4)
    metrics.late.inc(3)
    metrics.drift.inc(2)
    metrics.clock_skew.set(-0.5)
    metrics.journal_bytes.set(123_456)
    now = watched.clock.now
    status.report("store", State.COLLECTING)
    status.report(
        "budget:main", State.PAUSED, reason="budget: spent", advice="Nothing.", until=now + 90.5
    )
    watched.accounts = [
        {
            **watched.account("main", "ps5"),
            "strategy": "signed",
            "budget": {"day": 0, "minute": 4},
            "next_request_at": iso(now + 90.5),
            "refills_at": {"day": iso(now + 3600)},
            "auth_seconds_left": {"session": 1200.0, "access_token": 9000.0},
        },
        watched.account("new", "pc"),
    ]
    watched.backlog = 7
    watched.clock.now += 60
    versions = {"m26": "1.2.3", "python": "3.11.7"}
    return {**watched.observer.snapshot(), "pid": 4321, "versions": versions}


def test_the_status_is_the_one_that_programs_read() -> None:
    text = orjson.dumps(made_up(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    assert text.decode() == (GOLDEN / "status.json").read_text("utf-8")


def test_the_description_of_the_interface_is_the_one_that_programs_read() -> None:
    assert document() == orjson.loads((GOLDEN / "openapi.json").read_bytes())


def strict(kind: Any) -> Draft202012Validator:
    """Validates documents of a type; refuses members that the type does not have."""
    named: dict[str, Any] = {}
    root = schema_of(kind, named)
    for schema in named.values():
        schema["additionalProperties"] = False
    return Draft202012Validator({**root, "components": {"schemas": named}})


def test_a_status_is_valid_only_with_all_its_members_and_no_others() -> None:
    validator, status = strict(StatusView), orjson.loads(orjson.dumps(made_up()))
    validator.validate(status)
    for record in (status, status["state"], status["accounts"][0], status["journal"]):
        for name, value in list(record.items()):
            del record[name]
            assert not validator.is_valid(status), f"without {name}"
            record[name] = value
        record["more"] = 1
        assert not validator.is_valid(status)
        del record["more"]
    validator.validate(status)
    status["state"]["state"] = "asleep"
    assert not validator.is_valid(status)


NOT_SHOWN = {
    "schema_version",  # for programs
    "healthy",  # the state says it, and why
    "accounts.reason",  # stands at the condition
    "accounts.auth_seconds_left.access_token",  # of several the shortest life alone
    "started_at",  # as its distance from now
    "pid",
    "late",
    "rate.window_seconds",
    "drift",
    "clock_skew_seconds",
    "versions.python",
}
"""Members of the status that a person is not shown: they are in the JSON and in the metrics."""


def altered(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The document with one value changed, for every value of it, and where that is."""
    if isinstance(value, dict):
        for name, member in value.items():
            for where, other in altered(member, f"{path}.{name}"):
                yield where, {**value, name: other}
    elif isinstance(value, list):
        for index, item in enumerate(value):
            for where, other in altered(item, path):
                yield where, [*value[:index], other, *value[index + 1 :]]
    elif isinstance(value, bool):
        yield path, not value
    elif isinstance(value, int | float):
        yield path, value + 7_777_777
    elif value is not None:
        yield path, value.replace("2026-", "2027-") if value.endswith("Z") else f"{value}X"


def test_every_member_of_the_status_is_shown_to_a_person_or_left_out_on_purpose() -> None:
    def said(status: Any) -> Any:
        return figures.banner(status), figures.figures(status), figures.summary(status)

    status = orjson.loads(orjson.dumps(made_up()))
    everything = {where.removeprefix(".") for where, _ in altered(status)}
    shown = {w.removeprefix(".") for w, other in altered(status) if said(other) != said(status)}
    assert everything - shown == NOT_SHOWN
