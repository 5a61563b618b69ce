from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.gateway import NOW, bundle, credentials, tokens

from m26.auth.health import forecast, lines
from m26.upstream.profile import Profile
from m26.upstream.secret import Secret

SIM, REAL = Profile.load("sim"), Profile.load("madden26")


def test_an_account_that_can_refresh_and_sign_has_no_end() -> None:
    told = forecast(credentials(), SIM, now=NOW)
    assert (told.seconds_left, told.text) == (None, "renews itself while m26 runs")
    assert {line.state for line in lines(credentials(), SIM, now=NOW)} == {"ok", "missing"}


@pytest.mark.parametrize(
    ("changes", "left", "text"),
    [
        ({"tokens": replace(tokens(), refresh=None)}, 14_400, "no refresh token"),
        ({"refresh_refused": "login_again"}, 14_400, "no refresh token"),
        ({"refreshes_unanswered": 2}, 14_400, "no refresh token"),
        ({"tokens": None}, 1_800, "a captured session only"),
        ({"tokens": None, "ticket": None}, 0, "no way to log in"),
    ],
)
def test_the_end_is_told_with_what_to_do(changes: dict[str, Any], left: float, text: str) -> None:
    told = forecast(credentials(**changes), SIM, now=NOW)
    assert told.seconds_left == left
    assert told.text.startswith(text)
    assert "m26 auth import" in told.advice


def test_a_client_id_without_its_secret_renews_nothing() -> None:
    held = credentials(client_id=Secret("CANARY-ID"), bundles=(bundle(),))
    assert forecast(held, REAL, now=NOW).text.startswith("no client id and secret")
    states = {line.what: line.state for line in lines(held, REAL, now=NOW)}
    assert states["client id and secret"] == "missing"


def test_without_constants_and_bundles_nothing_can_be_signed() -> None:
    told = forecast(credentials(), REAL, now=NOW)
    assert (told.seconds_left, told.text) == (0, "no request can be signed")


def test_lines_tell_ends_refusals_and_losses() -> None:
    def line(what: str, **changes: Any) -> Any:
        found = lines(credentials(**changes), SIM, now=NOW + 20_000)
        return next(line for line in found if line.what == what)

    assert line("access token").state == "expired"
    assert line("refresh token").age == 20_000
    assert line("refresh token", refresh_refused="login_again").state == "refused"
    assert line("refresh token", refreshes_unanswered=1).detail == "1 answer lost"
    assert line("bundles", bundles=(bundle(failures=9),)).state == "resting"
