"""What follows from a verdict: waits, renewals and stops, and what a restart makes of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.scripted import Bench, Make, ScriptEndedError, ask, blaze, kinds, reply
from tests.support.wire import body

from m26.home.stops import read_stop
from m26.status.conditions import Condition, State
from m26.upstream.rules import RULES
from m26.upstream.verdicts import BrokenTransferError, RefusedError, UnavailableError

pytestmark = pytest.mark.anyio


async def test_transient_errors_are_retried_with_growing_waits_then_paused(bench: Make) -> None:
    made = bench(*[blaze("ERR_TIMEOUT")] * 5, reply(body()))
    began = made.clock.now
    await ask(made)

    waited = made.clock.now - began
    assert 15 * 0.8 + 60 <= waited <= 15 * 1.2 + 60


async def test_a_rejected_session_is_renewed_once_and_the_command_repeated(bench: Make) -> None:
    made = bench(blaze("ERR_INVALID_SESSION"), reply(body()))
    await ask(made)

    assert kinds(made) == ["request", "journal", "renew_session", "request", "journal"]
    assert ("renew_session", "t0") in made.session.notes


async def test_a_session_rejected_again_at_once_is_a_pause_and_no_second_login(bench: Make) -> None:
    made = bench(blaze("ERR_INVALID_SESSION"), blaze("ERR_INVALID_SESSION"), reply(body()))
    began = made.clock.now
    answer = await ask(made)

    assert kinds(made).count("renew_session") == 1
    assert made.clock.now - began == 600
    assert answer.troubled


async def test_a_dead_token_is_refreshed_then_a_session_made(bench: Make) -> None:
    made = bench(blaze("AUTH_ERR_EXPIRED_TOKEN"), reply(body()))
    await ask(made)

    assert kinds(made)[2:4] == ["renew_tokens", "renew_session"]


async def test_a_captcha_stops_and_nothing_is_asked_until_the_stop_returns(bench: Make) -> None:
    made = bench(reply(body(captchaUrl="https://captcha.invalid/x")), reply(body()))
    await ask(made)

    assert made.stops == ["captcha"]
    assert kinds(made) == ["request", "journal", "stop", "request", "journal"]


async def test_retry_after_is_obeyed_and_the_rate_halved(bench: Make) -> None:
    made = bench(reply(b"{}", status=429, retry_after=30.0), reply(body()))
    began = made.clock.now
    await ask(made)

    assert made.clock.now - began >= 30
    assert made.slowed == [3600]


async def test_the_state_tells_reason_advice_and_until(bench: Make) -> None:
    made = bench(reply(b"<html>no</html>", status=403), reply(body()))
    seen = []
    made.status.on_change(seen.append)
    await ask(made)

    paused = next(c for c in seen if c.state is State.PAUSED)
    assert paused.reason.startswith("edge_blocked")
    assert paused.advice
    assert paused.until == pytest.approx(paused.since + 900)
    assert made.status.current.state is State.COLLECTING


async def test_a_stop_is_on_disk_before_it_is_told(bench: Make, tmp_path: Path) -> None:
    made = bench(reply(body(captchaGuid="x")), reply(body()))
    on_disk = []
    made.status.on_change(
        lambda c: on_disk.append(read_stop(tmp_path)) if c.state is State.STOPPED else None
    )
    await ask(made)

    assert [stop is not None for stop in on_disk] == [True]


class KilledError(Exception):
    """The process ends here."""


async def killed(made: Bench, *, after: float = 0.0) -> None:
    """Ask until it waits, and end there, `after` seconds into the wait."""

    async def sleep(_seconds: float) -> None:
        made.clock.now += after
        raise KilledError

    made.exchange.reaction.clock = replace(made.exchange.reaction.clock, sleep=sleep)
    with pytest.raises(KilledError):
        await ask(made)


DUPLICATE, SOFT_BAN = blaze("AUTH_ERR_DUPLICATE_LOGIN"), reply(b"", status=512)
EDGE, TOKEN = reply(b"<html>no</html>", status=403), reply(b"", status=401)


async def test_a_restart_waits_out_what_is_left_of_a_pause_and_says_why(bench: Make) -> None:
    before = bench(DUPLICATE)
    await killed(before, after=300)
    made = bench(reply(body()))
    seen: list[Condition] = []
    made.status.on_change(seen.append)
    began = made.clock.now
    await ask(made)

    assert made.clock.now - began == pytest.approx(600)
    assert seen[1].state is State.PAUSED
    assert seen[1].reason == before.status.current.reason
    assert seen[1].reason.startswith("duplicate_login: ")
    assert seen[1].advice == before.status.current.advice
    assert seen[1].until == began + 600


async def test_an_edge_block_before_a_restart_makes_the_next_one_a_stop(bench: Make) -> None:
    await killed(bench(EDGE))
    made = bench(EDGE, reply(body()))
    await ask(made)

    assert made.stops == ["edge_blocked"]


async def test_a_soft_ban_grows_over_restarts(bench: Make) -> None:
    for pause in (1_800, 7_200, 43_200, 43_200):
        made = bench(SOFT_BAN, reply(body()))
        began = made.clock.now
        await ask(made)
        assert made.clock.now - began == pytest.approx(pause)


async def test_after_a_stop_was_lifted_its_reason_is_a_new_one(bench: Make) -> None:
    made = bench(TOKEN, TOKEN, TOKEN, reply(body()))
    await ask(made)

    assert made.stops == ["token_rejected"]
    names = [n for n in kinds(made) if n not in ("journal", "renew_session")]
    assert names == ["request", "renew_tokens", "request", "stop", "request", "renew_tokens",
                     "request"]  # fmt: skip


async def test_a_refresh_that_fails_in_passing_is_tried_again_and_no_stop(bench: Make) -> None:
    made = bench(TOKEN, reply(body()))
    down = UnavailableError(RULES["token_unavailable"])
    made.session.renewals = [down, down, BrokenTransferError("reset", reason="cut")]
    began = made.clock.now
    await ask(made)

    assert made.stops == []
    assert kinds(made) == ["request", "journal", *["renew_tokens"] * 4, "renew_session",
                           "request", "journal"]  # fmt: skip
    assert (5 + 10 + 1) * 0.8 <= made.clock.now - began <= (5 + 10 + 1) * 1.2


async def test_a_kill_in_the_middle_of_a_renewal_does_not_make_the_next_one_a_stop(
    bench: Make,
) -> None:
    before = bench(TOKEN)
    before.session.renewals = [UnavailableError(RULES["token_unavailable"])]
    await killed(before)
    made = bench(TOKEN, reply(body()))
    await ask(made)

    assert made.stops == []
    assert "renew_tokens" in kinds(made)


async def test_a_restart_does_not_bring_a_third_login(bench: Make) -> None:
    rejected = blaze("ERR_INVALID_SESSION")
    before = bench(rejected)
    with pytest.raises(ScriptEndedError):
        await ask(before)
    assert "renew_session" in kinds(before)
    made = bench(rejected, reply(body()))
    began = made.clock.now
    await ask(made)

    assert "renew_session" not in kinds(made)
    assert made.clock.now - began == 600


async def test_a_login_that_gives_a_dead_session_is_not_repeated_at_once(bench: Make) -> None:
    made = bench(blaze("ERR_INVALID_SESSION"), reply(body()))
    made.session.renewals = [UnavailableError(RULES["session_rejected"])]
    began = made.clock.now
    await ask(made)

    assert made.clock.now - began == 600
    assert kinds(made).count("renew_session") == 2


async def test_a_dead_refresh_token_stops_and_a_resume_renews_before_it_asks(bench: Make) -> None:
    made = bench(TOKEN, reply(body()))
    made.session.renewals = [RefusedError(RULES["login_again"])]
    await ask(made)

    assert made.stops == ["login_again"]
    assert kinds(made)[2:] == ["renew_tokens", "stop", "renew_tokens", "renew_session",
                               "request", "journal"]  # fmt: skip


async def test_a_refused_market_gets_one_new_session_an_hour(bench: Make) -> None:
    refused = reply(body(uiErrorCode=2, message="Unable to resume"))
    made = bench(*[refused] * 14, reply(body()))
    began = made.clock.now
    await ask(made)

    assert kinds(made).count("renew_session") == 2
    assert made.clock.now - began == 12 * 300


async def test_a_wrong_product_is_probed_once_an_hour(bench: Make) -> None:
    text = b"<error><errorcode>404</errorcode><errormessage>not found for game X</errormessage>"
    made = bench(*[reply(text, status=404)] * 3, reply(body()))
    began = made.clock.now
    seen: list[Condition] = []
    made.status.on_change(seen.append)
    await ask(made)

    assert made.clock.now - began == 3 * 3600
    assert seen[1].reason.endswith(": X")
