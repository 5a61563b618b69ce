"""Generated captures: replies of the real shape, and the files that people keep them in."""

from __future__ import annotations

import base64
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from m26.sim.cards import Deck, auction_json

_POSTED = 1_786_827_435
COMMAND = "Mobile_SearchAuctions"


def reply(seed: int, *, auctions: int = 3, first_id: int = 1000) -> bytes:
    """A search reply with auctions `first_id`, `first_id` + 1, …"""
    rng, deck = random.Random(seed), Deck(1, size=20)
    details = b",".join(
        auction_json(
            deck.card(deck.draw(rng)),
            auction_id=first_id + index,
            instance_id=first_id + index,
            acquired=(_POSTED - 100) * 1_000_000,
            buyout=2000 + index,
            current_bid=250,
            next_bid=300,
            bids=1,
            posted=_POSTED,
            seconds_remaining=86_390,
        )
        for index in range(auctions)
    )
    data = b'"cacheTime":0,"responseTime":%d,"uiErrorCode":0,"message":"","messageTitle":""' % (
        _POSTED * 1_000_000 + 10_000_000
    )
    return (
        b'{"responseInfo":{"tdfid":2615288587,'
        b'"tdfclass":"Blaze::Mut::Mobile_SearchAuctionsResponse","value":{"details":['
        + details
        + b'],"responseData":{'
        + data
        + b'},"truncated":false}}}'
    )


REFUSAL = (
    b'{"error":{"component":2050,"errorcode":1073807360,"errorname":"ERR_SYSTEM",'
    b'"errortdf":{"errorString":"CANARY"}}}'
)
PATH = "/wal/mca/Process/CANARY%2Bsession%2Fkey?offset=100&count=99"


def server(path: str) -> str:
    """The shipped profile's server for a path; no test asks it anything."""
    is_token = path.startswith("/connect")
    return "accounts.ea.com" if is_token else "wal2.tools.gos.bio-iad.ea.com"


def request(command: str = COMMAND) -> bytes:
    info = {
        "commandName": command,
        "deviceId": "CANARY-DEVICE",
        "requestPayload": '{"filters":[],"itemName":""}',
        "messageAuthData": {"authCode": "CANARY-CODE", "authData": "CANARY-DATA", "authType": 1},
    }
    return orjson.dumps({"apiVersion": 2, "requestInfo": orjson.dumps(info).decode()})


def har_entry(
    body: bytes, *, command: str = COMMAND, encoded: bool = False, path: str = PATH
) -> dict[str, Any]:
    text = base64.b64encode(body).decode() if encoded else body.decode()
    return {
        "startedDateTime": "2026-08-15T23:57:25.500+03:00",
        "time": 250.125,
        "request": {
            "method": "POST",
            "url": f"https://{server(path)}{path}",
            "headers": [
                {"name": "x-blaze-id", "value": "madden-2026-xbsx"},
                {"name": "Cookie", "value": "CANARY-COOKIE"},
            ],
            "postData": {"mimeType": "application/json", "text": request(command).decode()},
        },
        "response": {
            "status": 200,
            "content": {
                "mimeType": "application/json",
                "text": text,
                **({"encoding": "base64"} if encoded else {}),
            },
        },
    }


def har(entries: Sequence[dict[str, Any]]) -> bytes:
    return orjson.dumps({"log": {"version": "1.2", "entries": list(entries)}})


def flow(
    body: bytes | None,
    *,
    version: int = 21,
    headers: Sequence[tuple[str, str]] = (),
    path: str = PATH,
    sent: bytes | None = None,
    mime: str = "application/json",
    ended: float = 1_786_827_445.75,
) -> bytes:
    """One flow of a mitmproxy file."""
    answered = [("Content-Type", "application/json"), *headers]
    return tnetstring(
        {
            "comment": "",
            "version": version,
            "type": "http",
            "request": {
                "method": b"POST",
                "scheme": b"https",
                "host": server(path),
                "port": 443,
                "path": path.encode(),
                "headers": [
                    [b"X-BLAZE-ID", b"madden-2026-pc"],
                    [b"Cookie", b"CANARY"],
                    [b"Content-Type", mime.encode()],
                ],
                "content": request() if sent is None else sent,
                "timestamp_start": 1_786_827_445.0,
            },
            "response": {
                "status_code": 200,
                "headers": [[name.encode(), value.encode()] for name, value in answered],
                "content": body,
                "timestamp_end": ended,
                "trailers": None,
            },
            "intercepted": False,
        }
    )


def tnetstring(value: object) -> bytes:
    match value:
        case None:
            data, kind = b"", b"~"
        case bool():
            data, kind = str(value).lower().encode(), b"!"
        case bytes():
            data, kind = value, b","
        case str():
            data, kind = value.encode(), b";"
        case int():
            data, kind = str(value).encode(), b"#"
        case float():
            data, kind = repr(value).encode(), b"^"
        case list():
            data, kind = b"".join(map(tnetstring, value)), b"]"
        case dict():
            pairs = (tnetstring(key) + tnetstring(item) for key, item in value.items())
            data, kind = b"".join(pairs), b"}"
        case _:
            raise TypeError(value)
    return b"%d:%b%b" % (len(data), data, kind)


BEGAN = 1_792_400_400.0  # 2026-10-19T09:00:00Z
SESSION = "CANARY/SESSION+k=$*"


def entry(
    path: str,
    request: bytes | str,
    response: object,
    *,
    second: int = 0,
    mime: str = "application/json",
    host: str | None = None,
    headers: list[dict[str, str]] | None = None,
) -> dict[str, Any]:
    """An exchange of HAR at a second after `BEGAN`, a quarter of one long."""
    text = response if isinstance(response, str) else orjson.dumps(response).decode()
    return {
        "startedDateTime": f"2026-10-19T09:00:{second:02}.000Z",
        "time": 250,
        "request": {
            "method": "POST",
            "url": f"https://{host or server(path)}{path}",
            "headers": headers or [],
            "postData": {
                "mimeType": mime,
                "text": request if isinstance(request, str) else request.decode(),
            },
        },
        "response": {"status": 200, "content": {"text": text}},
    }


def token_entry(n: int = 1, *, second: int = 0, **changes: Any) -> dict[str, Any]:
    fields = {
        "grant_type": "authorization_code",
        "code": "CANARY-OAUTH-CODE",
        "client_id": "CANARY-CLIENT-ID",
        "client_secret": "CANARY-CLIENT-SECRET",
    }
    answer = {
        "access_token": f"CANARY-ACCESS-{n}",
        "refresh_token": f"CANARY-REFRESH-{n}",
        "expires_in": 14_400,
    }
    form = "application/x-www-form-urlencoded"
    path = "/connect/token"
    return entry(path, urlencode(fields), answer, second=second, mime=form, **changes)


def login_entry(
    *, second: int = 1, key: str = SESSION, blaze_id: int = 1_000_000_777, **changes: Any
) -> dict[str, Any]:
    body = orjson.dumps({"accessToken": "CANARY-ACCESS-1", "productName": "madden-2026-ps5-mca"})
    answer = {"userLoginInfo": {"sessionKey": key, "blazeId": blaze_id}}
    return entry("/wal/authentication/login", body, answer, second=second, **changes)


def process_entry(n: int = 1, *, second: int = 2, key: str = SESSION) -> dict[str, Any]:
    inner = {
        "deviceId": "CANARY-DEVICE",
        "commandName": "Mobile_SearchAuctions",
        "requestPayload": '{"filters":[]}',
        "messageAuthData": {
            "authCode": f"CANARY-CODE-{n}",
            "authData": f"CANARY-DATA-{n}",
            "authType": 17039361,
        },
    }
    body = orjson.dumps({"apiVersion": 2, "requestInfo": orjson.dumps(inner).decode()})
    headers = [{"name": "X-Blaze-Id", "value": "madden-2026-ps5"}]
    path = f"/wal/mca/Process/{quote(key, safe='')}?offset=0"
    return entry(path, body, {"responseInfo": {}}, second=second, headers=headers)


def capture(path: Path, *entries: dict[str, Any]) -> Path:
    """A capture at `path` that only its owner may read: of `entries`, or of two requests."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(har(entries or (process_entry(1), process_entry(2))))
    path.chmod(0o600)
    return path
