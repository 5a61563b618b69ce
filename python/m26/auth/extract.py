"""A capture of the operator's own app in, the credentials in it out.

Requests are recognised by path and body, never by host; nothing else of a capture is kept.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from urllib.parse import unquote

from m26.auth.credentials import Bundle, Ticket, Tokens
from m26.captures.flow import Flow
from m26.captures.kinds import flows_in
from m26.errors import ShapeError, UsageError
from m26.upstream.answers import (
    LoginAnswer,
    TokenAnswer,
    as_object,
    read_login,
    read_tokens,
    whole,
)
from m26.upstream.commands import LOGIN_PATH, PROCESS_PATH, TOKEN_PATH
from m26.upstream.replies import Reply
from m26.upstream.secret import KEY_LENGTH, Secret

_PRODUCT = re.compile(r"[a-z]+-\d{4}-([a-z0-9]+)")
_LONE_TOKEN_LIFE = 3_600.0
"""Seconds assumed of an access token whose reply the capture does not show."""
_MOST_PROBLEMS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one capture holds."""

    requests: int = 0
    """All requests in it, ours or not."""
    platform: str | None = None
    client_id: Secret | None = None
    client_secret: Secret | None = None
    device_id: Secret | None = None
    tokens: Tokens | None = None
    ticket: Ticket | None = None
    bundles: tuple[Bundle, ...] = ()
    problems: tuple[str, ...] = ()
    """What of the capture could not be read, in sentences free of secrets; the first 20."""
    gaps: tuple[str, ...] = ()
    """Requests of the app's that show no credential, and why; the first 20."""

    @property
    def is_empty(self) -> bool:
        """It holds neither a token nor a signature: nothing works by it."""
        return not (self.tokens or self.bundles)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What one flow shows; all that is kept of it."""

    at: float
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


def read_credentials(
    path: Path, *, platform: str | None = None, preferred: str | None = None
) -> Found:
    """Read the credentials in a HAR or mitmproxy flow file; of several the newest, of bundles all.

    Args:
        path: the capture, also packed (gzip, zstd); of one that is cut off, what is whole.
        platform: only what belongs to it counts.
        preferred: takes its place where the capture shows this platform among several.

    Raises:
        UsageError: the file cannot be read or is no such capture; or it shows several platforms,
            several accounts, or another platform than the one asked for.
    """
    requests, parts = 0, []
    problems: list[str] = []
    gaps: list[str] = []

    def problem(text: str) -> None:
        if len(problems) < _MOST_PROBLEMS:
            problems.append(text)

    try:
        for flow in flows_in(path, problem):
            requests += 1
            if part := _part(flow):
                parts.append(part)
                for flaw in _flaws(flow, part):
                    problem(f"{path}: {flaw}")
                if part.gap and len(gaps) < _MOST_PROBLEMS:
                    gaps.append(f"{flow.place}: {part.gap}")
    except ShapeError as error:
        raise UsageError(error.message, hint=error.hint) from None
    chosen, parts = _of_one_account(parts, path, platform=platform, preferred=preferred)
    found = replace(_together(parts), requests=requests, platform=chosen, gaps=tuple(gaps))
    return replace(found, problems=tuple(problems))


def _flaws(flow: Flow, part: _Part) -> Iterator[str]:
    """What could not be read of a flow of ours; what answers a Process request is not needed."""
    if flow.request_flaw:
        yield flow.request_flaw
    if flow.response is None and part.session is None:
        yield flow.flaw


def _of_one_account(
    parts: Collection[_Part], path: Path, *, platform: str | None, preferred: str | None
) -> tuple[str | None, list[_Part]]:
    """The platform that is taken of a capture, and what belongs to it."""
    known: dict[Secret | None, str] = {
        part.session: part.platform for part in parts if part.session and part.platform
    }
    parts = [replace(part, platform=part.platform or known.get(part.session)) for part in parts]
    seen = sorted({part.platform for part in parts if part.platform})
    if platform is None and len(seen) > 1:
        if preferred not in seen:
            raise UsageError(
                f"{path} shows requests of several platforms: {', '.join(seen)}",
                hint=f"Import each into an account of its own: --platform {seen[0]} "
                "--account NAME, and so on.",
            )
        platform = preferred
    if platform is not None and seen and platform not in seen:
        raise UsageError(
            f"{path} is of platform {', '.join(seen)}, not {platform}",
            hint="Correct --platform, or leave it away.",
        )
    chosen = platform or (seen[0] if seen else None)
    ours = [part for part in parts if part.platform in (None, chosen)]
    if len({part.blaze_id for part in ours if part.blaze_id is not None}) > 1:
        raise UsageError(
            f"{path} shows logins of more than one account",
            hint="Capture one account at a time.",
        )
    # A token pair names no platform; that of another account is known by its login.
    foreign = {part.access for part in parts if part.platform not in (None, chosen)}
    foreign -= {part.access for part in ours}
    return chosen, [
        replace(part, tokens=None) if part.tokens and part.tokens.access in foreign else part
        for part in ours
    ]


def _together(parts: Collection[_Part]) -> Found:
    """What flows come to, taken in the order of their times."""
    found, bundles = Found(), {}
    personas = {part.session: part.blaze_id for part in parts if part.blaze_id is not None}
    for part in sorted(parts, key=attrgetter("at")):
        tokens, ticket = part.tokens or found.tokens, found.ticket
        if tokens is None and part.access is not None:
            end = part.at + _LONE_TOKEN_LIFE
            tokens = Tokens(access=part.access, refresh=None, expires_at=end, obtained_at=part.at)
        if part.session is not None and (ticket is None or ticket.session_key != part.session):
            persona = personas.get(part.session)
            ticket = Ticket(session_key=part.session, blaze_id=persona, obtained_at=part.at)
        if part.bundle is not None:
            persona = ticket.blaze_id if ticket else None
            bundles[part.bundle.id] = replace(part.bundle, blaze_id=persona)
        found = replace(
            found,
            client_id=part.client_id or found.client_id,
            client_secret=part.client_secret or found.client_secret,
            device_id=part.bundle.device_id if part.bundle else found.device_id,
            tokens=tokens,
            ticket=ticket,
        )
    return replace(found, bundles=tuple(bundles.values()))


def _part(flow: Flow) -> _Part | None:
    """What a flow shows; None when it is not one of ours."""
    path = re.split("[?#]", flow.url, maxsplit=1)[0]
    if flow.method != "POST":
        return None
    if path.endswith(TOKEN_PATH):
        return _token(flow)
    if path.endswith(LOGIN_PATH):
        return _login(flow)
    return _process(flow, path) if PROCESS_PATH in path else None


def _token(flow: Flow) -> _Part:
    at, answer = flow.ended_at / 1e6, read_tokens(_reply(flow))
    client_id, client_secret, sent = (
        Secret.read(flow.form.get(name))
        for name in ("client_id", "client_secret", "refresh_token")
    )
    tokens = None
    if isinstance(answer, TokenAnswer):  # without a refresh token it still works for hours
        tokens = Tokens(
            access=answer.access_token,
            refresh=answer.refresh_token or sent,
            expires_at=at + answer.expires_in,
            obtained_at=at,
        )
    return _Part(
        at=at,
        client_id=client_id,
        client_secret=client_secret,
        tokens=tokens,
        gap="" if tokens else _lacks("access token", flow),
    )


def _login(flow: Flow) -> _Part:
    at, answer = flow.ended_at / 1e6, read_login(_reply(flow))
    asked = as_object(flow.request)
    platform = _platform(flow.blaze_id, str(asked.get("productName", "")))
    if not isinstance(answer, LoginAnswer):
        return _Part(at=at, platform=platform, gap=_lacks("session", flow))
    return _Part(
        at=at,
        platform=platform,
        access=Secret.read(asked.get("accessToken")),
        session=answer.session_key,
        blaze_id=answer.blaze_id,
    )


def _process(flow: Flow, path: str) -> _Part:
    at, key = flow.ended_at / 1e6, path.split(PROCESS_PATH, 1)[1]
    info = as_object(str(as_object(flow.request).get("requestInfo", "")).encode("utf-8", "replace"))
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
    return _Part(
        at=at,
        platform=_platform(flow.blaze_id),
        session=Secret.read(unquote(key), most=KEY_LENGTH),
        bundle=bundle,
        gap="" if bundle else "it holds no signature (messageAuthData)",
    )


def _lacks(what: str, flow: Flow) -> str:
    """What a reply should bring; that there is none is told elsewhere."""
    return "" if flow.response is None else f"its answer holds no {what} (HTTP {flow.status})"


def _platform(*names: str) -> str | None:
    """The platform that the first Blaze id or product name of the known form tells."""
    matches = (_PRODUCT.match(name.lower()) for name in names)
    return next((match[1] for match in matches if match), None)


def _reply(flow: Flow) -> Reply:
    return Reply(
        status=flow.status,
        content_type=flow.content_type,
        body=(flow.response or b"").decode("utf-8", "replace").encode(),  # JSON is UTF-8
        fetched_at=flow.ended_at,
        seconds=0.0,
    )
