"""One request carried to its end, with a scripted session in place of the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.virtual import Clock
from tests.support.wire import T0, auction, body

from m26.collect.exchange import Exchange
from m26.collect.reaction import Reaction
from m26.collect.sweep import collect, sweep
from m26.home.stops import Stop, clear_stop, read_stop
from m26.limits.book import Book
from m26.limits.halt import Halt, StoppedError
from m26.limits.standing import Standing
from m26.models import BROKEN, SWEEP_END, Account, Page
from m26.status.conditions import Condition, State, Status
from m26.status.telemetry import Telemetry
from m26.upstream.profile import Paging, Profile
from m26.upstream.replies import Reply
from m26.upstream.rules import RULES
from m26.upstream.verdicts import (
    BrokenTransferError,
    RefusedError,
    UnavailableError,
    Verdict,
)

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
    renewals: list[Exception] = field(default_factory=list)
    """How the next renewals fail."""

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
        self._fail()
        self.ticket_id += "+"

    async def renew_tokens(self) -> None:
        self.notes.append(("renew_tokens",))
        self._fail()

    def _fail(self) -> None:
        if self.renewals:
            raise self.renewals.pop(0)

    async def judged(self, verdict: Verdict) -> None:
        self.notes.append(("judged", verdict.reason))

    def observe_server_time(self, response_time: int, *, fetched_at: int) -> None:
        pass


class Stops(Halt):
    """A halt whose operator resumes at once."""

    def __init__(self, home: Path, status: Status, notes: list[Any]) -> None:
        super().__init__(home, status, ends=False)
        self._home, self.notes, self.stops = home, notes, []

    async def stop(self, account: str, verdict: Verdict) -> None:
        await super().stop(account, verdict)
        self.notes.append(("stop",))
        self.stops.append(verdict.reason)

    async def wait(self, account: str) -> None:
        clear_stop(self._home)
        await super().wait(account)


@dataclass
class Bench:
    exchange: Exchange
    session: Scripted
    journal: list[Page]
    clock: Clock
    status: Status
    stops: list[str]
    slowed: list[float]
    standing: Standing


Make = Callable[..., Bench]


@pytest.fixture
def bench(tmp_path: Path) -> Make:
    """One account; made again in the same test, it is the same one after a restart."""
    clock = Clock()

    def make(*script: Any) -> Bench:
        journal: list[Page] = []
        slowed: list[float] = []
        session, status = Scripted(list(script)), Status(clock=clock)
        telemetry = Telemetry(status)
        times = clock.clock()
        standing = Standing(Book(tmp_path / "main.json", clock=clock), clock=clock)
        halt = Stops(tmp_path, status, session.notes)

        async def keep(page: Page) -> None:
            session.notes.append(("journal", page.status))
            journal.append(page)

        async def room() -> None:
            session.notes.append(("room",))

        reaction = Reaction(
            account="main",
            session=session,
            standing=standing,
            halt=halt,
            slow_down=slowed.append,
            telemetry=telemetry,
            clock=times,
        )
        exchange = Exchange(
            account=Account("main", "ps5"),
            session=session,
            commands=COMMANDS,
            journal=keep,
            may_ask=room,
            reaction=reaction,
            telemetry=telemetry,
            clock=times,
        )
        return Bench(exchange, session, journal, clock, status, halt.stops, slowed, standing)

    return make


async def ask(made: Bench) -> Any:
    return await made.exchange.ask("search", "{}", query="{}")


def kinds(made: Bench) -> list[str]:
    return [note[0] for note in made.session.notes if note[0] not in ("room", "judged")]


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


async def test_retry_after_is_obeyed_and_the_rate_halved(bench: Make) -> None:
    made = bench(reply(b"{}", status=429, retry_after=30.0), reply(body()))
    began = made.clock.now
    await ask(made)

    assert made.clock.now - began >= 30
    assert made.slowed == [3600]


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


async def test_a_stop_that_comes_while_waiting_for_a_slot_is_waited_out(bench: Make) -> None:
    held = Stop(reason="captcha", message="", advice="", since=0.0, account="other")
    made = bench(StoppedError(held), reply(body()))
    await ask(made)

    assert made.stops == []
    assert kinds(made) == ["request", "request", "journal"]


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


async def test_a_wrong_clock_is_told_once_and_taken_back(bench: Make) -> None:
    late = [reply(body(auction(1), at=T0 + 40))] * 2
    made = bench(*late, reply(body(auction(1), at=T0 + 1)))
    seen: list[str] = []
    made.status.on_change(lambda c: seen.append(c.reason))
    for _ in range(3):
        await ask(made)

    assert [why for why in seen if why.startswith("clock_skew")] == [
        "clock_skew: our clock is over 30 s behind the server's"
    ]
    assert seen[-1] == ""
    assert made.exchange.telemetry.metrics.value("m26_clock_skew_seconds") == 1


async def test_an_error_nobody_foresaw_is_not_swallowed(bench: Make) -> None:
    with pytest.raises(ZeroDivisionError):
        await ask(bench(ZeroDivisionError()))


PAGING = Paging(mode="url", count=100)


async def test_a_sweep_ends_at_an_empty_page_and_is_complete(bench: Make) -> None:
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


async def test_a_repeated_page_ends_a_sweep_that_is_not_complete(bench: Make) -> None:
    made = bench(reply(body(auction(1))), reply(body(auction(1), at=T0 + 9)))
    facts = await sweep(made.exchange, PAGING)

    assert (facts.complete, facts.why) == (False, "page repeated: paging is ignored")


async def test_a_truncated_page_or_a_pause_makes_a_sweep_incomplete(bench: Make) -> None:
    cut = body(auction(1)).replace(b'"truncated":false', b'"truncated":true')
    made = bench(reply(cut), reply(body()))
    assert not (await sweep(made.exchange, PAGING)).complete

    made = bench(reply(body(auction(1))), blaze("DUPLICATE_LOGIN"), reply(body()))
    facts = await sweep(made.exchange, PAGING)
    assert (facts.complete, facts.why) == (False, "empty page, after a pause")


async def test_without_paging_one_page_is_a_sweep(bench: Make) -> None:
    made = bench(reply(body(auction(1))))
    facts = await sweep(made.exchange, Paging(mode="none"))

    assert (facts.complete, facts.pages_asked) == (True, 1)
    assert made.session.notes[1] == ("request", {})


async def test_three_empty_sweeps_in_a_row_are_told_until_one_is_not(bench: Make) -> None:
    made = bench(*[reply(body())] * 5)
    seen: list[str] = []
    made.status.on_change(lambda c: seen.append(c.reason))
    with pytest.raises(ScriptEndedError):
        await collect(made.exchange, PAGING)
    assert [why.partition(":")[0] for why in seen] == ["starting", "", "market_empty"]

    made.session.script = [reply(body(auction(1))), reply(body())]
    with pytest.raises(ScriptEndedError):
        await collect(made.exchange, PAGING)
    assert made.status.current.reason == ""
