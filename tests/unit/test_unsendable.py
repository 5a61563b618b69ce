"""What an upstream or a capture gives and no request can carry: never kept, never the end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx
import orjson
import pytest
from tests.support.captures import capture, entry, login_entry, process_entry, token_entry
from tests.support.gateway import (
    NOW,
    PAYLOAD,
    Upstream,
    credentials,
    desk,
    login_answer,
    ticket,
    token_answer,
    tokens,
)

from m26.auth.credentials import Credentials, dump
from m26.auth.intake import import_capture, read_credentials
from m26.auth.vault import Vault
from m26.upstream.answers import LoginAnswer, TokenAnswer, read_login, read_tokens
from m26.upstream.profile import Profile
from m26.upstream.replies import Reply, classify_transport
from m26.upstream.secret import Secret
from m26.upstream.verdicts import Action, BrokenTransferError, UnavailableError, Verdict

pytestmark = pytest.mark.anyio
ODD = {
    "too long": "CANARY" * 20_000,
    "a line's end": "CANARY\r\nX-Evil: 1",
    "not ASCII": "CANARY\u00e9",
    "a zero": "CANARY\0",
    "an escape": "CANARY\x1b[2J",
}
odd = pytest.mark.parametrize("value", ODD.values(), ids=ODD)


def reply(document: object) -> Reply:
    body = orjson.dumps(document)
    return Reply(status=200, content_type="", body=body, fetched_at=0, seconds=0.1)


@odd
async def test_a_session_key_that_cannot_be_sent_is_a_failed_login_and_is_not_kept(
    tmp_path: Path, value: str
) -> None:
    upstream = Upstream(login=[login_answer(sessionKey=value)])
    at = desk(tmp_path, credentials(ticket=None), upstream=upstream)
    outcome, said = "", ""
    try:
        await at.session.request("search", PAYLOAD)
    except UnavailableError as error:
        outcome, said = error.verdict.reason, error.message
    except (httpx.InvalidURL, UnicodeError) as error:
        outcome = f"the end, by {type(error).__name__}"
    assert outcome == "login_unreadable"
    assert "printable ASCII" in said
    assert "CANARY" not in said
    assert Vault.open(tmp_path).read("main").ticket is None
    upstream.login = [login_answer()]
    await at.session.request("search", PAYLOAD)


@odd
@pytest.mark.parametrize("member", ["access_token", "refresh_token"])
async def test_tokens_that_cannot_be_sent_leave_the_old_pair(
    tmp_path: Path, value: str, member: str
) -> None:
    upstream = Upstream(token=[token_answer(**{member: value})])
    at = desk(tmp_path, credentials(), upstream=upstream)
    outcome = ""
    try:
        await at.session.renew_tokens()
    except UnavailableError as error:
        outcome = error.verdict.reason
    assert outcome == "token_unavailable"
    assert Vault.open(tmp_path).read("main").tokens == tokens()


def test_the_largest_that_is_taken() -> None:
    for size, kept in ((4_096, True), (4_097, False)):
        answer = read_login(reply({"userLoginInfo": {"sessionKey": "k" * size}}))
        assert isinstance(answer, LoginAnswer) is kept
    for size, kept in ((16_384, True), (16_385, False)):
        answer = read_tokens(reply({"access_token": "t" * size}))
        assert isinstance(answer, TokenAnswer) is kept


def test_a_token_s_life_is_believed_for_a_month_at_the_most() -> None:
    answer = read_tokens(reply({"access_token": "CANARY", "expires_in": 1e300}))
    assert isinstance(answer, TokenAnswer)
    assert answer.expires_in == 30 * 86_400


@odd
def test_a_capture_s_odd_values_are_not_taken(tmp_path: Path, value: str) -> None:
    signed = orjson.loads(process_entry()["request"]["postData"]["text"])
    info = orjson.loads(signed["requestInfo"])
    for where, name in ((info, "deviceId"), (info["messageAuthData"], "authCode")):
        where[name] = value
    body = orjson.dumps(signed | {"requestInfo": orjson.dumps(info).decode()})
    access = orjson.dumps({"accessToken": value, "productName": "madden-2026-ps5-mca"})
    entries = (
        login_entry(key=value),
        token_entry() | {"response": {"status": 200, "content": {"text": "{}"}}},
        entry("/wal/mca/Process/CANARY-KEY", body, {}, second=2),
        entry("/wal/authentication/login", access, {"userLoginInfo": {"sessionKey": "K"}}),
    )
    found = read_credentials(capture(tmp_path / "x.har", *entries))
    assert (found.tokens, found.device_id, found.bundles) == (None, None, ())
    assert found.ticket is None or found.ticket.session_key.reveal() in ("CANARY-KEY", "K")


def test_half_of_a_surrogate_pair_in_a_capture_is_no_bug(tmp_path: Path) -> None:
    info = '{"deviceId":"\\ud800","messageAuthData":{"authCode":"a","authData":"b","authType":1}}'
    body = orjson.dumps({"requestInfo": info})
    path = capture(tmp_path / "x.har", token_entry(), entry("/wal/mca/Process/K", body, {}))
    outcome: object
    try:
        outcome = import_capture(Vault.open(tmp_path), path, platform="ps5").found.bundles
    except UnicodeError as error:
        outcome = error
    assert outcome == ()


@odd
def test_what_a_vault_holds_already_is_dropped_and_not_the_end(tmp_path: Path, value: str) -> None:
    held = credentials(
        ticket=replace(ticket(), session_key=Secret(value)),
        tokens=replace(tokens(), refresh=Secret(value)),
        device_id=Secret(value),
    )
    after = Credentials.from_json(orjson.loads(dump(held)))
    assert (after.ticket, after.device_id) == (None, None)
    assert after.tokens is not None
    assert (after.tokens.access, after.tokens.refresh) == (tokens().access, None)


@odd
async def test_a_run_goes_on_whose_vault_holds_such_a_key(tmp_path: Path, value: str) -> None:
    at = desk(tmp_path, credentials(ticket=replace(ticket(), session_key=Secret(value))))
    outcome = "ok"
    try:
        await at.session.request("search", PAYLOAD)
    except (httpx.InvalidURL, UnicodeError) as error:
        outcome = f"the end, by {type(error).__name__}"
    assert outcome == "ok"
    assert at.upstream.calls() == ["login", "process"]
    assert at.now == [NOW]


async def test_a_request_that_cannot_be_built_is_a_verdict(tmp_path: Path) -> None:
    sim = Profile.load("sim")
    at = desk(tmp_path, profile=replace(sim, wal=replace(sim.wal, user_agent="na\u00efve")))
    outcome: Verdict | str
    try:
        await at.session.request("search", PAYLOAD)
    except BrokenTransferError as error:
        outcome = classify_transport(error)
    except UnicodeError as error:
        outcome = f"the end, by {type(error).__name__}"
    assert isinstance(outcome, Verdict), outcome
    assert (outcome.reason, outcome.action) == ("unsendable", Action.PAUSE)
    assert at.upstream.calls() == []
