from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.support.gateway import NOW, bundle, credentials, tokens

from m26.auth.credentials import Use
from m26.auth.report import bundle_lines, forecast, lines
from m26.clock import iso
from m26.upstream.profile import Profile, Signing
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
    assert line("bundles", bundles=(bundle(failures=9),)).state == "refused"
    assert line("bundles", bundles=(bundle(retry_at=NOW + 30_000),)).state == "resting"


UNSIGNED, DAY = replace(SIM, signing=Signing()), 86_400.0
LONE = replace(tokens(), refresh=None)


@pytest.mark.parametrize(
    ("changes", "left", "text"),
    [
        # one strategy: the newest bundle that is left, as long as bundles live
        ({"bundles": (bundle(),), "bundle_life": DAY}, DAY, "signs with captured signatures only"),
        ({"bundles": (bundle(),)}, None, "signs with captured signatures only, whose life"),
        (
            {"bundles": (bundle(1, captured_at=NOW - 7 * DAY), bundle(2)), "bundle_life": 8 * DAY},
            8 * DAY,
            "signs with",
        ),
        (
            {
                "bundles": (bundle(1, captured_at=NOW - 7 * DAY), bundle(2, failures=6)),
                "bundle_life": 8 * DAY,
            },
            DAY,
            "signs with",
        ),
        ({"bundles": (bundle(1, retry_at=NOW + 9),), "bundle_life": DAY}, DAY, "signs with"),
        ({"bundles": (bundle(1, failures=6),)}, 0, "every captured signature has ended"),
        (
            {"bundles": (bundle(1, captured_at=NOW - 2 * DAY),), "bundle_life": DAY},
            0,
            "every captured signature has ended",
        ),
        ({}, 0, "no request can be signed"),
        # what ends first counts
        ({"bundles": (bundle(),), "bundle_life": DAY, "tokens": LONE}, 14_400, "no refresh token"),
        ({"bundles": (bundle(),), "bundle_life": 600, "tokens": LONE}, 600, "signs with"),
        ({"bundles": (bundle(),), "tokens": LONE}, 14_400, "no refresh token"),
        ({"bundles": (bundle(),), "tokens": None, "ticket": None}, 0, "no way to log in"),
    ],
)
def test_captured_signatures_alone_end_with_the_newest_of_them(
    changes: dict[str, Any], left: float | None, text: str
) -> None:
    told = forecast(credentials(**changes), UNSIGNED, now=NOW)
    assert told.seconds_left == left
    assert told.text.startswith(text)
    assert told.advice


def test_with_signing_constants_the_end_of_bundles_is_no_end() -> None:
    told = forecast(credentials(bundles=(bundle(failures=6),)), SIM, now=NOW)
    assert told.seconds_left is None
    bare = forecast(credentials(device_id=None, bundles=(bundle(),), bundle_life=DAY), SIM, now=NOW)
    assert bare.seconds_left == DAY  # constants without a device id sign nothing


def test_a_session_that_outlives_its_token_counts() -> None:
    held = credentials(tokens=replace(tokens(left=60), refresh=None))
    assert forecast(held, SIM, now=NOW).seconds_left == 1_800


def test_a_refresh_token_that_nobody_used_for_ten_days_is_dead() -> None:
    told = forecast(credentials(ticket=None), SIM, now=NOW + 11 * DAY)
    assert (told.seconds_left, told.text) == (0, "no way to log in")


def test_each_bundle_is_told_with_its_life_its_rest_and_its_commands() -> None:
    search = {"Mobile_SearchAuctions": Use(accepted=2)}
    held = credentials(
        bundle_life=DAY,
        bundles=(
            bundle(1, captured_at=NOW - 9, uses=search),
            bundle(2, captured_at=NOW - 8, retry_at=NOW + 30, failures=1),
            bundle(3, captured_at=NOW - 2 * DAY),
            bundle(4, failures=6),
        ),
    )
    told = {line.id: line for line in bundle_lines(held, now=NOW)}
    assert list(told) == [bundle(n).id for n in (4, 2, 1, 3)]
    states = [told[bundle(n).id].state for n in (1, 2, 3, 4)]
    assert states == ["ok", "resting", "expired", "dead"]
    assert (told[bundle(1).id].seconds_left, told[bundle(1).id].commands) == (DAY - 9, search)
    assert (told[bundle(2).id].resting, told[bundle(1).id].resting) == (30, None)
    assert "CANARY" not in repr(told)


def test_a_line_tells_how_often_it_was_used_and_why_it_last_failed() -> None:
    held = credentials(
        uses={"session": Use(accepted=5, refused=1, refused_at=NOW - 7, reason="session_rejected")}
    )
    told = {line.what: line for line in lines(held, SIM, now=NOW)}
    session = told["session"]
    assert (session.used, session.failure) == (6, "session_rejected")
    assert session.failed_at == iso(NOW - 7)
    assert (told["access token"].used, told["access token"].failure) == (0, None)


def test_a_token_and_a_session_whose_last_word_was_a_refusal_do_not_work() -> None:
    lost = {
        "access_token": Use(refused=1, refused_at=NOW + 1, reason="token_expired"),
        "session": Use(accepted=9, accepted_at=NOW, refused=1, refused_at=NOW + 1),
    }
    held = credentials(uses=lost, refresh_refused="login_again")
    told = {line.what: line.state for line in lines(held, SIM, now=NOW + 2)}
    assert (told["access token"], told["session"]) == ("refused", "refused")
    end = forecast(held, SIM, now=NOW + 2)
    assert (end.seconds_left, end.text) == (0, "no way to log in")


@pytest.mark.parametrize(
    "use",
    [
        Use(refused=1, refused_at=NOW + 1, reason="login_limited"),
        Use(refused=1, refused_at=NOW - 1, reason="token_expired"),
        Use(accepted=1, accepted_at=NOW + 2, refused=1, refused_at=NOW + 1, reason="token_expired"),
    ],
    ids=["not its fault", "of the token before", "accepted since"],
)
def test_other_refusals_leave_a_token_good(use: Use) -> None:
    held = credentials(uses={"access_token": use}, tokens=replace(tokens(), refresh=None))
    told = next(line for line in lines(held, SIM, now=NOW + 3) if line.what == "access token")
    assert (told.state, forecast(held, SIM, now=NOW + 3).seconds_left) == ("ok", 14_397)
