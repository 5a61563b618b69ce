"""Token and login replies: small JSON in, a token pair, a session or a verdict out."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, replace
from typing import Any

import orjson

from m26.upstream.replies import Reply, classify
from m26.upstream.rules import verdict
from m26.upstream.secret import KEY_LENGTH, Secret
from m26.upstream.verdicts import Action, Verdict

_ACCESS_LIFE = 14_400.0
"""Seconds an access token lives when the answer does not say."""
_LONGEST_LIFE = 30 * 86_400.0
"""Seconds an access token is believed to live, whatever the answer says."""
_UNSENDABLE = "what it gave cannot be sent: it is too long, or no printable ASCII"
_OK, _SERVER_ERRORS = 200, range(500, 600)
_BOM = b"\xef\xbb\xbf"
_NO_CONTROLS = bytes(max(byte, 0x20) for byte in range(256))
"""Raw control bytes inside strings are a known bug of the upstream; outside they are spaces."""
_DIGITS = 20
"""Of the largest integer that is read as one, with a sign."""
_MARKUP_BYTES = 4_096
"""In which an XML error says what it is: a search in all of a large reply could take minutes."""
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
"""How a boolean may be spelled, as JSON or as text."""
_WORDS = 1_000
"""Characters of an error's name or words that are read, as in the Rust core."""
_XML_CODE = re.compile(r"<errorcode>\s*(\d{1,10})\s*</errorcode>", re.IGNORECASE)
_XML_TEXT = re.compile(r"<errormessage>(.*?)</errormessage>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """A new access token, and a new refresh token where there is one."""

    access_token: Secret
    refresh_token: Secret | None
    """None: the one that was sent stays in force (RFC 6749, section 6)."""
    expires_in: float
    """Life of the access token, seconds."""


@dataclass(frozen=True, slots=True)
class LoginAnswer:
    """A new session and the persona it belongs to."""

    session_key: Secret
    blaze_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The envelope facts of a small reply: the `Peek` of what the Rust core never sees."""

    kind: str
    error_name: str | None = None
    error_code: int | None = None
    error_text: str | None = None
    success: bool | None = None
    ui_error_code: int | None = None
    captcha: str | None = None
    captcha_url: str | None = None
    response_time: int | None = None
    count: int = 0
    newest_posted: int | None = None


def read_tokens(reply: Reply) -> TokenAnswer | Verdict:
    """The tokens of a token reply, or why there are none: then the old pair stays."""
    document = as_object(reply.body)
    if isinstance(document.get("error"), str):
        said = ", ".join(
            text for key in ("error", "error_description") if (text := _words(document.get(key)))
        )
        if document["error"] == "invalid_grant":
            return verdict("login_again", said)
        if reply.status not in _SERVER_ERRORS:
            return verdict("client_rejected", said)
    if reply.status == _OK and (pair := _pair(document)):
        return pair
    judged = classify(reply.head, facts(reply.body), call="token")
    if judged.action is Action.NEW_TOKEN:  # a 401 here means the client, not a token
        return verdict("client_rejected", f"HTTP {reply.status}")
    if judged.reason in ("unknown_shape", "soft_ban", "empty_reply", "malformed", "maintenance"):
        return verdict("token_unavailable", f"HTTP {reply.status}")
    return replace(judged, quarantine=False)


def _pair(document: dict[str, Any]) -> TokenAnswer | Verdict | None:
    given = [_text(document.get(f"{kind}_token")) for kind in ("access", "refresh")]
    if given[0] is None:
        return None
    access, refresh = map(Secret.read, given)
    if access is None or (given[1] and refresh is None):  # half a pair would cost the old one
        return verdict("token_unavailable", _UNSENDABLE)
    life = _number(document.get("expires_in")) or _ACCESS_LIFE
    return TokenAnswer(access, refresh, min(life, _LONGEST_LIFE))


def read_login(reply: Reply) -> LoginAnswer | Verdict:
    """The session of a login reply, or why there is none."""
    info = as_object(reply.body).get("userLoginInfo")
    if reply.status == _OK and isinstance(info, dict):
        key = _text(info.get("sessionKey"))
        if session := Secret.read(key, most=KEY_LENGTH):
            return LoginAnswer(session, whole(info.get("blazeId")))
        if key:
            return verdict("login_unreadable", _UNSENDABLE)
    judged = classify(reply.head, facts(reply.body), call="login")
    if judged.reason in ("unknown_shape", "not_success"):
        return verdict("login_unreadable")
    return replace(judged, quarantine=False)  # its bytes may hold secrets: never kept


def facts(body: bytes) -> Facts:
    """Read the envelope of a small reply. Never raises: `kind` says what it is."""
    text = body.removeprefix(_BOM).lstrip()
    if not text:
        return Facts(kind="empty")
    if text.startswith(b"<"):
        return _markup(text[:_MARKUP_BYTES].decode("utf-8", "replace"))
    document = _parse(text)
    if not isinstance(document, dict):
        return Facts(kind="malformed" if document is None else "json")
    error = document.get("error")
    if isinstance(error, dict):
        more = error.get("errortdf") or error.get("errordf")
        return Facts(
            kind="error",
            error_name=_words(error.get("errorname")),
            error_code=whole(error.get("errorcode")),
            error_text=_words(more.get("errorString")) if isinstance(more, dict) else None,
        )
    return Facts(
        kind="json",
        error_code=whole(document.get("code")),
        error_text=_words(document.get("reason")) or _words(document.get("message")),
        success=_flag(document.get("success")),
    )


def _markup(text: str) -> Facts:
    if re.match(r"<(!doctype\s+html|html)", text, re.IGNORECASE):
        return Facts(kind="html")
    code, message = _XML_CODE.search(text), _XML_TEXT.search(text)
    return Facts(
        kind="xml",
        error_code=int(code[1]) if code else None,
        error_text=message[1].strip() if message else None,
    )


def as_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a small body; empty where there is none."""
    document = _parse(body.removeprefix(_BOM))
    return document if isinstance(document, dict) else {}


def _parse(text: bytes) -> Any:  # noqa: ANN401 - any JSON; None where it is none
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # Legal, and not for orjson: half of a surrogate pair, 1e400. Nobody may read that member.
        try:
            return _ANY.decode(text.translate(_NO_CONTROLS).decode())
        except (ValueError, RecursionError):
            return None


def _no_json(word: str) -> float:
    raise ValueError(word)


def _integer(digits: str) -> float:
    return int(digits) if len(digits) <= _DIGITS else float(digits)


_ANY = json.JSONDecoder(parse_int=_integer, parse_constant=_no_json)
"""Takes any JSON, some hundred levels deep."""


def _text(value: object) -> str | None:
    """Text that can be sent and kept; half of a surrogate pair cannot."""
    if not isinstance(value, str) or not value:
        return None
    return None if any("\ud800" <= character <= "\udfff" for character in value) else value


def _words(value: object) -> str | None:
    """What a person is shown, or a few words are looked for in: its beginning is enough."""
    return _text(value[:_WORDS]) if isinstance(value, str) else None


def _flag(value: object) -> bool | None:
    """A boolean, also where it came as a number or as text."""
    return _FLAGS.get(str(value).strip().lower()) if isinstance(value, str | int) else None


def _number(value: object) -> float | None:
    """A positive number, also where it came as text."""
    if isinstance(value, str):
        value = whole(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value < math.inf else None


def whole(value: object) -> int | None:
    """An id as the upstream writes it: a JSON integer within 64 bits, or one as text."""
    if isinstance(value, str):
        return whole(int(value)) if re.fullmatch(r"\s*[0-9]{1,20}\s*", value) else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if -(2**63) <= value < 2**64 else None
