from __future__ import annotations

import pytest

from m26.upstream.answers import LoginAnswer, TokenAnswer, facts, read_login, read_tokens
from m26.upstream.replies import Reply
from m26.upstream.rules import verdict
from m26.upstream.verdicts import Verdict

WRONG_GAME = "The Server Information was not found for game madden-2026-ps5-gen5 resolved as x"


def reply(status: int = 200, body: bytes = b"") -> Reply:
    return Reply(status=status, content_type="", body=body, fetched_at=0, seconds=0.1)


def test_tokens_are_read_only_when_both_are_there() -> None:
    pair = b'{"access_token":"CANARY-A","refresh_token":"CANARY-R","expires_in":"3600"}'
    answer = read_tokens(reply(body=pair))
    assert isinstance(answer, TokenAnswer)
    assert answer.access_token.reveal() == "CANARY-A"
    assert answer.refresh_token.reveal() == "CANARY-R"
    assert answer.expires_in == 3_600
    for partial in (b'{"access_token":"CANARY-A"}', b'{"refresh_token":"x"}', b"{}", b"", b"[1]"):
        assert read_tokens(reply(body=partial)) == verdict("token_unavailable", "HTTP 200")


@pytest.mark.parametrize("life", [b"0", b"-5", b"true", b'"soon"', b"null", b"[]"])
def test_a_token_life_that_is_no_number_is_four_hours(life: bytes) -> None:
    body = b'{"access_token":"CANARY-A","refresh_token":"CANARY-R","expires_in":' + life + b"}"
    answer = read_tokens(reply(body=body))
    assert isinstance(answer, TokenAnswer)
    assert answer.expires_in == 14_400


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (400, b'{"error":"invalid_grant","error_description":"dead"}', "login_again"),
        (200, b'{"error":"invalid_grant"}', "login_again"),
        (400, b'{"error":"invalid_client"}', "client_rejected"),
        (401, b"", "client_rejected"),
        (500, b"{}", "token_unavailable"),
        (503, b"<html>", "token_unavailable"),
        (503, b'{"error":"temporarily_unavailable"}', "token_unavailable"),
        (429, b"", "rate_limited"),
        (403, b"<html>", "edge_blocked"),
    ],
)
def test_token_failures_are_told_apart(status: int, body: bytes, reason: str) -> None:
    answer = read_tokens(reply(status, body))
    assert isinstance(answer, Verdict)
    assert answer.reason == reason
    assert not answer.quarantine


def test_a_login_gives_a_session_and_its_persona() -> None:
    body = b'{"userLoginInfo":{"sessionKey":"CANARY/KEY","blazeId":"1000000777"}}'
    answer = read_login(reply(body=body))
    assert isinstance(answer, LoginAnswer)
    assert answer.blaze_id == 1_000_000_777
    assert answer.session_key.reveal() == "CANARY/KEY"
    assert "CANARY" not in repr(answer)


def test_a_login_with_raw_control_bytes_in_a_name_is_read() -> None:
    body = b'\xef\xbb\xbf{"userLoginInfo":{"sessionKey":"CANARY-K","displayName":"a\x01b"}}'
    answer = read_login(reply(body=body))
    assert isinstance(answer, LoginAnswer)
    assert answer.blaze_id is None


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, b'{"error":{"errorcode":1073807360,"errorname":"ERR_SYSTEM"}}', "login_limited"),
        (200, b'{"error":{"errorname":"AUTH_ERR_EXPIRED_TOKEN"}}', "token_expired"),
        (200, b'{"error":{"errorname":"AUTH_ERR_BANNED","errordf":{}}}', "banned"),
        (200, b'{"error":{"errorname":"AUTH_ERR_DUPLICATE_LOGIN"}}', "duplicate_login"),
        (200, b'{"isAnonymous":true}', "login_unreadable"),
        (200, b'{"userLoginInfo":{"sessionKey":""}}', "login_unreadable"),
        (200, b'{"success":false}', "login_unreadable"),
        (401, b"", "token_rejected"),
        (
            404,
            f"<error><errormessage>{WRONG_GAME}</errormessage></error>".encode(),
            "wrong_product",
        ),
        (403, b"<!DOCTYPE html>", "edge_blocked"),
        (200, b'{"userLoginInfo":{"sessionKey":"CANARY-K"', "malformed"),
    ],
)
def test_login_failures_are_told_apart_and_never_kept(
    status: int, body: bytes, reason: str
) -> None:
    answer = read_login(reply(status, body))
    assert isinstance(answer, Verdict)
    assert answer.reason == reason
    assert not answer.quarantine


@pytest.mark.parametrize(
    "odd",
    [
        r'"\ud800"',
        r'"\u0000\udc00\ud800"',
        "1e400",
        "-0.1e-999",
        "18446744073709551616",
        "9" * 5_000,
        "[" * 500 + "]" * 500,
        '{"a":1,"a":2}',
    ],
    ids=lambda odd: odd[:12],
)
def test_an_odd_value_of_a_member_that_nobody_reads_costs_no_session_and_no_token(odd: str) -> None:
    session = f'"userLoginInfo":{{"x":{odd},"sessionKey":"CANARY/KEY","blazeId":7}}'
    login = read_login(reply(body=f'{{"x":{odd},{session},"y":"a\tb"}}'.encode()))
    assert isinstance(login, LoginAnswer)
    assert (login.session_key.reveal(), login.blaze_id) == ("CANARY/KEY", 7)
    pair = '"access_token":"CANARY-A","refresh_token":"CANARY-R","expires_in"'
    tokens = read_tokens(reply(body=f'{{"x":{odd},{pair}:{odd}}}'.encode()))
    assert isinstance(tokens, TokenAnswer)
    assert tokens.expires_in > 0
    assert tokens.expires_in < 2**65
    error = f'{{"x":{odd},"error":{{"errorname":"ERR_TIMEOUT","errortdf":{odd}}}}}'
    assert facts(error.encode()).error_name == "ERR_TIMEOUT"


@pytest.mark.parametrize("key", [r'"\ud800"', "1e400", "7", "null"])
def test_a_session_key_that_is_none_is_no_session(key: str) -> None:
    answer = read_login(reply(body=f'{{"userLoginInfo":{{"sessionKey":{key}}}}}'.encode()))
    assert answer == verdict("login_unreadable")
    pair = f'{{"access_token":{key},"refresh_token":"CANARY-R"}}'
    assert read_tokens(reply(body=pair.encode())) == verdict("token_unavailable", "HTTP 200")


def test_an_id_may_have_all_of_64_bits() -> None:
    for spelled in ("18446744073709551615", '"18446744073709551615"'):
        body = f'{{"userLoginInfo":{{"sessionKey":"CANARY/KEY","blazeId":{spelled}}}}}'
        answer = read_login(reply(body=body.encode()))
        assert isinstance(answer, LoginAnswer)
        assert answer.blaze_id == 2**64 - 1


def test_both_spellings_of_the_error_text_are_read() -> None:
    for name in (b"errortdf", b"errordf"):
        body = b'{"error":{"errorname":"ERR_X","' + name + b'":{"errorString":"why"}}}'
        assert facts(body).error_text == "why"


def test_a_large_xml_reply_is_looked_at_in_its_beginning_alone() -> None:
    large = b"<error><errorcode>503</errorcode>" + b"<errormessage>" * 1_000_000  # searched: hours
    seen = facts(large)
    assert (seen.kind, seen.error_code, seen.error_text) == ("xml", 503, None)
