"""One request of a capture in; what it shows of credentials, and whom it asked, out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from m26.auth.credentials import Bundle, Tokens
from m26.captures.flow import Flow
from m26.upstream.answers import (
    LoginAnswer,
    TokenAnswer,
    as_object,
    read_login,
    read_tokens,
    whole,
)
from m26.upstream.commands import LOGIN_PATH, PROCESS_PATH, TOKEN_PATH
from m26.upstream.origin import origin
from m26.upstream.replies import Reply
from m26.upstream.secret import KEY_LENGTH, Secret

TOKENS: Final = "token service"
GATEWAY: Final = "gateway"
KINDS: Final = (TOKENS, GATEWAY)
_LARGEST = 2**20
"""Bytes of a body that shows a credential, at the most: parsed JSON takes a hundred times that."""
_LONGEST = 64 * 1024
"""Characters of an address of ours."""
_PRODUCT = re.compile(r"[a-z]+-\d{4}-([a-z0-9]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one flow shows; all that is kept of it."""

    at: float
    kind: str
    """`TOKENS` or `GATEWAY`: which of the two was asked."""
    origin: str
    """Which server that was; empty where the capture does not tell, or it is none."""
    platform: str | None = None
    client_id: Secret | None = None
    client_secret: Secret | None = None
    tokens: Tokens | None = None
    access: Secret | None = None
    """The access token that a login went with."""
    session: Secret | None = None
    """Key of the session that a login opened, or that a request went with."""
    blaze_id: int | None = None
    bundle: Bundle | None = None
    gap: str = ""
    """What it should show and does not, and why."""
    flaw: str = ""
    """What of it was not read, and why."""


def part_of(flow: Flow) -> Part | None:
    """What a flow shows; None when it is not one of ours."""
    if flow.method != "POST" or len(flow.url) > _LONGEST:
        return None
    path = re.split("[?#]", flow.url, maxsplit=1)[0]
    if path.endswith(TOKEN_PATH):
        return _token(flow)
    if path.endswith(LOGIN_PATH):
        return _login(flow)
    return _process(flow, path) if PROCESS_PATH in path else None


def _token(flow: Flow) -> Part:
    at, answer = flow.ended_at / 1e6, read_tokens(_reply(flow))
    form, flaw = dict[str, str](), _unread(flow.response)
    try:
        form = flow.form()
    except ValueError as error:
        flaw = str(error)
    client_id, client_secret, sent = (
        Secret.read(form.get(name)) for name in ("client_id", "client_secret", "refresh_token")
    )
    tokens = None
    if isinstance(answer, TokenAnswer):  # without a refresh token it still works for hours
        tokens = Tokens(
            access=answer.access_token,
            refresh=answer.refresh_token or sent,
            expires_at=at + answer.expires_in,
            obtained_at=at,
        )
    return Part(
        at=at,
        kind=TOKENS,
        origin=origin(flow.url),
        client_id=client_id,
        client_secret=client_secret,
        tokens=tokens,
        gap="" if tokens else _lacks("access token", flow),
        flaw=flaw,
    )


def _login(flow: Flow) -> Part:
    at, answer = flow.ended_at / 1e6, read_login(_reply(flow))
    asked = as_object(_small(flow.request))
    platform = _platform(flow.blaze_id, str(asked.get("productName", "")))
    if not isinstance(answer, LoginAnswer):
        return Part(
            at=at,
            kind=GATEWAY,
            origin=origin(flow.url),
            platform=platform,
            gap=_lacks("session", flow),
            flaw=_unread(flow.request, flow.response),
        )
    return Part(
        at=at,
        kind=GATEWAY,
        origin=origin(flow.url),
        platform=platform,
        access=Secret.read(asked.get("accessToken")),
        session=answer.session_key,
        blaze_id=answer.blaze_id,
    )


def _process(flow: Flow, path: str) -> Part:
    at, key = flow.ended_at / 1e6, path.split(PROCESS_PATH, 1)[1]
    asked = as_object(_small(flow.request))
    info = as_object(str(asked.get("requestInfo", "")).encode("utf-8", "replace"))
    auth = info.get("messageAuthData")
    auth = auth if isinstance(auth, dict) else {}
    texts = auth.get("authCode"), auth.get("authData"), info.get("deviceId")
    code, data, device_id = map(Secret.read, texts)
    kind, bundle = whole(auth.get("authType")), None
    if kind is not None and code and data and device_id:
        bundle = Bundle(
            auth_code=code,
            auth_data=data,
            auth_type=kind,
            device_id=device_id,
            blaze_id=None,
            captured_at=at,
        )
    return Part(
        at=at,
        kind=GATEWAY,
        origin=origin(flow.url),
        platform=_platform(flow.blaze_id),
        session=Secret.read(unquote(key), most=KEY_LENGTH),
        bundle=bundle,
        gap="" if bundle else "it holds no signature (messageAuthData)",
        flaw=_unread(flow.request),
    )


def _lacks(what: str, flow: Flow) -> str:
    """What a reply should bring; that there is none is told elsewhere."""
    return "" if flow.response is None else f"its answer holds no {what} (HTTP {flow.status})"


def _platform(*names: str) -> str | None:
    """The platform that the first Blaze id or product name of the known form tells."""
    matches = (_PRODUCT.match(name.lower()) for name in names)
    return next((match[1] for match in matches if match), None)


def _unread(*bodies: bytes | None) -> str:
    """What is to be said where one of them is longer than what shows credentials."""
    if max(len(body or b"") for body in bodies) <= _LARGEST:
        return ""
    return f"has a body of more than {_LARGEST // 1024} KiB, which was not read"


def _small(body: bytes) -> bytes:
    return body if len(body) <= _LARGEST else b""


def _reply(flow: Flow) -> Reply:
    return Reply(
        status=flow.status,
        content_type=flow.content_type,
        body=_small(flow.response or b"").decode("utf-8", "replace").encode(),  # JSON is UTF-8
        fetched_at=flow.ended_at,
        seconds=0.0,
    )
