"""Secrets out of text: registered ones, and anything that has the form of one."""

from __future__ import annotations

import re
from urllib.parse import quote

_WORD = (
    r"token|ticket|session[_-]?key|cookie|authori[sz]ation|passw(?:or)?d|secret"
    r"|auth[_-]?(?:code|data)|dsn|device[_-]?id|vault[_-]?key"
)
_SECRET_KEY = re.compile(_WORD, re.IGNORECASE)
_SECRET_TEXT = (
    re.compile(r"()eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"),  # a JWT
    # user:password of a URL, to its last @: a password that should have been percent-encoded too
    re.compile(r"(://)[^\s'\"<>]{0,300}:[^\s'\"<>]{0,300}(?=@)"),
    re.compile(r"(/Process/)[^\s?\"']+"),  # the session key in a gateway URL
    re.compile(r"\b(Bearer )\S+"),
    # password=… of a DSN, a query or a form; "refreshToken": "…" of JSON or a printed dict
    re.compile(rf"(?i)((?:{_WORD})\w*=)(?:'[^']*'|\"[^\"]*\"|[^\s&;,'\")\]}}]+)"),
    re.compile(rf"(?i)([\"'][\w-]*(?:{_WORD})[\w-]*[\"']\s*:\s*)(?:\"[^\"]*\"|'[^']*')"),
)
MASK = "***"
_INT64 = 2**63

_known: set[str] = set()


def register_secret(value: str) -> None:
    """Mask `value` wherever it appears in a later log line or printed error, URL-encoded too."""
    if len(value) >= 6:  # noqa: PLR2004 - shorter ones would mask ordinary words
        _known.update((value, quote(value, safe="")))


def redact(text: str) -> str:
    """`text` with registered secrets and anything of a secret's form masked."""
    for secret in sorted(_known, key=len, reverse=True):  # one secret may be a part of another
        text = text.replace(secret, MASK)
    for form in _SECRET_TEXT:
        text = form.sub(rf"\1{MASK}", text)
    return text


def clean(value: object, key: str = "") -> object:
    """`value` with every secret in it masked, whole where `key` is the name of one."""
    if key and _SECRET_KEY.search(key) and value not in (None, "") and not isinstance(value, bool):
        return value if isinstance(value, int | float) else MASK
    if isinstance(value, str):
        return redact(value.encode(errors="backslashreplace").decode())  # JSON has no surrogates
    if isinstance(value, dict):
        return {redact(str(k)): clean(v, str(k)) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [clean(v) for v in value]
    if (
        value is None
        or isinstance(value, float)
        or (isinstance(value, int) and -_INT64 <= value < _INT64)
    ):
        return value
    return redact(str(value))
