"""Answers in the exact forms of the wire: pages of auctions, Blaze, XML, HTML and OAuth errors."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from m26.sim.accounts import Account

Delivery = Literal["whole", "half_gzip", "short", "reset", "lost", "silent", "drip"]
MUT, AUTH = 2050, 1
_NUMBERS = {
    "ERR_SYSTEM": 0x4001_0000,
    "ERR_COMMAND_NOT_FOUND": 0x4003_0000,
    "ERR_AUTHENTICATION_REQUIRED": 0x4004_0000,
    "ERR_TIMEOUT": 0x4005_0000,
    "ERR_DISCONNECTED": 0x4006_0000,
    "ERR_DUPLICATE_LOGIN": 0x4007_0000,
    "ERR_AUTHORIZATION_REQUIRED": 0x4008_0000,
    "ERR_CANCELED": 0x4009_0000,
    "DUPLICATE_LOGIN": 0x002D_0001,
    "AUTH_ERR_INVALID_TOKEN": 0x0001_0001,
    "AUTH_ERR_EXPIRED_TOKEN": 0x000E_0001,
    "AUTH_ERR_PERSONA_BANNED": 0x0020_0001,
    "AUTH_ERR_BANNED": 0x002B_0001,
    "AUTH_ERR_DUPLICATE_LOGIN": 0x002D_0001,
}
_UNKNOWN = 0x4FFF_0000
_CLASSES = {"Mobile_SearchAuctions": 2_615_288_587}
"""tdfid of a command's reply; those of the other commands are made up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer, and what the ledger is to know about it."""

    body: bytes
    answer: str = "ok"
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    shown: array[int] | None = None
    """State ids of the auctions in the body."""
    response_time: int = 0
    """Microseconds."""
    plain: bool = False
    """Not to be compressed, whatever the client accepts."""


class RefusedError(Exception):
    """A request is answered with an error."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.answer)
        self.reply = reply


def json(document: object, **more: Any) -> Reply:  # noqa: ANN401 - fields of Reply
    """A JSON answer."""
    return Reply(body=orjson.dumps(document), **more)


def auctions(  # noqa: PLR0913 - each is a member on the wire
    command: str,
    details: Iterable[bytes],
    *,
    shown: array[int],
    now: int,
    cached: int,
    truncated: bool = False,
    data: Mapping[str, object] | None = None,
    absent: Iterable[str] = (),
    answer: str = "ok",
) -> Reply:
    """A page of auctions.

    Args:
        command: wire name of the command it answers.
        details: rendered auctions.
        shown: their state ids.
        now: server time, seconds since 1970.
        cached: what the reply calls its cache time, microseconds; means nothing.
        truncated: whether the server cut the list.
        data: members of responseData that are not as usual.
        absent: members of responseData to leave out.
        answer: what the ledger calls it.
    """
    usual: dict[str, object] = {
        "cacheTime": cached,
        "captchaGuid": "",
        "captchaPrivacyMsg": "",
        "captchaPublicKey": "",
        "uiErrorCode": 0,
        "messageTitle": "",
        "message": "",
        "responseTime": now * 1_000_000,
        "captchaTimeout": "",
        "captchaUrl": "",
    }
    members = usual | dict(data or {})
    for name in absent:
        del members[name]
    body = b"".join(
        (
            b'{"responseInfo":{"tdfid":%d' % _CLASSES.get(command, 1_000_000 + len(command)),
            b',"tdfclass":"Blaze::Mut::%bResponse","value":{"details":[' % command.encode(),
            b",".join(details),
            b'],"responseData":',
            orjson.dumps(members),
            b',"truncated":true}}}' if truncated else b',"truncated":false}}}',
        )
    )
    return Reply(body=body, answer=answer, shown=shown, response_time=now * 1_000_000)


def login(account: Account, session: str, *, cookie: str, listed: bool) -> Reply:
    """A successful login; `listed` gives personaDetails as an array, which is also seen."""
    persona = {
        "displayName": f"sim-{account.name}",
        "personaId": account.persona_id,
        "lastAuthenticated": 0,
        "status": "ACTIVE",
    }
    info = {
        "sessionKey": session,
        "blazeId": account.blaze_id,
        "isFirstLogin": False,
        "lastLoginDateTime": 0,
        "personaDetails": [persona] if listed else persona,
        "accountId": account.persona_id + 1,
    }
    headers = {"set-cookie": f"ak_bmsc={cookie}; Path=/; HttpOnly"}
    return json({"userLoginInfo": info, "isAnonymous": False}, headers=headers)


def blaze_error(
    name: str,
    component: int | None = None,
    text: str = "",
    *,
    number: int | None = None,
    tdf: str = "errortdf",
) -> Reply:
    """A Blaze error, HTTP 200 as usual.

    Args:
        name: its errorname; may be empty.
        component: default: that of logins for names of logins, else MUT.
        text: what it says; without it, it has no `tdf`.
        number: default: the one of its name.
        tdf: member that holds the text; empty: none does.
    """
    if component is None:
        component = AUTH if name.startswith("AUTH_") else MUT
    if number is None:
        number = _NUMBERS.get(name, _UNKNOWN)
    error: dict[str, Any] = {"component": component, "errorcode": number, "errorname": name}
    if text and tdf:
        error[tdf] = {"commandSeverity": "ERROR", "errorString": text}
    return json({"error": error}, answer=name or f"error {number}")


def xml_error(status: int, message: str, answer: str = "", *, number: int | None = None) -> Reply:
    """The gateway's own error form; its code is the HTTP status unless `number` is given."""
    code = f"<errorcode>{status if number is None else number}</errorcode>"
    body = f"<error>     {code}     <errormessage>{message}</errormessage> </error>"
    return Reply(
        body=body.encode(),
        answer=answer or f"xml {status}",
        status=status,
        content_type="application/xml",
    )


def wrong_game(name: str) -> Reply:
    """Answer to a product or Blaze id that the gateway does not serve."""
    where = f"{name} resolved as {name}"
    return xml_error(404, f"The Server Information was not found for game {where}")


def violation(what: str) -> Reply:
    """Answer to a request that does not keep to the wire's form; names what, never a value."""
    return xml_error(400, f"Bad request: {what}", f"violation: {what}")


def html(status: int, title: str, headers: Mapping[str, str] | None = None) -> Reply:
    """A page of the edge or of a proxy before the gateway."""
    body = f"<HTML><HEAD><TITLE>{title}</TITLE></HEAD><BODY><H1>{title}</H1></BODY></HTML>"
    return Reply(
        body=body.encode(),
        answer=f"html {status}",
        status=status,
        content_type="text/html",
        headers=headers or {},
    )


def oauth_error(error: str, description: str, status: int = 400) -> Reply:
    """A refused token exchange."""
    document = {"error": error, "error_description": description, "code": 102_111}
    return json(document, status=status, answer=error)


def failure(status: int, form: str, text: str) -> Reply:
    """An HTTP status with a body of its form: ``html``, ``xml``, ``json`` or ``empty``."""
    match form:
        case "xml":
            return xml_error(status, text)
        case "json":
            return json({"code": status, "message": text}, status=status, answer=f"json {status}")
        case "empty":
            return Reply(body=b"", status=status, answer=f"empty {status}")
    return html(status, text)
