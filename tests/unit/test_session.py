from __future__ import annotations

import base64
import hashlib
import time
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import anyio
import httpx
import orjson
import pytest
from tests.support import wire
from tests.support.gateway import (
    NOW,
    PAYLOAD,
    Desk,
    Upstream,
    blaze_error,
    credentials,
    desk,
    form,
    info,
    login_answer,
    ticket,
    token_answer,
    tokens,
)

from m26.auth.entry import Entry
from m26.auth.vault import Vault
from m26.errors import AuthError, ConfigError, M26Error, TransportError
from m26.servertime import Told
from m26.upstream.profile import Profile
from m26.upstream.rules import verdict
from m26.upstream.verdicts import RefusedError, UnavailableError

pytestmark = pytest.mark.anyio
SIM = Profile.load("sim")


def request_id(request: httpx.Request) -> int:
    data = base64.b64decode(info(request)["messageAuthData"]["authData"])
    stream = hashlib.md5(data[:4] + bytes.fromhex(SIM.signing.key)).digest() * 20
    opened = orjson.loads(bytes(a ^ b for a, b in zip(data[4:], stream, strict=False)))
    assert opened["blazeId"] == 1_000_000_777
    return int(opened["requestId"])


async def test_a_request_uses_the_vaults_ticket_and_one_slot(tmp_path: Path) -> None:
    at = desk(tmp_path)
    reply = await at.session.request("search", PAYLOAD, params={"offset": "0", "count": "99"})
    assert reply.status == 200
    assert (at.spent, at.upstream.calls()) == (["Mobile_SearchAuctions"], ["process"])
    sent = at.upstream.asked[0][1]
    path = "/wal/mca/Process/CANARY%2FSESSION%2B1%3D%24%2A?offset=0&count=99"
    assert sent.url.raw_path.decode() == path
    assert info(sent)["requestPayload"] == PAYLOAD
    assert info(sent)["deviceId"] == "CANARY-DEVICE"
    assert info(sent)["messageExpirationTime"] == int(NOW) + 300
    assert at.session.ticket_id == ticket().id


async def test_without_a_ticket_it_logs_in_and_the_ticket_is_kept(tmp_path: Path) -> None:
    at = desk(tmp_path, credentials(ticket=None))
    await at.session.request("search", PAYLOAD)
    assert at.spent == ["login", "Mobile_SearchAuctions"]
    assert at.upstream.calls() == ["login", "process"]
    assert Vault.open(tmp_path).read("main").ticket == ticket(2)


async def test_an_ended_access_token_is_renewed_before_the_login(tmp_path: Path) -> None:
    at = desk(tmp_path, credentials(ticket=None, tokens=tokens(left=30)))
    await at.session.request("search", PAYLOAD)
    assert at.spent == ["token", "login", "Mobile_SearchAuctions"]
    login = at.upstream.asked[1][1]
    assert orjson.loads(login.content)["accessToken"] == "CANARY-ACCESS-2"


async def test_the_old_token_serves_until_its_end_when_the_renewal_fails(tmp_path: Path) -> None:
    upstream = Upstream(token=[httpx.Response(503)])
    at = desk(tmp_path, credentials(ticket=None, tokens=tokens(left=30)), upstream=upstream)
    await at.session.request("search", PAYLOAD)
    assert at.upstream.calls() == ["token", "login", "process"]
    at.now[0] += 31
    with pytest.raises(UnavailableError):
        await at.session.renew_session(dead=at.session.ticket_id)


async def test_many_who_find_the_session_dead_cause_one_login(tmp_path: Path) -> None:
    at = desk(tmp_path)
    await at.session.request("search", PAYLOAD)
    dead = at.session.ticket_id
    at.now[0] += 1
    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(lambda: at.session.renew_session(dead=dead))
    assert at.spent.count("login") == 1
    assert at.session.ticket_id == ticket(2).id
    await at.session.renew_session(dead=dead)  # late news of the same death
    assert at.spent.count("login") == 1


async def test_many_who_find_the_token_dead_cause_one_refresh_and_a_login(tmp_path: Path) -> None:
    at = desk(tmp_path)
    await at.session.request("search", PAYLOAD)
    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(at.session.renew_tokens)
    assert at.spent == ["Mobile_SearchAuctions", "token"]
    assert Vault.open(tmp_path).read("main").tokens == tokens(2)
    at.now[0] += 1
    await at.session.request("search", PAYLOAD)
    assert at.spent[2:] == ["login", "Mobile_SearchAuctions"]


async def test_a_failed_renewal_is_shared_by_all_who_waited_for_it(tmp_path: Path) -> None:
    at = desk(tmp_path, upstream=Upstream(token=[httpx.ReadError("cut")]))
    errors: list[M26Error] = []

    async def renew() -> None:
        try:
            await at.session.renew_tokens()
        except M26Error as error:
            errors.append(error)

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(renew)
    assert [type(error).__mro__[1] for error in errors] == [TransportError] * 5
    assert at.upstream.calls() == ["token"]


async def test_a_login_with_a_dead_token_refreshes_once_and_logs_in_again(tmp_path: Path) -> None:
    upstream = Upstream(login=[blaze_error("AUTH_ERR_EXPIRED_TOKEN"), login_answer()])
    at = desk(tmp_path, credentials(ticket=None), upstream=upstream)
    await at.session.request("search", PAYLOAD)
    assert at.spent == ["login", "token", "login", "Mobile_SearchAuctions"]


async def test_a_token_that_is_dead_again_stops(tmp_path: Path) -> None:
    upstream = Upstream(login=[blaze_error("AUTH_ERR_INVALID_TOKEN")])
    at = desk(tmp_path, credentials(ticket=None), upstream=upstream)
    with pytest.raises(RefusedError) as stopped:
        await at.session.request("search", PAYLOAD)
    assert stopped.value.verdict.reason == "token_expired"
    assert at.upstream.calls() == ["login", "token", "login"]


async def test_a_ticket_that_another_process_got_is_taken_over(tmp_path: Path) -> None:
    at = desk(tmp_path)
    await at.session.request("search", PAYLOAD)
    at.vault.change("main", lambda held: replace(held, ticket=ticket(9, at=NOW + 1)))
    await at.session.renew_session(dead=at.session.ticket_id)
    assert at.session.ticket_id == ticket(9).id
    assert "login" not in at.spent


async def test_after_a_clock_that_ran_ahead_a_ticket_of_another_process_is_taken_over(
    tmp_path: Path,
) -> None:
    at = desk(tmp_path, credentials(ticket=ticket(1, at=NOW + 9e8)))
    await at.session.request("search", PAYLOAD)
    at.now[0] += 2
    at.vault.change("main", lambda held: replace(held, ticket=ticket(9, at=NOW + 3)))
    await at.session.renew_session(dead=at.session.ticket_id)
    assert at.session.ticket_id == ticket(9).id
    assert "login" not in at.spent


async def test_a_dead_ticket_in_the_vault_is_not_taken_up_again(tmp_path: Path) -> None:
    at = desk(tmp_path)
    await at.session.request("search", PAYLOAD)
    at.vault.change("main", lambda held: replace(held, ticket=ticket(8, at=NOW - 99)))
    at.now[0] += 1
    await at.session.renew_session(dead=at.session.ticket_id)
    assert at.session.ticket_id == ticket(2).id
    assert at.spent.count("login") == 1


async def test_a_ticket_replaced_while_waiting_for_a_slot_is_not_used(tmp_path: Path) -> None:
    at = desk(tmp_path)
    await at.session.request("search", PAYLOAD)
    dead, session, spend = at.session.ticket_id, at.session, at.session._spend
    at.now[0] += 1

    async def slow(name: str) -> None:
        await spend(name)
        if name == "Mobile_SearchAuctions":
            await session.renew_session(dead=dead)

    session._spend = slow
    await session.request("search", PAYLOAD)
    assert "SESSION%2B2" in at.upstream.asked[-1][1].url.raw_path.decode()


async def test_request_numbers_go_on_over_sessions_and_restarts(tmp_path: Path) -> None:
    first = desk(tmp_path)
    for _ in range(3):
        await first.session.request("search", PAYLOAD)
    await first.session.renew_session(dead=first.session.ticket_id)
    await first.session.request("search", PAYLOAD)
    numbers = [request_id(r) for kind, r in first.upstream.asked if kind == "process"]
    assert numbers == [1, 2, 3, 4]
    second = desk(tmp_path, Vault.open(tmp_path).read("main"))
    await second.session.request("search", PAYLOAD)
    assert request_id(second.upstream.asked[-1][1]) == 257


async def test_a_block_of_numbers_costs_one_write(tmp_path: Path) -> None:
    at = desk(tmp_path)
    await at.session.request("search", PAYLOAD)
    before = (tmp_path / "vault.bin").stat().st_mtime_ns
    for _ in range(255):
        await at.session.request("search", PAYLOAD)
    assert (tmp_path / "vault.bin").stat().st_mtime_ns == before
    await at.session.request("search", PAYLOAD)
    assert (tmp_path / "vault.bin").stat().st_mtime_ns != before


async def test_no_tokens_and_a_dead_session_is_log_in_again(tmp_path: Path) -> None:
    at = desk(tmp_path, credentials(tokens=None))
    await at.session.request("search", PAYLOAD)
    with pytest.raises(RefusedError) as stopped:
        await at.session.renew_session(dead=at.session.ticket_id)
    assert stopped.value.verdict.reason == "no_credentials"
    at.vault.change("main", lambda held: replace(held, tokens=tokens(5)))  # a new import
    await at.session.renew_session(dead=at.session.ticket_id)
    assert at.session.ticket_id == ticket(2).id


async def test_a_rejected_token_is_not_used_again_when_its_renewal_fails(tmp_path: Path) -> None:
    upstream = Upstream(token=[httpx.Response(503), httpx.Response(503), token_answer()])
    at = desk(tmp_path, upstream=upstream)
    await at.session.request("search", PAYLOAD)
    with pytest.raises(UnavailableError):
        await at.session.renew_tokens()
    with pytest.raises(UnavailableError):
        await at.session.request("search", PAYLOAD)
    assert at.upstream.calls() == ["process", "token", "token"]
    await at.session.request("search", PAYLOAD)
    assert at.upstream.calls()[3:] == ["token", "login", "process"]


def stamps(at: Desk) -> list[int]:
    """When each command sent so far was to expire, seconds after `NOW`."""
    sent = [request for kind, request in at.upstream.asked if kind == "process"]
    return [info(request)["messageExpirationTime"] - int(NOW) for request in sent]


def show(at: Desk, response: float, date: float | None, times: int = 1) -> None:
    """Replies whose times are so many seconds off our clock."""
    for _ in range(times):
        told = Told(0 if date is None else micros(NOW + date), micros(NOW + response), 1)
        page = wire.page(b"", fetched_at=micros(NOW))
        at.server.keep(page, told, lambda _: None)


def micros(seconds: float) -> int:
    return int(seconds * 1_000_000)


async def test_the_date_of_the_login_stamps_the_first_request(tmp_path: Path) -> None:
    answer = login_answer()
    answer.headers["date"] = format_datetime(datetime.fromtimestamp(NOW + 3_600, UTC), usegmt=True)
    at = desk(tmp_path, credentials(ticket=None), upstream=Upstream(login=[answer]))
    await at.session.request("search", PAYLOAD)
    assert stamps(at) == [3_900]


@pytest.mark.parametrize("wrong", [-3_600, 3_600, -290, 290, -1_700_000_000])
async def test_one_reply_with_a_wrong_time_stamps_no_request(tmp_path: Path, wrong: int) -> None:
    at = desk(tmp_path)
    show(at, 0, 0)
    show(at, wrong, 0)
    await at.session.request("search", PAYLOAD)
    show(at, wrong, wrong)
    await at.session.request("search", PAYLOAD)
    # an odd Date as well: the message expires late, but never in the past
    assert stamps(at) == [300, 300 + max(0, wrong)]


@pytest.mark.parametrize("skew", [-3_600, 3_600])
async def test_a_difference_that_is_known_stamps_every_request(tmp_path: Path, skew: int) -> None:
    at = desk(tmp_path)
    show(at, skew, skew, 2)
    await at.session.request("search", PAYLOAD)
    show(at, 7, skew)
    await at.session.request("search", PAYLOAD)
    assert stamps(at) == [skew + 300] * 2


async def test_where_sources_disagree_a_request_expires_no_sooner_than_by_our_clock(
    tmp_path: Path,
) -> None:
    at = desk(tmp_path)
    show(at, -3_600, None)  # the first reply of all, and nothing to hold it against
    await at.session.request("search", PAYLOAD)
    show(at, -3_600, -3_600, 3)
    show(at, -3_600, 0)  # what is known, but against its own Date
    await at.session.request("search", PAYLOAD)
    assert stamps(at) == [300, 300]


@pytest.mark.parametrize("reason", ["unexpected_status", "session_rejected", "transient"])
async def test_what_was_believed_of_the_clock_is_left_out_after_a_refusal(
    tmp_path: Path, reason: str
) -> None:
    at = desk(tmp_path)
    show(at, -3_600, -3_600, 2)
    for judged in (reason, reason, "ok", "ok"):
        await at.session.request("search", PAYLOAD)
        await at.session.judged(verdict(judged))
    # believed, left out, believed again (it was not that), and so on
    assert stamps(at) == [-3_300, 300, -3_300, -3_300]


async def test_what_was_refused_once_is_not_tried_again_while_the_other_way_is_accepted(
    tmp_path: Path,
) -> None:
    at = desk(tmp_path)
    show(at, -3_600, -3_600, 2)  # replies by one clock, messages checked by another
    for judged in ("unexpected_status", "ok", "ok"):
        await at.session.request("search", PAYLOAD)
        await at.session.judged(verdict(judged))
        show(at, -3_600, -3_600)
    assert stamps(at) == [-3_300, 300, 300]


async def test_a_refusals_own_date_helps_the_next_request(tmp_path: Path) -> None:
    at = desk(tmp_path)
    show(at, 0, 0)
    await at.session.request("search", PAYLOAD)
    at.server.heard(micros(NOW + 3_600), micros(NOW))
    await at.session.judged(verdict("unexpected_status"))
    await at.session.request("search", PAYLOAD)
    assert stamps(at) == [300, 3_900]


async def test_life_left_is_told(tmp_path: Path) -> None:
    at = desk(tmp_path)
    left = at.session.seconds_left()
    assert left == {
        "session": None,
        "access_token": 14_400,
        "refresh_token": 864_000,
        "bundles": None,
    }
    await at.session.request("search", PAYLOAD)
    at.now[0] += 600
    assert at.session.seconds_left()["session"] == 1_200
    assert at.session.seconds_left()["access_token"] == 13_800


async def test_an_unknown_account_or_command_is_told(tmp_path: Path) -> None:
    at = desk(tmp_path)
    with pytest.raises(ConfigError, match="no command 'buy'"):
        await at.session.request("buy", "{}")
    with pytest.raises(AuthError, match="no account 'other'"):
        Entry(at.vault, "other", clock=time.time)


async def test_every_call_takes_one_slot_before_it_leaves(tmp_path: Path) -> None:
    upstream = Upstream(login=[blaze_error("AUTH_ERR_EXPIRED_TOKEN"), login_answer()])
    at = desk(tmp_path, credentials(ticket=None), upstream=upstream)
    slots: list[int] = []
    upstream.hook = lambda _: slots.append(len(at.spent) - len(upstream.asked))
    await at.session.request("search", PAYLOAD)
    assert slots == [0, 0, 0, 0]
    assert form(upstream.asked[1][1])["refresh_token"] == "CANARY-REFRESH-1"
