"""The documents as programs read them: kept by hand in tests/golden, so that they can fail."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from cyclopts import App
from tests.support.captures import har, login_entry, process_entry, reply, token_entry
from tests.support.documents import DOCUMENTS, check_printed, strict
from tests.support.gateway import NOW, bundle, credentials, stored
from tests.support.observing import Watched

from m26.auth.credentials import Use
from m26.auth.report import BundleLine, Forecast, Health, Line
from m26.cli import build, embedded, figures, rejects, top
from m26.cli.checks import Check
from m26.cli.credentials import show
from m26.cli.documents import EmbeddedServerView, FailureView, RejectLineView
from m26.cli.output import dump_json
from m26.clock import iso
from m26.home.stops import Stop, write_stop
from m26.models import Account
from m26.status.conditions import State
from m26.status.views import StatusView
from m26.web.app import ROUTES
from m26.web.openapi import document

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
    watched.markets = [
        {
            "platform": "ps5",
            "coverage": {"seen": 990, "listed": 1000.0, "ratio": 0.99, "blind_seconds": 12.5},
            "listings_per_hour": 41.7,
            "auctions_known": 900,
            "auctions_open": 800,
            "auctions_due": 3,
            "decisions": {"expired": 30, "front page": 12},
            "last": {
                "ask": "refresh",
                "offset": None,
                "count": 50,
                "worth": None,
                "why": "expired",
            },
            "next": [
                {"ask": "search", "offset": 0, "count": 2.5, "worth": 0.75, "why": "front page"}
            ],
            "capabilities": [
                {
                    "flag": "paging",
                    "value": True,
                    "origin": "learned",
                    "since": iso(now),
                    "evidence": "the page at 100 begins behind the page at 0",
                }
            ],
        }
    ]
    watched.rollups = {
        "state": "building",
        "percent": 43,
        "lag_seconds": 12.5,
        "events_behind": 570_000,
        "events_per_second": 21_000,
    }
    watched.fair = {"state": "building", "percent": 43, "lag_seconds": 27.25}
    watched.backlog = 7
    watched.clock.now += 60
    versions = {"m26": "1.2.3", "python": "3.11.7"}
    return {**watched.observer.snapshot(), "pid": 4321, "versions": versions}


def test_the_status_is_the_one_that_programs_read() -> None:
    text = orjson.dumps(made_up(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    assert text.decode() == (GOLDEN / "status.json").read_text("utf-8")


def test_the_description_of_the_interface_is_the_one_that_programs_read() -> None:
    assert document(ROUTES) == orjson.loads((GOLDEN / "openapi.json").read_bytes())


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
    "markets.coverage.seen",  # as a share
    "markets.coverage.listed",
    "markets.capabilities.since",  # `m26 upstream show` tells it
    "markets.capabilities.evidence",
    "markets.capabilities.origin",
    "markets.next.ask",  # its words say it
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
        accounts = [Account(each["name"], each["platform"]) for each in status["accounts"]]
        looked = {"running": True, "problem": "", **status}
        return (
            figures.banner(status, accounts),
            figures.figures(status),
            figures.summary(status),
            top.rows(looked),
        )

    status = orjson.loads(orjson.dumps(made_up()))
    everything = {where.removeprefix(".") for where, _ in altered(status)}
    shown = {w.removeprefix(".") for w, other in altered(status) if said(other) != said(status)}
    assert everything - shown == NOT_SHOWN


def test_tables_leave_out_members_on_purpose_alone() -> None:
    assert {*EmbeddedServerView.__annotations__} - {*embedded._COLUMNS} == {"program", "log"}
    unseen = {"byte_from", "byte_to", "bytes"}
    assert {*RejectLineView.__annotations__} - {*rejects._COLUMNS} == unseen


def test_every_member_of_an_account_s_health_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    line = Line(
        what="w", state="s", age=1.0, seconds_left=1.0, detail="d", used=1,
        failure="f", failed_at=iso(0.0),
    )  # fmt: skip
    bundled = BundleLine(
        id="i", state="resting", age=1.0, seconds_left=1.0, resting=1.0,
        commands={"c": Use(accepted=1, refused=1, reason="r")},
    )  # fmt: skip
    ends = Forecast(seconds_left=9.0, text="t", advice="a")
    health = Health(
        account="a", platform="p", origins=["o"], credentials=[line], bundles=[bundled],
        forecast=ends,
    )  # fmt: skip

    def said(**changes: Any) -> str:
        show(replace(health, **changes))
        return capsys.readouterr().out

    assert said(origins=["o", "X"]) != said()
    others = {"failed_at": iso(1e9), "commands": {"other": Use()}}
    for name, part in (("credentials", line), ("bundles", bundled), ("forecast", ends)):
        for member in fields(part):
            value: Any = getattr(part, member.name)
            other = f"{value}X" if isinstance(value, str) else 7_777_777
            changed = replace(part, **{member.name: others.get(member.name, other)})
            assert said(**{name: [changed] if name != "forecast" else changed}) != said(), member


def commands(app: App, path: tuple[str, ...] = ()) -> Iterator[str]:
    for name in app:
        if not name.startswith("-"):
            if app[name].default_command is not None:
                yield " ".join((*path, name))
            yield from commands(app[name], (*path, name))


def test_every_command_has_a_type_of_its_document() -> None:
    assert set(commands(build())) == {*DOCUMENTS, "embedded psql", "plan serve"}


def test_commands_print_documents_of_their_types(m26: Callable[..., Any], home: Path) -> None:
    def check(*arguments: str, of: Any = None, codes: tuple[int, ...] = (0,)) -> None:
        result = m26(*arguments, "--json")
        assert result.code in codes, result.err
        check_printed(of or DOCUMENTS[" ".join(arguments[:2])], result.json)

    capture, page = home / "start.har", home / "page.json"
    capture.write_bytes(har([token_entry(), login_entry(), process_entry()]))
    page.write_bytes(reply(1))
    check("auth", "import", str(capture), "--platform", "ps5")
    uses = {"Mobile_SearchAuctions": Use(accepted=1, refused=2, refused_at=NOW, reason="odd")}
    stored(home, credentials(bundles=(bundle(1, uses=uses),), uses=uses), account="used")
    (home / "captures").mkdir(exist_ok=True)
    (home / "captures" / "broken.har").write_bytes(b"{")
    write_stop(home, Stop(reason="captcha", message="m", advice="a", since=NOW, account="main"))
    check("auth", "status")
    check("auth", "rebuild", "--no-renew", codes=(2, 4))
    check("auth", "addon")
    check("auth", "rekey")
    check("auth", "rekey", "--print-key")
    check("config", "show")
    check("run", "--dry-run", "--account", "main", of=DOCUMENTS["run"])
    check("status", of=DOCUMENTS["status"], codes=(1,))
    check("journal", "ack")
    check("journal", "ls", of=FailureView, codes=(6,))
    check("rejects", "retry", of=FailureView, codes=(2,))
    check("resume", of=DOCUMENTS["resume"])
    check("doctor", of=DOCUMENTS["doctor"], codes=(0, 1))
    check("embedded", "status")
    check("embedded", "stop")
    output = str(home / "rows.ndjson")
    check("normalize", str(page), "-o", output, "--platform", "ps5", of=DOCUMENTS["normalize"])
    check("auth", "forget", of=FailureView, codes=(2,))
    check("auth", "forget", "--all", "--yes")


def test_a_document_is_written_though_a_file_has_a_name_that_is_no_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    dump_json({"checks": [Check("vault", "ok", "\udcff.har")]})
    assert json.loads(capsys.readouterr().out)["checks"][0]["name"] == "vault"
