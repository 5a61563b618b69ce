"""An account handed over the way an operator would capture it from the app: as a HAR file."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from m26.sim import verify
from m26.sim.accounts import Account, Known
from m26.sim.backend import Backend
from m26.sim.records import Request
from m26.sim.replies import MUT, Reply

_SHOWN = 3
"""Auctions in the captured page."""
_PATIENCE = 300
"""From a request's making to its messageExpirationTime, seconds."""


def har(backend: Backend, account: Account, url: str) -> bytes:
    """A HAR 1.2 of a token exchange, a login and one search, all with fresh credentials.

    The backend makes it as if asked over HTTP, and the ledger has it: what the file shows counts
    as served.
    """
    own = backend.constants
    names = {"year": own.year, "platform": account.platform}
    app = _App(backend, url)
    wal = {
        "accept": "application/json",
        "accept-charset": "UTF-8",
        "accept-encoding": "gzip",
        "content-type": "application/json",
        "user-agent": own.user_agent,
        "x-application-key": own.application_key,
        "x-blaze-id": own.blaze_id.format(**names),
        "x-blaze-void-resp": "XML",
    }
    form = {
        "grant_type": "authorization_code",
        "code": backend.accounts.issue("code", account),
        "client_id": own.client_id,
        "client_secret": own.client_secret,
        "redirect_uri": own.redirect_uri,
        "release_type": own.release_type,
        "authentication_source": own.authentication_source,
        "token_format": "JWS",
    }
    known = Known()
    body = urlencode(form).encode()
    reply = backend.tokens.exchange(body, known)
    form_type = {"content-type": "application/x-www-form-urlencoded"}
    app.note("/connect/token", form_type, body, reply, known)

    access = orjson.loads(reply.body)["access_token"]
    product = own.product_name.format(**names)
    body = orjson.dumps({"accessToken": access, "productName": product})
    known.command = "login"
    reply = backend.login(wal, body, known)
    app.note("/wal/authentication/login", wal, body, reply, known)

    session = orjson.loads(reply.body)["userLoginInfo"]["sessionKey"]
    body = _search(backend, account)
    query = {"offset": "0", "count": str(_SHOWN)}
    reply = backend.process(wal, session, query, body, known)
    path = f"/wal/mca/Process/{quote(session, safe='')}?{urlencode(query)}"
    app.note(path, wal, body, reply, known)
    creator = {"name": "m26 simulator", "version": "1"}
    log = {"version": "1.2", "creator": creator, "entries": app.entries}
    return orjson.dumps({"log": log}, option=orjson.OPT_INDENT_2)


def _search(backend: Backend, account: Account) -> bytes:
    own, now = backend.constants, int(backend.clock())
    number = backend.ledger.reserve("request")
    auth_data, auth_code = verify.sign(own, account, number, secrets.token_bytes(4))
    backend.accounts.issue("bundle", account, auth_data)
    backend.accounts.issue("proof", account, auth_code)
    info = {
        "messageExpirationTime": now + _PATIENCE,
        "deviceId": account.device_id,
        "commandName": own.search,
        "componentId": MUT,
        "commandId": next(number for number, name in own.commands.items() if name == own.search),
        "componentName": "mut",
        "ipAddress": "127.0.0.1",
        "requestPayload": '{"filters":[],"itemName":""}',
        "messageAuthData": {
            "authCode": auth_code,
            "authData": auth_data,
            "authType": own.auth_type,
        },
    }
    outer = {"apiVersion": 2, "clientDevice": 3, "requestInfo": orjson.dumps(info).decode()}
    return orjson.dumps(outer)


@dataclass(slots=True)
class _App:
    """The game's app as a proxy before the gateway sees it: each exchange a HAR entry."""

    backend: Backend
    url: str
    entries: list[dict[str, Any]] = field(default_factory=list)
    connection: int = field(init=False)

    def __post_init__(self) -> None:
        self.connection = self.backend.ledger.reserve("connection")

    def note(
        self,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        reply: Reply,
        known: Known,
    ) -> None:
        """Take one exchange into the capture and the ledger."""
        at = self.backend.clock()
        recorded = Request(
            at=at,
            connection=self.connection,
            account=known.account,
            platform=known.platform,
            kind="capture",
            command=known.command or path.strip("/"),
            request_id=known.request_id,
            status=reply.status,
            answer=reply.answer,
            response_time=reply.response_time,
        )
        self.backend.ledger.record(recorded, reply.shown)
        query = path.partition("?")[2]
        pairs = [pair.split("=") for pair in query.split("&")] if query else []
        request = {
            "method": "POST",
            "url": self.url + path,
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": _pairs(headers),
            "queryString": [{"name": name, "value": value} for name, value in pairs],
            "postData": {"mimeType": headers["content-type"], "text": body.decode()},
            "headersSize": -1,
            "bodySize": len(body),
        }
        content = {
            "size": len(reply.body),
            "mimeType": reply.content_type,
            "text": reply.body.decode(),
        }
        response = {
            "status": reply.status,
            "statusText": "OK",
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": _pairs({"content-type": reply.content_type, **reply.headers}),
            "content": content,
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": len(reply.body),
        }
        self.entries.append(
            {
                "startedDateTime": datetime.fromtimestamp(at, UTC).isoformat(),
                "time": 1,
                "request": request,
                "response": response,
                "cache": {},
                "timings": {"send": 0, "wait": 1, "receive": 0},
            }
        )


def _pairs(headers: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers.items()]
