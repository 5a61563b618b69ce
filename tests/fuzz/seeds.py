"""What mutation starts from: replies in every form the gateway has, and captures of them."""

from __future__ import annotations

import base64
import gzip
import zlib
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

import orjson
from tests.fuzz.rows import SEPARATOR
from tests.support import wire
from tests.support.captures import (
    flow,
    har,
    har_entry,
    login_entry,
    process_entry,
    tnetstring,
    token_entry,
)

from m26.sim.cards import Deck, auction_json

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
        {"code": "429", "success": "false"},
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
    """HAR files: a start of the app, bodies in base64 or packed, odd members, indented, UTF-16."""
    start = [token_entry(), login_entry(), process_entry()]
    packed = [har_entry(wire.body(wire.auction(7)), encoded=True), har_entry(b"{}")]
    content = base64.b64encode(orjson.dumps(LOGIN)).decode()
    packed[1]["request"]["_content"] = {"text": content, "encoding": "base64", "size": 1}
    log = {"version": "1.2", "creator": {"name": "x"}, "pages": [], "entries": start}
    kept = [har_entry(b"{}"), har_entry(b"{}"), har_entry(b"{}")]
    one = orjson.dumps(LOGIN)
    for entry, body in zip(kept, (one, gzip.compress(one) * 2, zlib.compress(one)), strict=True):
        entry["response"]["headers"] = [{"name": "content-encoding", "value": "deflate"}]
        text = base64.urlsafe_b64encode(body).decode().rstrip("=")
        entry["response"]["content"] = {"text": text, "encoding": "base64"}
    return [
        har(kept),
        har(start).decode().encode("utf-16"),
        gzip.compress(har(start)),
        har(start),
        har(packed),
        orjson.dumps({"log": log}, option=orjson.OPT_INDENT_2),
        b"\xef\xbb\xbf" + orjson.dumps({"comment": "entries", "log": log}),
        har([har_entry(b'{"a":"\x01"}')]).replace(b"\\u0001", b"\x01"),
        har([]),
    ]


def records() -> list[bytes]:
    """Headers of the journal's records."""
    page = {"account": "main", "platform": "ps5", "command": "x", "query": "{}", "status": 200}
    page |= {"content_type": "application/json", "fetched_at": 1_786_827_435_000_000, "sweep": 0}
    return [orjson.dumps(page), orjson.dumps({name: page[name] for name in list(page)[:-1]})]


def tomls() -> list[bytes]:
    """Profiles: the simulator's, and parts of it in other forms."""
    whole, real = (
        (files("m26") / "profiles" / f"{n}.toml").read_bytes() for n in ("sim", "madden26")
    )
    return [
        whole,
        real,
        b"wal.legacy_tls = true\n[card]\npositions = { 1 = 'QB' }\n",
        b"a = [[1], {b=2}]",
    ]


def answers() -> list[bytes]:
    """Token and login answers: whole ones, both in one, at their limits, and refusals."""
    key, most = {"sessionKey": "k" * 4_096, "blazeId": 7}, "t" * 16_384
    both = TOKENS | LOGIN
    documents = [TOKENS, LOGIN, both, {"access_token": "CANARY-A", "refresh_token": most}]
    documents += [{"userLoginInfo": key}, {"error": "invalid_grant"}, _blaze("ERR_SYSTEM", "")]
    documents += [TOKENS | {"expires_in": text} for text in ("3600", 0, -1, 1e300, None)]
    return [*map(orjson.dumps, documents), b"", b"<html>", b"[]"]


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
    bare = flow(
        zlib.compress(orjson.dumps(LOGIN), wbits=-15),
        path="/wal/authentication/login",
        headers=[("content-encoding", "deflate")],
    )
    return [
        token + b"junk" + bare + login[:-9] + page,
        token + login + page,
        other + page,
        brotli + flow(None),
        flow(b"{}"),
        token + login,
    ]


def pages() -> list[bytes]:
    """Inputs of several pages that show cards again: small cards, and some of the real shape."""
    copies = [_shown(number, card_id) for number, card_id in enumerate((7, 7, 8, 7, 8, 9), 1)]
    other = _shown(7, 7, cardState=3, isBound=True, overallRating=99)
    full = [_full(number, card) for number, card in enumerate((0, 0, 1), 1)]
    shapes = [
        [wire.body(*copies[:3]), wire.body(*copies[3:]), wire.body(other, copies[0])],
        [wire.body(copies[0]), wire.body(copies[1], copies[2])],
        [wire.body(*copies), wire.body(uiErrorCode=2), wire.body()],
        [_body_of(full[0]), _body_of(full[1], full[2])],
        [_body_of(full[0])],
    ]
    odd = [[wire.body(copies[0]), reply] for reply in replies() if reply.endswith(b"}")]
    return [SEPARATOR.join(shape) for shape in [*shapes * 4, *odd]]


def _shown(number: int, card_id: int, **fields: Any) -> dict[str, Any]:
    """An auction of a card with members of the copy and what else may be in a definition."""
    members = {
        "cardState": "CARDSTATE_INAUCTION",
        "isBound": False,
        "acquisitionDateString": "08/15/2026",
        "synergyList": [{"id": -31, "weight": 1.5}, [True, None]],
        "description": "a\\b \u00e9 \U0001f600 \n",
        "condensedName": "D. Sanders",
    }
    return wire.auction(number, card=wire.card(card_id, instance=number, **(members | fields)))


def _full(number: int, card: int) -> bytes:
    return auction_json(
        Deck(26, 2).card(card),
        auction_id=number,
        instance_id=4_000_000_000 + number,
        acquired=(wire.T0 - 90_000) * 1_000_000,
        buyout=0,
        current_bid=100,
        next_bid=100,
        bids=0,
        posted=wire.T0 - 8_000,
        seconds_remaining=3_600,
    )


def _body_of(*items: bytes) -> bytes:
    return wire.body().replace(b'"details":[]', b'"details":[' + b",".join(items) + b"]")
