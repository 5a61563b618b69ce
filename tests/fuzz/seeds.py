"""What mutation starts from: replies in every form the gateway has, and captures of them."""

from __future__ import annotations

import base64
import gzip
from typing import Any
from urllib.parse import urlencode

import orjson
from tests import wire
from tests.captures import flow, har, har_entry, login_entry, process_entry, tnetstring, token_entry

_CODES = {"ERR_SYSTEM": 1_073_807_360, "AUTH_ERR_EXPIRED_TOKEN": 917_505, "DUPLICATE_LOGIN": 1}
_WRONG = "The Server Information was not found for game x resolved as x"
TOKENS = {"access_token": "CANARY-A", "refresh_token": "CANARY-R", "expires_in": 14_400}
LOGIN = {
    "userLoginInfo": {
        "sessionKey": "CANARY/KEY",
        "blazeId": 7,
        "personaDetails": [{"personaId": 7, "displayName": "CANARY-NAME"}],
    },
    "isAnonymous": False,
}
FORM = {"client_id": "CANARY-ID", "client_secret": "CANARY-SECRET", "code": "CANARY-CODE"}


def _blaze(name: str, member: str) -> dict[str, Any]:
    error: dict[str, Any] = {"component": 2050, "errorcode": _CODES[name], "errorname": name}
    if member:
        error[member] = {"commandSeverity": "ERROR", "errorString": "CANARY-TEXT"}
    return {"error": error}


def _xml(code: int, text: str) -> bytes:
    inside = f"<errorcode>{code}</errorcode> <errormessage>{text}</errormessage>"
    return f"<error> {inside} </error>".encode()


def replies() -> list[bytes]:
    """Bodies that the gateway and the token service answer with."""
    one, two = wire.auction(7), wire.auction(8, bids=2)
    documents = [
        TOKENS,
        LOGIN,
        {"error": "invalid_grant", "error_description": "CANARY", "code": 102_111},
        {"success": False, "message": "no"},
        {"code": 401, "reason": "CANARY session"},
        *(_blaze(name, "errortdf") for name in _CODES),
        _blaze("ERR_SYSTEM", "errordf"),
        _blaze("ERR_SYSTEM", ""),
    ]
    return [
        wire.body(one, two),
        wire.body(),
        wire.body(uiErrorCode=2, message="not entered"),
        wire.body(one, uiErrorCode=2),
        wire.body(captchaGuid="CANARY", captchaUrl="https://captcha.invalid/"),
        wire.body(one, captchaTimeout=0, captchaUrl=None),
        wire.body(wire.auction(7, postingTime=1)),
        wire.body(one).replace(b'"message":""', b'"message":"a\x01b"'),
        b"\xef\xbb\xbf" + wire.body(one),
        wire.body(one)[:-40],
        *map(orjson.dumps, documents),
        _xml(404, _WRONG),
        _xml(503, "maintenance"),
        b"<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD></HTML>",
        b"",
        b"null",
        b"[]",
    ]


def hars() -> list[bytes]:
    """HAR files: a start of the app, bodies in base64, odd members, indented."""
    start = [token_entry(), login_entry(), process_entry()]
    packed = [har_entry(wire.body(wire.auction(7)), encoded=True), har_entry(b"{}")]
    content = base64.b64encode(orjson.dumps(LOGIN)).decode()
    packed[1]["request"]["_content"] = {"text": content, "encoding": "base64", "size": 1}
    log = {"version": "1.2", "creator": {"name": "x"}, "pages": [], "entries": start}
    return [
        har(start),
        har(packed),
        orjson.dumps({"log": log}, option=orjson.OPT_INDENT_2),
        b"\xef\xbb\xbf" + orjson.dumps({"comment": "entries", "log": log}),
        har([har_entry(b'{"a":"\x01"}')]).replace(b"\\u0001", b"\x01"),
        har([]),
    ]


def flows() -> list[bytes]:
    """Flow files: a start of the app, compressed, other kinds of flows."""
    form = "application/x-www-form-urlencoded"
    sent = urlencode(FORM).encode()
    token = flow(orjson.dumps(TOKENS), path="/connect/token", sent=sent, mime=form)
    login = flow(
        gzip.compress(orjson.dumps(LOGIN)),
        path="/wal/authentication/login",
        sent=b'{"accessToken":"CANARY-A","productName":"madden-2026-pc-mca"}',
        headers=[("content-encoding", "gzip")],
    )
    other = tnetstring({"comment": "", "version": 21, "type": "tcp", "messages": [[True, b"x"]]})
    page = flow(wire.body(wire.auction(7)), version=12)
    brotli = flow(b"\x0b\x02\x80", headers=[("content-encoding", "br")])
    return [token + login + page, other + page, brotli + flow(None), flow(b"{}"), token + login]
