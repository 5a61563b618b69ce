"""Secrets out of text: registered ones, and anything that has the form of one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from threading import Lock
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

_SHORTEST = 6
"""Shorter secrets would mask ordinary words."""
_MOST_ROTATING = 4_096
"""Months of tokens and session keys; and a large pool of captured signatures fits in as well."""


class _Known:
    """Registered secrets, found in a text at a cost that does not grow with their number."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Know none."""
        self._whole: set[str] = set()
        self._lengths: dict[str, dict[int, int]] = {}
        """By their first characters: how many there are of each length, the longest first."""
        self._kept: set[str] = set()
        self._rotating: dict[str, None] = {}

    def add(self, value: str, *, rotates: bool) -> None:
        """Add one. Of too many that rotate, the one added longest ago is dropped."""
        with _changing:
            if not rotates:
                self._kept.add(value)
            self._rotating.pop(value, None)
            if value not in self._kept:
                self._rotating[value] = None
            for form in _forms(value):
                if form not in self._whole:
                    self._whole.add(form)
                    self._count(form, 1)
            if len(self._rotating) > _MOST_ROTATING:
                oldest = next(iter(self._rotating))
                del self._rotating[oldest]
                for form in _forms(oldest):
                    self._whole.discard(form)
                    self._count(form, -1)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where any of them stand in `text`."""
        at = 0
        while at <= len(text) - _SHORTEST:
            for length in self._lengths.get(text[at : at + _SHORTEST], ()):
                if text[at : at + length] in self._whole:
                    yield at, at + length
                    at += length
                    break
            else:
                at += 1

    def _count(self, form: str, change: int) -> None:
        counts = Counter(self._lengths.get(form[:_SHORTEST], {}))
        counts[len(form)] += change
        # Replaced, never changed: another thread may be going through the old one.
        left = {length: count for length, count in sorted(counts.items(), reverse=True) if count}
        if left:
            self._lengths[form[:_SHORTEST]] = left
        else:
            del self._lengths[form[:_SHORTEST]]


_changing = Lock()
_known = _Known()


def _forms(value: str) -> tuple[str, ...]:
    """As it is, and as it stands in a URL or an HTML form."""
    quoted = quote(value, safe="")
    return (value,) if quoted == value else (value, quoted)


def register_secret(value: str, *, rotates: bool = False) -> None:
    """Mask `value` wherever it appears in a later log line or printed error, URL-encoded too.

    Args:
        value: the secret.
        rotates: others will come in its place, so it may be forgotten after thousands of them.
    """
    if len(value) >= _SHORTEST:
        _known.add(value, rotates=rotates)


def redact(text: str) -> str:
    """`text` with registered secrets and anything of a secret's form masked."""
    spans = [*_known.spans(text)]
    for form in _SECRET_TEXT:
        spans += [(found.end(1), found.end()) for found in form.finditer(text)]
    if not spans:
        return text
    parts: list[str] = []
    done = 0
    for start, end in sorted(spans):  # of one that begins in another, the rest is masked, too
        if start >= done:
            parts += (text[done:start], MASK)
        done = max(done, end)
    return "".join((*parts, text[done:]))


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
