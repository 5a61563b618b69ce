from __future__ import annotations

import inspect
from typing import Any

import orjson
import pytest

from m26 import _native, config
from m26.cli.run import run
from m26.errors import TransportError
from m26.upstream.answers import Facts, read_login
from m26.upstream.replies import Reply, classify, classify_transport
from m26.upstream.rules import RULES
from m26.upstream.verdicts import Action, BrokenTransferError, Verdict

NOW = 1_790_000_000


def reply(status: int = 200, body: bytes = b"", *, retry_after: float | None = None) -> Reply:
    return Reply(
        status=status,
        content_type="application/json",
        body=body,
        fetched_at=NOW * 1_000_000,
        seconds=0.1,
        retry_after=retry_after,
    )


def peek(kind: str = "search", **facts: Any) -> Facts:
    return Facts(kind=kind, **facts)


def error(name: str | None, **facts: Any) -> Facts:
    return Facts(kind="error", error_name=name, **facts)


WRONG_GAME = "The Server Information was not found for game madden-2026-ps5-gen5 resolved as x"
ROWS: list[tuple[int, Facts, str, Action]] = [
    (200, peek(count=20, newest_posted=NOW - 60), "ok", Action.OK),
    (200, peek(count=0, ui_error_code=0), "ok", Action.OK),
    (200, error("ERR_TIMEOUT"), "transient", Action.RETRY),
    (200, error("ERR_CANCELED"), "transient", Action.RETRY),
    (200, error("ERR_DB_DISCONNECTED"), "transient", Action.RETRY),
    (200, error("ERR_SYSTEM"), "transient", Action.RETRY),
    (503, error("ERR_SYSTEM"), "transient", Action.RETRY),
    (200, error(None, error_code=1073807360), "transient", Action.RETRY),
    (200, error("ERR_AUTHENTICATION_REQUIRED"), "session_rejected", Action.NEW_SESSION),
    (200, error("err_invalid_session"), "session_rejected", Action.NEW_SESSION),
    (401, error("ERR_DISCONNECTED"), "session_rejected", Action.NEW_SESSION),
    (200, error("AUTH_ERR_EXPIRED_TOKEN"), "token_expired", Action.NEW_TOKEN),
    (200, error("AUTH_ERR_INVALID_TOKEN"), "token_expired", Action.NEW_TOKEN),
    (200, error(None, error_code=917505), "token_expired", Action.NEW_TOKEN),
    (200, error("ERR_DUPLICATE_LOGIN"), "duplicate_login", Action.PAUSE),
    (200, error("AUTH_ERR_DUPLICATE_LOGIN"), "duplicate_login", Action.PAUSE),
    (200, error("AUTH_ERR_BANNED"), "banned", Action.STOP),
    (200, error("PERSONA_BANNED"), "banned", Action.STOP),
    (200, error("AUTH_ERR_DISABLED"), "banned", Action.STOP),
    (200, error("ERR_AUTHORIZATION_REQUIRED"), "signature_rejected", Action.RETRY),
    (200, error("ERR_SOMETHING_NEW"), "unknown_error", Action.PAUSE),
    (200, error(None, error_code=4711), "unknown_error", Action.PAUSE),
    (200, peek(ui_error_code=2, count=0), "ui_error", Action.NEW_SESSION),
    (200, peek(ui_error_code=2, count=3), "ok", Action.OK),
    (200, peek(captcha="captchaGuid=x", count=5), "captcha", Action.STOP),
    (458, peek("empty"), "captcha", Action.STOP),
    (459, peek("json"), "captcha", Action.STOP),
    (429, peek("html"), "rate_limited", Action.PAUSE),
    (426, peek("empty"), "soft_ban", Action.PAUSE),
    (512, peek("json"), "soft_ban", Action.PAUSE),
    (521, peek("html"), "soft_ban", Action.PAUSE),
    (500, peek("empty"), "soft_ban", Action.PAUSE),
    (500, peek("json", error_code=500), "soft_ban", Action.PAUSE),
    (500, error(None, error_code=500, error_text=""), "soft_ban", Action.PAUSE),
    (500, error(None, error_text="database down"), "maintenance", Action.RETRY),
    (500, error("ERR_SOMETHING_NEW"), "unknown_error", Action.PAUSE),
    (401, error("ERR_SOMETHING_NEW"), "unknown_error", Action.PAUSE),
    (500, peek("html"), "maintenance", Action.RETRY),
    (480, peek("empty"), "locked", Action.STOP),
    (481, peek("empty"), "locked", Action.STOP),
    (494, peek("json"), "locked", Action.STOP),
    (502, peek("html"), "maintenance", Action.RETRY),
    (503, peek("html"), "maintenance", Action.RETRY),
    (504, peek("empty"), "maintenance", Action.RETRY),
    (401, peek("html"), "token_rejected", Action.NEW_TOKEN),
    (403, peek("html"), "edge_blocked", Action.PAUSE),
    (403, peek("json"), "unexpected_status", Action.PAUSE),
    (404, peek("xml", error_code=404, error_text=WRONG_GAME), "wrong_product", Action.PAUSE),
    (200, peek("xml", error_code=404, error_text=WRONG_GAME), "wrong_product", Action.PAUSE),
    (404, peek("html"), "unexpected_status", Action.PAUSE),
    (200, peek("xml", error_code=503), "maintenance", Action.RETRY),
    (200, peek("xml"), "unexpected_xml", Action.PAUSE),
    (200, peek("html"), "unexpected_html", Action.PAUSE),
    (302, peek("html"), "unexpected_status", Action.PAUSE),
    (200, peek("empty"), "empty_reply", Action.RETRY),
    (200, peek("malformed"), "malformed", Action.PAUSE),
    (200, peek("json"), "unknown_shape", Action.PAUSE),
    (200, peek("json", success=False), "not_success", Action.PAUSE),
    (200, error(None, success=False), "not_success", Action.PAUSE),
    (200, peek("search", success=False, count=0), "not_success", Action.PAUSE),
    (200, peek("json", error_code=401), "token_rejected", Action.NEW_TOKEN),
    (
        200,
        peek("json", error_code=401, error_text="expired session"),
        "session_rejected",
        Action.NEW_SESSION,
    ),
    (200, peek(count=9, newest_posted=NOW - 31 * 86_400), "stale_market", Action.STOP),
]


@pytest.mark.parametrize(("status", "seen", "reason", "action"), ROWS)
def test_each_row_of_the_failure_table_has_its_reason_and_action(
    status: int, seen: Facts, reason: str, action: Action
) -> None:
    judged = classify(reply(status).head, seen)
    assert (judged.reason, judged.action) == (reason, action)
    assert judged.reason in RULES


def body(value: str = '"details":[]', **data: object) -> bytes:
    response = orjson.dumps({"responseTime": NOW * 1_000_000, "uiErrorCode": 0} | data).decode()
    inner = f'{value},"responseData":{response},"truncated":false'
    return f'{{"responseInfo":{{"tdfid":1,"tdfclass":"X","value":{{{inner}}}}}}}'.encode()


NOTHING: tuple[Any, ...] = ("", " ", "\t\n", None, "null", False, "false", "False", 0, "0", 0.0)
"""What a member of captchas or codes may hold that says nothing."""
CAPTCHAS = ("captchaGuid", "captchaPrivacyMsg", "captchaPublicKey", "captchaTimeout", "captchaUrl")


@pytest.mark.parametrize(
    ("status", "content", "reason"),
    [
        (200, body(), "ok"),
        (200, body(uiErrorCode=2, message="Unable to resume"), "ui_error"),
        *((200, body(**dict.fromkeys(CAPTCHAS, empty)), "ok") for empty in NOTHING),
        *((200, body(**{name: "x"}), "captcha") for name in CAPTCHAS),
        *((200, body(**{name: 1}), "captcha") for name in CAPTCHAS),
        *((200, body(captchaUrl=said), "captcha") for said in (True, -1, "1", "no", [])),
        *((200, body(uiErrorCode=empty), "ok") for empty in NOTHING),
        *((200, body(uiErrorCode=code), "ui_error") for code in ("2", " 2 ", "x", True, 2.5)),
        (200, b'{"error":{"component":1,"errorcode":1073807360}}', "transient"),
        (200, b'{"error":{"errorname":"ERR_INVALID_SESSION"}}', "session_rejected"),
        (200, b'{"error":{"errorname":"ERR_NEW","errordf":{"errorString":"x"}}}', "unknown_error"),
        (200, b'{"success":false}', "not_success"),
        (200, b'\xef\xbb\xbf{"success":false}', "not_success"),
        (200, b'{"code":401,"reason":"expired session"}', "session_rejected"),
        (200, b'{"code":401,"reason":"token"}', "token_rejected"),
        (200, b'{"code":"401","reason":"expired session"}', "session_rejected"),
        (200, b'{"code":"401","reason":"token"}', "token_rejected"),
        (200, b'{"code":" 401 "}', "token_rejected"),
        (200, b'{"code":"426"}', "soft_ban"),
        (200, b'{"code":"429"}', "rate_limited"),
        (200, b'{"code":"458"}', "captcha"),
        (200, b'{"code":"480"}', "locked"),
        (200, b'{"code":"503","message":"down"}', "maintenance"),
        (200, b"<error><errorcode> 429 </errorcode></error>", "rate_limited"),
        (200, b'{"error":{"component":1,"errorcode":"1073807360"}}', "transient"),
        (200, b'{"error":{"component":1,"errorcode":"917505"}}', "token_expired"),
        (200, b'{"error":{"component":1,"errorcode":"2818049"}}', "banned"),
        (200, b'{"code":"soon"}', "unknown_shape"),
        (200, b'{"success":"false"}', "not_success"),
        (200, b'{"success":" False "}', "not_success"),
        (200, b'{"success":0}', "not_success"),
        (200, b'{"success":"0"}', "not_success"),
        (200, b'{"success":"false",' + body()[1:], "not_success"),
        (200, b'{"success":"true",' + body()[1:], "ok"),
        (200, body('"success":"false","details":[]'), "not_success"),
        (500, b'{"code":500,"reason":""}', "soft_ban"),
        (500, b"", "soft_ban"),
        (
            404,
            f"<error><errormessage>{WRONG_GAME}</errormessage></error>".encode(),
            "wrong_product",
        ),
        (200, b"<error><errorcode>503</errorcode></error>", "maintenance"),
        (200, b"<other/>", "unexpected_xml"),
        (403, b"<!DOCTYPE html><html>", "edge_blocked"),
        (200, b"<html></html>", "unexpected_html"),
        (200, b"", "empty_reply"),
        (200, b'{"responseInfo":{"value":{"details":[', "malformed"),
        (200, b'{"a":1}', "unknown_shape"),
        (200, b"[]", "unknown_shape"),
    ],
)
def test_bodies_as_the_rust_core_sees_them_are_judged_alike(
    status: int, content: bytes, reason: str
) -> None:
    assert classify(reply(status).head, _native.peek(content)).reason == reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"code":"401"}', "token_rejected"),
        (b'{"code":" 429 "}', "rate_limited"),
        (b'{"code":"458"}', "captcha"),
        (b'{"error":{"errorcode":"1073807360"}}', "login_limited"),
        (b'{"error":{"errorcode":"2818049"}}', "banned"),
        (b"<error><errorcode> 503 </errorcode></error>", "maintenance"),
        (b'{"success":"false"}', "login_unreadable"),
        (b'{"success":0}', "login_unreadable"),
    ],
)
def test_a_login_s_codes_as_text_are_judged_as_numbers_are(content: bytes, reason: str) -> None:
    judged = read_login(reply(200, content))
    assert isinstance(judged, Verdict)
    assert judged.reason == reason


@pytest.mark.parametrize(
    "odd",
    [
        *(r'"\u0000"', r'"\ud800"', "1e400", "0.1e-999", "18446744073709551616", "-0"),
        *("[" * 9_000 + "]" * 9_000, '{"a":1,"a":2}', "null", "[]", "9" * 9_000, "-1", "0"),
    ],
    ids=lambda odd: odd[:12],
)
def test_an_odd_value_of_a_member_that_nobody_stores_pauses_nothing(odd: str) -> None:
    plain = body('"details":[{"auctionId":7}]').decode()
    for before in ('"responseInfo"', '"tdfid"', '"details"', '"responseTime"', '"auctionId"'):
        for name in ("novelty", "code", "message", "tdfclass", r"\u0000", r"\ud800"):
            page = plain.replace(before, f'"{name}":{odd},{before}', 1)
            assert classify(reply().head, _native.peek(page.encode())).reason == "ok", page[:200]
    page = plain.replace(f'"responseTime":{NOW}000000', f'"responseTime":{odd}')
    assert page != plain
    seen = _native.peek(page.encode())
    assert (classify(reply().head, seen).reason, seen.response_time) == ("ok", None)


def test_every_rule_says_what_happened_and_what_to_do() -> None:
    for rule in RULES.values():
        if rule.action is Action.OK:
            continue
        assert rule.message
        assert rule.advice
        assert rule.exit_code in (3, 4, 5, 6, 7)
        if rule.action is Action.RETRY:
            assert rule.delays
        if rule.action is Action.PAUSE:
            assert rule.pause


def test_the_market_is_judged_by_the_servers_clock() -> None:
    posted = NOW - 40 * 86_400
    seen = peek(count=1, newest_posted=posted, response_time=(posted + 60) * 1_000_000)
    assert classify(reply().head, seen).reason == "ok"


def test_system_error_at_login_is_a_limit_with_longer_waits() -> None:
    judged = classify(reply().head, error("ERR_SYSTEM"), call="login")
    assert judged.reason == "login_limited"
    assert (judged.delays, judged.pause) == ((4, 8, 12, 16), 600)


def test_retry_after_is_obeyed_to_the_second() -> None:
    judged = classify(reply(429, retry_after=37).head, peek("html"))
    assert (judged.pause, judged.longer, judged.slow_down) == (37, (), 3_600)
    assert classify(reply(429, retry_after=0).head, peek("html")).pause == 1


@pytest.mark.parametrize(
    ("asked", "waits"),
    [(0.0, 1), (90_000.0, 86_400), (315_360_000.0, 86_400), (float("inf"), 86_400)],
)
def test_an_absurd_retry_after_is_cut_and_told(asked: float, waits: float) -> None:
    judged = classify(reply(429, retry_after=asked).head, peek("html"))
    assert judged.pause == waits
    assert f"asked to wait {asked:.0f} s" in judged.message
    assert ("asks again after 24 h" in judged.message) is (asked > 86_400)


def test_maintenance_with_a_retry_after_is_waited_out_as_asked() -> None:
    short = classify(reply(503, retry_after=20).head, peek("html"))
    assert (short.action, short.delays) == (Action.RETRY, (20, 20, 20, 40, 80, 160, 300))
    long = classify(reply(503, retry_after=1_800).head, peek("html"))
    assert (long.action, long.reason) == (Action.PAUSE, "maintenance")
    assert {long.step(taken).seconds for taken in range(8)} == {1_800}
    assert classify(reply(503).head, peek("html")).delays == RULES["maintenance"].delays


@pytest.mark.parametrize("status", [200, 403, 404, 426, 480, 500, 503])
def test_xml_that_nobody_asked_for_is_kept(status: int) -> None:
    assert classify(reply(status).head, peek("xml", error_text="said")).quarantine


@pytest.mark.parametrize("status", [401, 429])
def test_xml_of_every_day_is_not_kept(status: int) -> None:
    assert not classify(reply(status).head, peek("xml", error_text="said")).quarantine


STOPS = {
    "certificate", "locked", "captcha", "banned", "stale_market",
}  # fmt: skip
OWN_STOPS = {
    "login_again", "refresh_lost", "client_rejected", "no_credentials", "no_client",
    "no_signature",
}  # fmt: skip
SECOND_TIME_STOPS, SECOND_TIME_OWN_STOPS = {"edge_blocked"}, {"token_rejected", "token_expired"}


def test_what_stops_and_whom_is_what_is_documented() -> None:
    def reasons(*, at_once: bool, scope: str) -> set[str]:
        return {
            rule.reason
            for rule in RULES.values()
            if rule.scope == scope and (rule.action is Action.STOP if at_once else rule.then_stop)
        }

    assert reasons(at_once=True, scope="home") == STOPS
    assert reasons(at_once=True, scope="account") == OWN_STOPS
    assert reasons(at_once=False, scope="home") == SECOND_TIME_STOPS
    assert reasons(at_once=False, scope="account") == SECOND_TIME_OWN_STOPS


def test_no_setting_switches_a_rule_off() -> None:
    # Rules and their limits are no settings: what can be set is listed here, and nothing else
    # reaches the asking side.
    assert {key for key in config.every_key() if key.startswith("budget")} == {
        "budget.per_day", "budget.per_minute", "budget.burst",
    }  # fmt: skip
    words = ("stop", "rule", "captcha", "pause", "login", "retry", "verify", "tls", "unsafe")
    for key in config.every_key():
        assert not any(word in key for word in words), key
    options = inspect.signature(run).parameters
    assert set(options) == {"for_", "account", "dry_run", "exit_on_stop", "allow_host", "options"}


def test_the_wrong_game_is_named() -> None:
    judged = classify(reply(404).head, peek("xml", error_text=WRONG_GAME))
    assert "madden-2026-ps5-gen5" in judged.message


def test_what_the_upstream_says_is_shown_short_and_on_one_line() -> None:
    judged = classify(reply().head, error("ERR_NEW", error_text="a\n\tb " + "x" * 5_000))
    assert "a b" in judged.message
    assert len(judged.message) < 300


def test_a_session_key_that_comes_back_in_an_error_is_masked() -> None:
    text = "no route for /wal/mca/Process/CANARYSESSIONKEY"
    judged = classify(reply().head, error("ERR_NEW", error_text=text))
    assert "CANARYSESSIONKEY" not in judged.message


@pytest.mark.parametrize(
    ("reason", "action"),
    [
        ("unreachable", Action.RETRY),
        ("cut", Action.RETRY),
        ("too_slow", Action.RETRY),
        ("encoding", Action.RETRY),
        ("certificate", Action.STOP),
        ("too_large", Action.PAUSE),
    ],
)
def test_broken_transfers_are_judged_by_their_reason(reason: str, action: Action) -> None:
    judged = classify_transport(BrokenTransferError("login: x", reason=reason))
    assert (judged.reason, judged.action) == (reason, action)
    assert classify_transport(TransportError("x")).reason == "cut"


def test_a_reply_never_shows_its_body() -> None:
    assert "CANARY" not in repr(reply(body=b"CANARY-BODY"))
