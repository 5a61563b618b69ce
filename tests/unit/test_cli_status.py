from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal
from tests.support.observing import Watched

from m26.home.runfile import announced
from m26.home.stops import Stop, read_stop, write_stop
from m26.status.conditions import State
from m26.web.app import create_app
from m26.web.server import listening, serve, url_of

CAPTCHA = Stop(
    reason="captcha",
    message="the gateway asks for a captcha",
    advice="Solve it in the companion app.",
    since=1_786_914_000.0,
    account="main",
)
Command = Callable[..., Any]


@pytest.fixture
def watched() -> Watched:
    watched = Watched()
    watched.status.report("account:main", State.COLLECTING)
    return watched


@pytest.fixture
def serving(portal: BlockingPortal, watched: Watched, home: Path) -> Iterator[Callable[..., None]]:
    """Serve the watched process and announce it in the home."""

    def begin(token: str | None = None) -> None:
        app = create_app(
            metrics=watched.metrics,
            snapshot=watched.observer.snapshot,
            ready=list,
            prices=None,
            token=token,
        )
        listener = ends.enter_context(portal.wrap_async_context_manager(listening("127.0.0.1", 0)))
        task, _ = portal.start_task(partial(serve, app, listener))
        ends.callback(task.cancel)
        ends.enter_context(announced(home, url=url_of(listener)))

    with ExitStack() as ends:
        yield begin


def test_a_home_where_nothing_runs_says_how_to_start(m26: Command, home: Path) -> None:
    result = m26("status")
    assert result.code == 1
    assert f"m26 does not run for {home}" in result.out
    assert "m26 run" in result.out
    assert m26("status", "--json").json == {
        "schema_version": 1,
        "running": False,
        "healthy": False,
        "problem": f"m26 does not run for {home}",
        "stop": None,
        "stops": [],
        "snapshot": None,
    }


def test_a_healthy_process_is_shown_with_its_figures(
    m26: Command, serving: Callable[..., None], watched: Watched
) -> None:
    watched.metrics.auctions.labels("new").inc(1234)
    serving()
    result = m26("status")
    assert result.code == 0
    for shown in ("collecting", "new 1,234", "the built-in simulator", "budget left"):
        assert shown in result.out
    document = m26("status", "--json")
    assert document.code == 0
    assert document.json["snapshot"]["auctions"]["new"] == 1234
    assert (document.json["running"], document.json["healthy"]) == (True, True)


def test_a_proxy_of_the_environment_is_not_asked(
    m26: Command, serving: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    serving()
    assert m26("status").code == 0


def test_a_degraded_process_gives_1_with_reason_and_advice(
    m26: Command, serving: Callable[..., None], watched: Watched
) -> None:
    watched.status.report("account:main", State.PAUSED, reason="429", advice="Wait for it.")
    serving()
    result = m26("status")
    assert result.code == 1
    assert "paused: 429" in result.out
    assert "Wait for it." in result.out
    assert m26("status", "--json").code == 1


def test_a_token_of_the_settings_is_sent_and_a_missing_one_is_explained(
    m26: Command, serving: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    serving(token="CANARY-token")
    refused = m26("status")
    assert refused.code == 1
    assert "set M26_WEB__TOKEN" in refused.out
    monkeypatch.setenv("M26_WEB__TOKEN", "CANARY-token")
    accepted = m26("status", "--debug")
    assert accepted.code == 0
    assert "CANARY" not in accepted.out + accepted.err


def test_a_process_that_does_not_answer_is_said_to_run(m26: Command, home: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with announced(home, url=url):
            result = m26("status", "--json")
    assert result.code == 1
    assert result.json["running"] is True
    assert f"does not answer at {url}" in result.json["problem"]


def test_a_stop_is_shown_though_nothing_runs(m26: Command, home: Path) -> None:
    write_stop(home, CAPTCHA)
    result = m26("status")
    assert result.code == 1
    assert "since 2026-08-16T21:00:00Z, captcha: the gateway asks for a captcha" in result.out
    assert "Solve it in the companion app. Then run: m26 resume" in result.out
    assert m26("status", "--json").json["stop"]["reason"] == "captcha"
    assert read_stop(home) == CAPTCHA, "status clears nothing"


def test_resume_shows_the_stop_and_clears_it(m26: Command, home: Path) -> None:
    write_stop(home, CAPTCHA)
    result = m26("resume")
    assert result.code == 0
    assert "the gateway asks for a captcha" in result.out
    assert "start it with: m26 run" in result.out
    assert read_stop(home) is None


def test_resume_in_json_holds_what_was_cleared(m26: Command, home: Path) -> None:
    write_stop(home, CAPTCHA)
    view = {
        "reason": "captcha",
        "message": "the gateway asks for a captcha",
        "advice": "Solve it in the companion app.",
        "since": "2026-08-16T21:00:00Z",
        "account": "main",
        "scope": "home",
    }
    cleared = {"schema_version": 1, "cleared": view, "all_cleared": [view], "running": True}
    nothing = {"schema_version": 1, "cleared": None, "all_cleared": [], "running": True}
    with announced(home, url="http://127.0.0.1:9"):
        assert m26("resume", "--json").json == cleared
        assert m26("resume", "--json").json == nothing


def test_every_stop_of_a_home_is_shown_and_cleared(m26: Command, home: Path) -> None:
    own = replace(CAPTCHA, reason="login_again", account="second", scope="account")
    write_stop(home, own)
    write_stop(home, CAPTCHA)
    for command in ("status", "resume"):
        out = m26(command).out
        assert "login_again" in out
        assert "second alone" in out
        assert "captcha" in out
    assert read_stop(home) is None


def test_resume_without_a_stop_says_so(m26: Command, home: Path) -> None:
    result = m26("resume")
    assert (result.code, "nothing is stopped" in result.out) == (0, True)
