"""Captures of the operator's own app: a file in, the credentials in it out, into the vault.

Requests are recognised by path and body, never by host; nothing else of a capture is kept.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote

import orjson

from m26.auth.credentials import Bundle, Credentials, Ticket, Tokens
from m26.auth.vault import Vault
from m26.captures.exchange import Exchange
from m26.captures.har import read_har
from m26.captures.mitm import is_flow_file, read_flows
from m26.errors import AuthError, ShapeError, UsageError
from m26.upstream.answers import LoginAnswer, TokenAnswer, read_login, read_tokens, whole
from m26.upstream.commands import LOGIN_PATH, PROCESS_PATH, TOKEN_PATH
from m26.upstream.replies import Reply
from m26.upstream.secret import Secret

_PRODUCT = re.compile(r"[a-z]+-\d{4}-([a-z0-9]+)")
_SESSION_WORTH_TRYING = 3_600.0
"""Seconds; an older captured session would only cost a request that is refused."""
_LONE_TOKEN_LIFE = 3_600.0
"""Seconds assumed of an access token whose exchange the capture does not show."""


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

    @property
    def is_empty(self) -> bool:
        """Nothing usable was in it."""
        return not (self.tokens or self.ticket or self.bundles)


def read_credentials(path: Path) -> Found:
    """Read the credentials in a HAR or mitmproxy flow file; of several the newest, of bundles all.

    Raises:
        UsageError: the file cannot be read, or is no such capture.
    """
    requests, steps = 0, []
    try:
        for exchange in _exchanges(path):
            requests += 1
            if step := _step(exchange):
                steps.append((exchange.ended_at, step, exchange))
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}",
            hint="Give the path of a HAR or mitmproxy flow file.",
        ) from None
    except ShapeError as error:
        raise UsageError(error.message, hint=error.hint) from None
    found = Found(requests=requests)
    for _, step, exchange in sorted(steps, key=itemgetter(0)):
        found = step(found, exchange)
    bundles = {bundle.id: bundle for bundle in found.bundles}
    return replace(found, bundles=tuple(bundles.values()))


def _exchanges(path: Path) -> Iterator[Exchange]:
    with path.open("rb") as stream:
        if is_flow_file(stream.peek()):
            yield from read_flows(stream, str(path), _refuse)
        else:
            yield from read_har(stream.read(), str(path))


def _refuse(problem: str) -> NoReturn:
    raise UsageError(problem, hint="Export what is whole with `mitmdump -nr FILE -w NEW`.")


def _step(exchange: Exchange) -> Callable[[Found, Exchange], Found] | None:
    """What takes over from this exchange; None when it is not one of ours."""
    path = _path(exchange)
    if exchange.method != "POST":
        return None
    if path.endswith(TOKEN_PATH):
        return _token
    if path.endswith(LOGIN_PATH):
        return _login
    return _process if PROCESS_PATH in path else None


def _path(exchange: Exchange) -> str:
    return re.split("[?#]", exchange.url, maxsplit=1)[0]


def import_capture(
    vault: Vault,
    path: Path,
    *,
    account: str = "main",
    platform: str | None = None,
    platforms: Collection[str] = (),
    now: float | None = None,
) -> Found:
    """Take the credentials of a capture over into the vault.

    Args:
        vault: where they go.
        path: the capture.
        account: name of the account; a new one is added.
        platform: overrules what the capture says.
        platforms: those of the profile; another one is refused. Empty: any.
        now: Unix seconds, in place of the clock.

    Raises:
        AuthError: the capture holds nothing usable.
        UsageError: no capture, its platform is unknown, or it is another one than the account's.
    """
    at = time.time() if now is None else now
    found = read_credentials(path)
    if found.is_empty:
        raise AuthError(
            f"{path.name}: no token, session or signed request in {found.requests} requests",
            hint="Capture the app's start: its login and one auction search, bodies included.",
        )
    found = replace(found, platform=platform or found.platform)
    if platforms and found.platform not in (None, *platforms):
        raise UsageError(
            f"the profile has no platform {found.platform!r}, only {', '.join(platforms)}",
            hint="Correct --platform, or choose the capture's profile by M26_PROFILE.",
        )
    vault.update(account, lambda held: _laid_over(held, found, account=account, now=at))
    return found


def _laid_over(held: Credentials | None, found: Found, *, account: str, now: float) -> Credentials:
    platform = found.platform or (held.platform if held else None)
    if platform is None:
        raise UsageError("the capture does not tell its platform", hint="Add --platform ps5")
    if held is not None and held.platform != platform:
        raise UsageError(
            f"account {account!r} is of platform {held.platform}, the capture is of {platform}",
            hint="Give each platform its own account: --account NAME",
        )
    base = held or Credentials(platform=platform)
    changed = replace(
        base,
        client_id=found.client_id or base.client_id,
        client_secret=found.client_secret or base.client_secret,
        device_id=found.device_id or base.device_id,
        # Of a bundle that was known the health is kept.
        bundles=tuple({b.id: b for b in (*found.bundles, *base.bundles)}.values()),
    )
    if _is_newer_pair(base, found.tokens):
        changed = replace(
            changed, tokens=found.tokens, refreshes_unanswered=0, refresh_refused=None
        )
    if _is_newer_session(base.ticket, found.ticket, now=now):
        changed = replace(changed, ticket=found.ticket)
    return changed


def _is_newer_pair(base: Credentials, found: Tokens | None) -> bool:
    """Whether the capture's tokens go before the vault's, which m26 may have renewed since."""
    if found is None or base.tokens is None:
        return found is not None
    if found.access == base.tokens.access:
        return found.refresh is not None and found.refresh != base.tokens.refresh
    return found.obtained_at > base.tokens.obtained_at


def _is_newer_session(base: Ticket | None, found: Ticket | None, *, now: float) -> bool:
    if found is None or now - found.obtained_at > _SESSION_WORTH_TRYING:
        return False
    return base is None or found.obtained_at > base.obtained_at


def _token(found: Found, exchange: Exchange) -> Found:
    client_id, client_secret = (
        Secret(exchange.form[name]) if name in exchange.form else None
        for name in ("client_id", "client_secret")
    )
    found = replace(
        found,
        client_id=client_id or found.client_id,
        client_secret=client_secret or found.client_secret,
    )
    answer = read_tokens(_reply(exchange))
    if not isinstance(answer, TokenAnswer):
        return found
    tokens = Tokens(
        access=answer.access_token,
        refresh=answer.refresh_token,
        expires_at=_seconds(exchange) + answer.expires_in,
        obtained_at=_seconds(exchange),
    )
    return replace(found, tokens=tokens)


def _login(found: Found, exchange: Exchange) -> Found:
    found = _platform(found, exchange)
    ended, answer = _seconds(exchange), read_login(_reply(exchange))
    if not isinstance(answer, LoginAnswer):
        return found
    access = _json(exchange.request).get("accessToken")
    if found.tokens is None and isinstance(access, str) and access:
        tokens = Tokens(
            access=Secret(access),
            refresh=None,
            expires_at=ended + _LONE_TOKEN_LIFE,
            obtained_at=ended,
        )
        found = replace(found, tokens=tokens)
    return replace(
        found,
        ticket=Ticket(session_key=answer.session_key, blaze_id=answer.blaze_id, obtained_at=ended),
    )


def _process(found: Found, exchange: Exchange) -> Found:
    found = _platform(found, exchange)
    key = unquote(_path(exchange).split(PROCESS_PATH, 1)[1])
    if key and (found.ticket is None or found.ticket.session_key != Secret(key)):
        ticket = Ticket(session_key=Secret(key), blaze_id=None, obtained_at=_seconds(exchange))
        found = replace(found, ticket=ticket)
    info = _json(str(_json(exchange.request).get("requestInfo", "")).encode())
    auth = info.get("messageAuthData")
    auth = auth if isinstance(auth, dict) else {}
    texts = auth.get("authCode"), auth.get("authData"), info.get("deviceId")
    kind = whole(auth.get("authType"))
    if kind is None or not all(isinstance(text, str) and text for text in texts):
        return found
    code, data, device_id = (Secret(str(text)) for text in texts)
    bundle = Bundle(
        auth_code=code,
        auth_data=data,
        auth_type=kind,
        device_id=device_id,
        blaze_id=found.ticket.blaze_id if found.ticket else None,
        captured_at=_seconds(exchange),
    )
    return replace(found, device_id=device_id, bundles=(*found.bundles, bundle))


def _platform(found: Found, exchange: Exchange) -> Found:
    product = str(_json(exchange.request).get("productName", ""))
    for name in (exchange.blaze_id, product):
        if match := _PRODUCT.match(name.lower()):
            return replace(found, platform=match[1])
    return found


def _reply(exchange: Exchange) -> Reply:
    return Reply(
        status=exchange.status,
        content_type=exchange.content_type,
        body=(exchange.response or b"").decode("utf-8", "replace").encode(),  # JSON is UTF-8
        fetched_at=exchange.ended_at,
        seconds=0.0,
    )


def _seconds(exchange: Exchange) -> float:
    return exchange.ended_at / 1e6


def _json(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}
