"""One request carried to its end, with a scripted session in place of the network."""

from __future__ import annotations

import pytest
from tests.support.scripted import Bench, Make, ask, blaze, kinds, reply
from tests.support.wire import T0, auction, body

from m26.home.stops import Stop
from m26.limits.halt import StoppedError
from m26.models import BROKEN
from m26.upstream.rules import RULES
from m26.upstream.verdicts import BrokenTransferError, RefusedError

pytestmark = pytest.mark.anyio


async def test_a_reply_is_journaled_before_it_is_judged_and_before_the_next_request(
    bench: Make,
) -> None:
    made = bench(blaze("ERR_TIMEOUT"), reply(body(auction(1))))
    answer = await ask(made)

    assert made.session.notes == [
        ("room",),
        ("request", {}),
        ("journal", 200),
        ("judged", "transient"),
        ("room",),
        ("request", {}),
        ("journal", 200),
        ("judged", "ok"),
    ]
    assert (answer.peek.count, answer.page.command) == (1, "Mobile_SearchAuctions")


@pytest.mark.parametrize("empty", ["", 0, None])
async def test_an_empty_captcha_field_is_none(bench: Make, empty: object) -> None:
    made = bench(reply(body(auction(1), captchaUrl=empty)))
    await ask(made)

    assert made.stops == []


async def test_an_error_dressed_as_an_empty_market_is_no_answer(bench: Make) -> None:
    refused = reply(body(uiErrorCode=2, message="Unable to resume"))
    made = bench(refused, reply(body(auction(1))))
    answer = await ask(made)

    assert answer.peek.count == 1
    assert "renew_session" in kinds(made)


async def test_a_broken_transfer_is_retried_and_leaves_nothing_in_the_journal(bench: Make) -> None:
    made = bench(BrokenTransferError("cut", reason="cut"), reply(body()))
    await ask(made)

    assert len(made.journal) == 1


async def test_the_beginning_of_a_reply_that_was_too_large_is_kept_for_a_look(bench: Make) -> None:
    error = BrokenTransferError("too large", reason="too_large", part=b"{aaaa")
    made = bench(error, reply(body()))
    await ask(made)

    assert (made.journal[0].command, made.journal[0].body) == (BROKEN, b"{aaaa")
    assert not made.journal[0].is_reply


async def test_a_refusal_by_login_is_acted_upon_like_one_by_a_command(bench: Make) -> None:
    made = bench(RefusedError(RULES["banned"]), reply(body()))
    await ask(made)

    assert made.stops == ["banned"]


async def test_a_stop_that_comes_while_waiting_for_a_slot_is_waited_out(bench: Make) -> None:
    held = Stop(reason="captcha", message="", advice="", since=0.0, account="other")
    made = bench(StoppedError(held), reply(body()))
    await ask(made)

    assert made.stops == []
    assert kinds(made) == ["request", "request", "journal"]


def told(made: Bench) -> list[str]:
    """What is said of clocks from now on, each time that it changes."""
    seen: list[str] = []
    made.status.on_change(lambda c: seen.append(c.reason))
    return seen


async def test_a_wrong_clock_of_ours_is_told_once_and_taken_back(bench: Make) -> None:
    at = [40, 40, 40, 1, 1, 1]
    made = bench(*(reply(body(auction(1), at=T0 + n), date=T0 + n) for n in at))
    seen = told(made)
    for _ in at:
        await ask(made)

    skew = "clock_skew: our clock is over 30 s behind the server's"
    assert [why for why in seen if why.startswith("clock")] == [
        skew,
        "clock_odd: a reply's responseTime is none, or far from what others say",
    ]
    assert seen[-1] == ""
    assert made.exchange.telemetry.metrics.value("m26_clock_skew_seconds") == 1
    times = [(page.served_at - T0 * 1_000_000) / 1e6 for page in made.journal]
    assert times == [40, 40, 40, 40, 40, 1]  # one jump is theirs, and so are two


@pytest.mark.parametrize("wrong", [-3_600, 3_600, 290, -T0])
async def test_one_odd_time_of_theirs_is_told_as_theirs(bench: Make, wrong: int) -> None:
    made = bench(*(reply(body(auction(1), at=T0 + n), date=T0) for n in (0, wrong, 0)))
    seen = told(made)
    for _ in range(3):
        await ask(made)

    odd = [why for why in seen if why.startswith("clock")]
    assert odd == ["clock_odd: a reply's responseTime is none, or far from what others say"]
    assert seen[-1] == ""
    assert made.exchange.telemetry.metrics.value("m26_clock_skew_seconds") == 0
    assert {page.observed_at for page in made.journal} == {T0 * 1_000_000}


async def test_one_odd_time_of_theirs_is_no_old_market(bench: Make) -> None:
    made = bench(*(reply(body(auction(1), at=T0 + n), date=T0) for n in (0, 86_400 * 365)))
    await ask(made)
    await ask(made)

    assert made.stops == []


async def test_an_error_nobody_foresaw_is_not_swallowed(bench: Make) -> None:
    with pytest.raises(ZeroDivisionError):
        await ask(bench(ZeroDivisionError()))
