"""Generated captures: replies of the real shape, and the files that people keep them in."""

from __future__ import annotations

import base64
import random
from collections.abc import Sequence
from typing import Any

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
            "url": f"https://gateway.example{path}",
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
