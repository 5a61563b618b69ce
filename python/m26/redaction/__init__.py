"""Secrets out of text: registered ones, and anything that has the form of one."""

from __future__ import annotations

import re

from m26.redaction.known import SHORTEST, Known

_WORD = (
    r"token|ticket|session[_-]?key|cookie|authori[sz]ation|passw(?:or)?d|secret"
    r"|auth[_-]?(?:code|data)|dsn|device[_-]?id|vault[_-]?key"
)
_SECRET_KEY = re.compile(_WORD, re.IGNORECASE)
_QUOTED = (
    r"(?P<q>\\*+[\"'])(?=(?P<run>(?:[^\"'\\]++|\\++(?![\"'])|(?!(?P=q))\\*+[\"'])*))(?P=run)(?P=q)?"
)
"""Up to the same quote, with as many backslashes before it; in a text that was cut, to its end."""
_SECRET_TEXT = tuple(
    # No form is tried again with less: quantifiers are possessive, or in a look-ahead, which is not
    # entered again, and where a form fails after a long run, its last alternative, without the
    # group, passes all of the run. No group is possessive: Python before 3.11.5 matches it wrongly.
    re.compile(form)
    for form in (
        r"(?P<secret>eyJ[\w-]{8,}+\.[\w-]{8,}+[\w.-]*+)|eyJ[\w-]*+",  # a JWT
        # user:password of a URL, to its last @: a password that should have been percent-encoded
        (
            r"://(?P<secret>[^\s'\"<>:]*+:[^\s'\"<>]*)(?=@)"
            r"|://[^\s'\"<>]*+"
        ),
        r"/Process/(?P<secret>[^\s?\"']++)",  # the session key in a gateway URL
        r"\bBearer (?P<secret>\S++)",
        # password=… of a DSN, a query or a form; "refreshToken": "…" of JSON, of JSON inside of
        # JSON, or of a printed dict
        rf"(?i)(?:{_WORD})[\w-]*+(?:=(?P<secret>{_QUOTED}|[^\s&;,'\")\]}}]++))?",
        rf"(?i)[\"'](?=[\w-]*?(?:{_WORD}))[\w-]++\\*+[\"']\s*+:\s*+b?(?P<secret>{_QUOTED})",
    )
)
MASK = "***"
_INT64 = 2**63

_MOST_LOGGED = 65_536
"""Characters of one value in a log line."""
_DEEPEST = 32
"""Levels of a value in a log line."""
_MOST_BITS = 1_024
"""Of an integer that is written in decimal: Python refuses to where it takes long."""


_known = Known()


def register_secret(value: str, *, rotates: bool = False) -> None:
    """Mask `value` wherever it appears in a later log line or printed error.

    It is found percent-encoded, escaped as in JSON, in base64 of whatever it is a part of, with
    blanks for its plus signs, and where the beginning or the end of a text has cut it.

    Args:
        value: the secret.
        rotates: others will come in its place, so it may be forgotten after thousands of them.
    """
    if len(value) >= SHORTEST:
        _known.add(value, rotates=rotates)


def redact(text: str) -> str:
    """`text` with registered secrets and anything of a secret's form masked.

    The time that it takes grows with the length of `text` alone.
    """
    spans = [*_known.spans(text)]
    for form in _SECRET_TEXT:
        spans += [found.span("secret") for found in form.finditer(text) if found["secret"]]
    if not spans:
        return text
    parts: list[str] = []
    done = 0
    for start, end in sorted(spans):  # of one that begins in another, the rest is masked, too
        if start >= done:
            parts += (text[done:start], MASK)
        done = max(done, end)
    return "".join((*parts, text[done:]))


def clean(value: object, key: str = "", *, depth: int = 0) -> object:
    """`value` with every secret in it masked, whole where `key` is the name of one.

    What is too long or too deep for a log line is cut.
    """
    if key and _SECRET_KEY.search(key) and value not in (None, "") and not isinstance(value, bool):
        return value if isinstance(value, int | float) else MASK
    in_json = value is None or isinstance(value, float)
    if in_json or (isinstance(value, int) and -_INT64 <= value < _INT64):
        return value
    match value:
        case dict() | list() | tuple() | set() | frozenset() if depth == _DEEPEST:
            return "…"
        case dict():
            return {clean(str(k)): clean(v, str(k), depth=depth + 1) for k, v in value.items()}
        case list() | tuple() | set() | frozenset():
            return [clean(each, depth=depth + 1) for each in value]
        case int():
            text = str(value) if value.bit_length() < _MOST_BITS else hex(value)
        case _:
            text = str(value)
    more = f"… ({len(text)} characters)" if len(text) > _MOST_LOGGED else ""
    # JSON has no surrogates.
    return redact(text[:_MOST_LOGGED].encode(errors="backslashreplace").decode()) + more
