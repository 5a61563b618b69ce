"""One request carried to its end, with a scripted session in place of the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.virtual import Clock
from tests.wire import T0, auction, body

from m26.collect.exchange import Exchange
from m26.collect.sweep import collect, sweep
from m26.metrics import Metrics
from m26.models import BROKEN, SWEEP_END, Page
from m26.status import State, Status
from m26.upstream.profile import Paging, Profile
from m26.upstream.replies import Reply
from m26.upstream.rules import RULES
from m26.upstream.verdicts import BrokenTransferError, RefusedError, Verdict

pytestmark = pytest.mark.anyio
COMMANDS = Profile.load("sim").commands


class ScriptEndedError(Exception):
    """The script has ended."""


def reply(content: bytes, *, status: int = 200, retry_after: float | None = None) -> Reply:
    return Reply(
        status=status,
        content_type="application/json",
        body=content,
        fetched_at=T0 * 1_000_000,
        seconds=0.1,
        retry_after=retry_after,
    )


def blaze(name: str) -> Reply:
    return reply(b'{"error":{"component":1,"errorcode":1,"errorname":"%s"}}' % name.encode())


@dataclass
class Scripted:
    """A session that answers by a script and notes what is asked of it."""

    script: list[Any]
    notes: list[Any] = field(default_factory=list)
    ticket_id: str = "t0"

    async def request(
        self, command: str, payload: str, *, params: Mapping[str, str] | None = None
    ) -> Reply:
        self.notes.append(("request", dict(params or {})))
        if not self.script:
            raise ScriptEndedError
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    async def renew_session(self, *, dead: str) -> None:
        self.notes.append(("renew_session", dead))
        self.ticket_id += "+"

    async def renew_tokens(self) -> None:
        self.notes.append(("renew_tokens",))

    async def judged(self, verdict: Verdict) -> None:
        self.notes.append(("judged", verdict.reason))

    def observe_server_time(self, response_time: int, *, fetched_at: int) -> None:
        pass


@dataclass
class Bench:
    exchange: Exchange
    session: Scripted
    journal: list[Page]
    clock: Clock
    status: Status
    stops: list[str]
    slowed: list[float]


def bench(*script: Any) -> Bench:
    clock, journal, stops, slowed = Clock(), [], [], []
    session, status = Scripted(list(script)), Status(clock=clock)

    async def keep(page: Page) -> None:
        session.notes.append(("journal", page.status))
        journal.append(page)

    async def room() -> None:
        session.notes.append(("room",))

    async def stop(_account: str, verdict: Verdict) -> None:
        stops.append(verdict.reason)
        session.notes.append(("stop",))

    exchange = Exchange(
        account="main",
        platform="ps5",
        commands=COMMANDS,
        session=session,
        journal=keep,
        may_ask=room,
        stop=stop,
        slow_down=slowed.append,
        status=status,
        metrics=Metrics(),
        sleep=clock.sleep,
        clock=clock,
    )
    return Bench(exchange, session, journal, clock, status, stops, slowed)


async def ask(made: Bench) -> Any:
    return await made.exchange.ask("search", "{}", query="{}")


def kinds(made: Bench) -> list[str]:
    return [note[0] for note in made.session.notes if note[0] not in ("room", "judged")]


async def test_a_reply_is_journaled_before_it_is_judged_and_before_the_next_request() -> None:
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


async def test_transient_errors_are_retried_with_growing_waits_then_paused() -> None:
    made = bench(*[blaze("ERR_TIMEOUT")] * 5, reply(body()))
    began = made.clock.now
    await ask(made)

    waited = made.clock.now - began
    assert 15 * 0.8 + 60 <= waited <= 15 * 1.2 + 60


async def test_a_rejected_session_is_renewed_once_and_the_command_repeated() -> None:
    made = bench(blaze("ERR_INVALID_SESSION"), reply(body()))
    await ask(made)

    assert kinds(made) == ["request", "journal", "renew_session", "request", "journal"]
    assert ("renew_session", "t0") in made.session.notes


async def test_a_session_rejected_again_at_once_is_a_pause_and_no_second_login() -> None:
    made = bench(blaze("ERR_INVALID_SESSION"), blaze("ERR_INVALID_SESSION"), reply(body()))
    began = made.clock.now
    answer = await ask(made)

    assert kinds(made).count("renew_session") == 1
    assert made.clock.now - began == 600
    assert answer.troubled


async def test_a_dead_token_is_refreshed_then_a_session_made() -> None:
    made = bench(blaze("AUTH_ERR_EXPIRED_TOKEN"), reply(body()))
    await ask(made)

    assert kinds(made)[2:4] == ["renew_tokens", "renew_session"]


async def test_a_captcha_stops_and_nothing_is_asked_until_the_stop_returns() -> None:
    made = bench(reply(body(captchaUrl="https://captcha.invalid/x")), reply(body()))
    await ask(made)

    assert made.stops == ["captcha"]
    assert kinds(made) == ["request", "journal", "stop", "request", "journal"]


@pytest.mark.parametrize("empty", ["", 0, None])
async def test_an_empty_captcha_field_is_none(empty: object) -> None:
    made = bench(reply(body(auction(1), captchaUrl=empty)))
    await ask(made)

    assert made.stops == []


async def test_an_error_dressed_as_an_empty_market_is_no_answer() -> None:
    refused = reply(body(uiErrorCode=2, message="Unable to resume"))
    made = bench(refused, reply(body(auction(1))))
    answer = await ask(made)

    assert answer.peek.count == 1
    assert "renew_session" in kinds(made)


async def test_retry_after_is_obeyed_and_the_rate_halved() -> None:
    made = bench(reply(b"{}", status=429, retry_after=30.0), reply(body()))
    began = made.clock.now
    await ask(made)

    assert made.clock.now - began >= 30
    assert made.slowed == [3600]


async def test_a_broken_transfer_is_retried_and_leaves_nothing_in_the_journal() -> None:
    made = bench(BrokenTransferError("cut", reason="cut"), reply(body()))
    await ask(made)

    assert len(made.journal) == 1


async def test_the_beginning_of_a_reply_that_was_too_large_is_kept_for_a_look() -> None:
    error = BrokenTransferError("too large", reason="too_large", part=b"{aaaa")
    made = bench(error, reply(body()))
    await ask(made)

    assert (made.journal[0].command, made.journal[0].body) == (BROKEN, b"{aaaa")
    assert not made.journal[0].is_reply


async def test_a_refusal_by_login_is_acted_upon_like_one_by_a_command() -> None:
    made = bench(RefusedError(RULES["banned"]), reply(body()))
    await ask(made)

    assert made.stops == ["banned"]


async def test_the_state_tells_reason_advice_and_until() -> None:
    made = bench(reply(b"<html>no</html>", status=403), reply(body()))
    seen = []
    made.status.on_change(seen.append)
    await ask(made)

    paused = next(c for c in seen if c.state is State.PAUSED)
    assert paused.reason.startswith("edge_blocked")
    assert paused.advice
    assert paused.until == pytest.approx(paused.since + 900)
    assert made.status.current.state is State.COLLECTING


PAGING = Paging(mode="url", count=100)


async def test_a_sweep_ends_at_an_empty_page_and_is_complete() -> None:
    made = bench(reply(body(auction(1), auction(2))), reply(body(auction(3))), reply(body()))
    facts = await sweep(made.exchange, PAGING)

    assert (facts.complete, facts.why, facts.pages_asked, facts.auctions) == (
        True,
        "empty page",
        3,
        3,
    )
    offsets = [n[1]["offset"] for n in made.session.notes if n[0] == "request"]
    assert offsets == ["0", "2", "3"]
    assert made.journal[-1].command == SWEEP_END
    assert {page.sweep for page in made.journal} == {facts.started_at}


async def test_a_repeated_page_ends_a_sweep_that_is_not_complete() -> None:
    made = bench(reply(body(auction(1))), reply(body(auction(1), at=T0 + 9)))
    facts = await sweep(made.exchange, PAGING)

    assert (facts.complete, facts.why) == (False, "page repeated: paging is ignored")


async def test_a_truncated_page_or_a_pause_makes_a_sweep_incomplete() -> None:
    cut = body(auction(1)).replace(b'"truncated":false', b'"truncated":true')
    made = bench(reply(cut), reply(body()))
    assert not (await sweep(made.exchange, PAGING)).complete

    made = bench(reply(body(auction(1))), blaze("DUPLICATE_LOGIN"), reply(body()))
    facts = await sweep(made.exchange, PAGING)
    assert (facts.complete, facts.why) == (False, "empty page, after a pause")


async def test_without_paging_one_page_is_a_sweep() -> None:
    made = bench(reply(body(auction(1))))
    facts = await sweep(made.exchange, Paging(mode="none"))

    assert (facts.complete, facts.pages_asked) == (True, 1)
    assert made.session.notes[1] == ("request", {})


async def test_three_empty_sweeps_in_a_row_are_told() -> None:
    made = bench(*[reply(body())] * 3)
    with pytest.raises(ScriptEndedError):
        await collect(made.exchange, PAGING)

    assert made.status.current.reason.startswith("market_empty")
