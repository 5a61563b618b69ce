"""What a reply means: HTTP status and envelope facts in, one verdict of the failure table out."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Protocol
from urllib.parse import urlsplit

from m26.errors import TransportError
from m26.upstream.rules import OK, RULES, verdict
from m26.upstream.verdicts import Action, Verdict

__all__ = ["Action", "Head", "Peek", "Reply", "Verdict", "classify", "classify_transport"]

_BLAZE = {
    "ERR_TIMEOUT": "transient",
    "ERR_CANCELED": "transient",
    "ERR_SYSTEM": "transient",
    "ERR_AUTHENTICATION_REQUIRED": "session_rejected",
    "ERR_INVALID_SESSION": "session_rejected",
    "ERR_DISCONNECTED": "session_rejected",
    "ERR_AUTHORIZATION_REQUIRED": "signature_rejected",
    "AUTH_ERR_EXPIRED_TOKEN": "token_expired",
    "AUTH_ERR_INVALID_TOKEN": "token_expired",
    "ERR_DUPLICATE_LOGIN": "duplicate_login",
    "AUTH_ERR_DUPLICATE_LOGIN": "duplicate_login",
    "DUPLICATE_LOGIN": "duplicate_login",
    "AUTH_ERR_BANNED": "banned",
    "AUTH_ERR_PERSONA_BANNED": "banned",
    "PERSONA_BANNED": "banned",
    "AUTH_ERR_DISABLED": "banned",
    "AUTH_ERR_DEACTIVATED": "banned",
    "AUTH_ERR_USER_INACTIVE": "banned",
}
_BLAZE_NUMBER = {
    1073807360: "ERR_SYSTEM",
    1074003968: "ERR_AUTHENTICATION_REQUIRED",
    1074069504: "ERR_TIMEOUT",
    1074135040: "ERR_DISCONNECTED",
    1074200576: "ERR_DUPLICATE_LOGIN",
    1074266112: "ERR_AUTHORIZATION_REQUIRED",
    1074331648: "ERR_CANCELED",
    65537: "AUTH_ERR_INVALID_TOKEN",
    917505: "AUTH_ERR_EXPIRED_TOKEN",
    2097153: "AUTH_ERR_PERSONA_BANNED",
    2818049: "AUTH_ERR_BANNED",
    2949121: "AUTH_ERR_DUPLICATE_LOGIN",
    6619137: "AUTH_ERR_USER_INACTIVE",
}
_OK, _TOO_MANY, _CAPTCHA = 200, 429, (458, 459)
_HTTP_ERRORS = range(400, 600)
_WRONG_PRODUCT = re.compile(r"not found for game (\S+)", re.IGNORECASE)
_PLAIN = frozenset(("wrong_product", "session_rejected", "token_rejected", "rate_limited"))
"""Reasons that are everyday business in XML, too."""
_STALE_AFTER = 30 * 86_400
_LONGEST_WAIT = 86_400.0
"""Seconds: whatever a server says, it is asked again after a day."""
_LONG = 60.0


class Head(NamedTuple):
    """What HTTP says of a reply, as far as it is judged by that; a journal record has it, too."""

    status: int
    fetched_at: int
    """Our clock at the last byte, microseconds."""
    retry_after: float | None = None
    """Seconds that the server asks us to wait."""
    served_at: int = 0
    """When the server made it, microseconds, as was decided; 0: it was not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One fully received reply. Its body may hold secrets when it answers a token or login call."""

    status: int
    content_type: str
    body: bytes
    """After HTTP content decoding, exactly as served."""
    fetched_at: int
    """Our clock at the last byte, microseconds."""
    seconds: float
    """Request sent to last byte received."""
    date: int = 0
    """Its ``Date`` header, microseconds; 0 where it has none."""
    retry_after: float | None = None
    """Seconds that the server asks us to wait."""

    @property
    def head(self) -> Head:
        """What it is judged by, beside its body."""
        return Head(self.status, self.fetched_at, self.retry_after)

    def __repr__(self) -> str:
        return f"Reply(status={self.status}, {len(self.body)} bytes, {self.content_type!r})"


class Peek(Protocol):
    """What classification needs to know of a body; `m26._native.Peek` is one."""

    @property
    def kind(self) -> str:
        """``search``, ``error``, ``json``, ``xml``, ``html``, ``empty`` or ``malformed``."""

    @property
    def error_name(self) -> str | None: ...  # noqa: D102
    @property
    def error_code(self) -> int | None: ...  # noqa: D102
    @property
    def error_text(self) -> str | None: ...  # noqa: D102
    @property
    def ui_error_code(self) -> int | None: ...  # noqa: D102
    @property
    def captcha(self) -> str | None: ...  # noqa: D102
    @property
    def captcha_url(self) -> str | None: ...  # noqa: D102
    @property
    def response_time(self) -> int | None: ...  # noqa: D102
    @property
    def count(self) -> int: ...  # noqa: D102
    @property
    def newest_posted(self) -> int | None: ...  # noqa: D102
    @property
    def success(self) -> bool | None: ...  # noqa: D102


def classify(
    head: Head,
    peek: Peek,
    *,
    call: Literal["command", "login", "token"] = "command",
    hosts: Collection[str] = (),
) -> Verdict:
    """Judge one reply by the failure table. Pure: what came before is `Escalation`'s business.

    The body decides before the status does, and names decide before numbers: the upstream wraps
    errors in HTTP 200, and its numbers were derived, not seen.

    Args:
        head: what HTTP says of it.
        peek: what its body says.
        call: what it answers.
        hosts: the profile's; of a captcha's address no other is shown.
    """
    judged = _judge(head, peek, call)
    if judged.reason == "captcha":  # nothing else of it: whoever wrote it wants to be followed
        judged = verdict("captcha", _host(peek.captcha_url, hosts))
    if peek.kind == "xml" and judged.reason not in _PLAIN:
        return replace(judged, quarantine=True)  # XML was not asked for: worth a look
    return judged


def _judge(head: Head, peek: Peek, call: str) -> Verdict:
    if peek.captcha is not None or head.status in _CAPTCHA:
        return RULES["captcha"]
    if head.status == _TOO_MANY:  # no body can soften it
        return _rate_limited(head, peek)
    name = (peek.error_name or "").strip().upper() or _BLAZE_NUMBER.get(peek.error_code or 0, "")
    reason = _BLAZE.get(name) or ("transient" if name.startswith("ERR_DB_") else None)
    if reason is not None:
        login_system = name == "ERR_SYSTEM" and call == "login"
        return verdict("login_limited" if login_system else reason, _said(name, peek.error_text))
    if name:
        return verdict("unknown_error", _said(name, peek.error_text))
    status = _effective_status(head, peek)
    judge = _BY_STATUS.get(status) or (_by_kind if status == _OK else _unexpected)
    return judge(head, peek)


def _host(url: str | None, hosts: Collection[str]) -> str | None:
    """Scheme and host of an address that is one of ours, and nothing of any other."""
    try:
        parts = urlsplit(url or "")
        host = parts.hostname
    except ValueError:
        return None
    return f"https://{host}" if parts.scheme == "https" and host in hosts else None


def classify_transport(error: TransportError) -> Verdict:
    """Judge a transfer that did not end in a reply."""
    reason = getattr(error, "reason", "cut")
    return verdict(reason if reason in RULES else "cut", error.message)


def _by_kind(head: Head, peek: Peek) -> Verdict:
    if peek.success is False:
        return verdict("not_success", peek.error_text)
    if peek.kind == "search":
        return _search(head, peek)
    if peek.kind == "error":
        return verdict("unknown_error", _said(f"number {peek.error_code}", peek.error_text))
    reasons = {
        "json": "unknown_shape",
        "xml": "unexpected_xml",
        "html": "unexpected_html",
        "empty": "empty_reply",
    }
    return verdict(reasons.get(peek.kind, "malformed"), peek.error_text)


def _search(head: Head, peek: Peek) -> Verdict:
    if peek.ui_error_code and not peek.count:  # an error dressed as an empty market
        return verdict("ui_error", _said(f"uiErrorCode {peek.ui_error_code}", peek.error_text))
    # By the server's clock as far as it is known: neither a wrong clock of ours nor one odd time of
    # theirs must stop the collection.
    now = (head.served_at or peek.response_time or head.fetched_at) / 1e6
    if peek.newest_posted is not None and peek.count and now - peek.newest_posted > _STALE_AFTER:
        return verdict("stale_market")
    return OK


def _effective_status(head: Head, peek: Peek) -> int:
    """The HTTP status, or the one that an XML or JSON body claims inside a 200."""
    claimed = peek.error_code
    if head.status == _OK and claimed in _HTTP_ERRORS and not peek.error_name:
        return claimed or _OK
    return head.status


def _rate_limited(head: Head, _peek: Peek) -> Verdict:
    if head.retry_after is None:
        return RULES["rate_limited"]
    wait, said = _asked_to_wait(head.retry_after)
    return verdict("rate_limited", said, pause=wait, longer=())


def _maintenance(head: Head, peek: Peek) -> Verdict:
    detail = _said(f"HTTP {head.status}", peek.error_text)
    if head.retry_after is None:
        return verdict("maintenance", detail)
    wait, said = _asked_to_wait(head.retry_after)
    delays = tuple(max(wait, delay) for delay in RULES["maintenance"].delays)
    if wait < _LONG:
        return verdict("maintenance", _said(detail, said), delays=delays)
    # Kept over a restart, as every long wait.
    return verdict(
        "maintenance", _said(detail, said), action=Action.PAUSE, pause=wait, longer=delays[1:]
    )


def _asked_to_wait(retry_after: float) -> tuple[float, str]:
    """Seconds to wait for a ``Retry-After``, within reason, and what is told of it."""
    wait = min(max(1.0, retry_after), _LONGEST_WAIT)
    capped = f"; m26 asks again after {wait / 3600:.0f} h" if wait < retry_after else ""
    return wait, f"asked to wait {retry_after:.0f} s{capped}"


def _unauthorized(_head: Head, peek: Peek) -> Verdict:
    about_session = "session" in (peek.error_text or "").lower()
    return verdict("session_rejected" if about_session else "token_rejected", peek.error_text)


def _forbidden(head: Head, peek: Peek) -> Verdict:
    from_edge = peek.kind in ("html", "empty")
    return RULES["edge_blocked"] if from_edge else _unexpected(head, peek)


def _not_found(head: Head, peek: Peek) -> Verdict:
    game = _WRONG_PRODUCT.search(peek.error_text or "")
    return verdict("wrong_product", game[1]) if game else _unexpected(head, peek)


def _server_error(head: Head, peek: Peek) -> Verdict:
    # A 500 that gives no reason is a temporary ban in EA's other games; one that does is a fault.
    silent = peek.kind in ("empty", "json", "error") and not peek.error_text
    return verdict("soft_ban", "HTTP 500") if silent else _maintenance(head, peek)


def _unexpected(head: Head, peek: Peek) -> Verdict:
    return verdict("unexpected_status", _said(f"HTTP {head.status}", peek.error_text))


def _always(reason: str) -> Callable[[Head, Peek], Verdict]:
    def judge(head: Head, peek: Peek) -> Verdict:
        return verdict(reason, _said(f"HTTP {head.status}", peek.error_text))

    return judge


_BY_STATUS: dict[int, Callable[[Head, Peek], Verdict]] = {
    401: _unauthorized,
    403: _forbidden,
    404: _not_found,
    429: _rate_limited,
    500: _server_error,
    **dict.fromkeys((426, 512, 521), _always("soft_ban")),
    **dict.fromkeys((458, 459), _always("captcha")),
    **dict.fromkeys((480, 481, 494), _always("locked")),
    **dict.fromkeys((502, 503, 504), _maintenance),
}


def _said(what: str, text: str | None) -> str:
    return ", ".join(part for part in (what, text) if part)
