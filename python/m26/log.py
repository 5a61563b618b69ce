"""Structured log lines on stderr, with every secret taken out before anything is rendered."""

from __future__ import annotations

import contextlib
import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal
from urllib.parse import quote

import orjson
import structlog

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
_STRUCTLOG_OWN = ("_record", "_from_structlog")

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


def _clean(value: object, key: str = "") -> object:
    if key and _SECRET_KEY.search(key) and value not in (None, "") and not isinstance(value, bool):
        return value if isinstance(value, int | float) else MASK
    if isinstance(value, str):
        return redact(value.encode(errors="backslashreplace").decode())  # JSON has no surrogates
    if isinstance(value, dict):
        return {redact(str(k)): _clean(v, str(k)) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(v) for v in value]
    if (
        value is None
        or isinstance(value, float)
        or (isinstance(value, int) and -_INT64 <= value < _INT64)
    ):
        return value
    return redact(str(value))


def _redact_event(
    _logger: object, _name: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if key not in _STRUCTLOG_OWN:
            event[key] = _clean(value, key)
    return event


class _Stderr(logging.StreamHandler[Any]):
    """Writes to the stderr of the moment, which a live display may have wrapped."""

    @property
    def stream(self) -> Any:  # noqa: ANN401 - the type of the base class
        return sys.stderr

    @stream.setter
    def stream(self, _value: object) -> None:
        """The base class's constructor sets it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say that a line is lost; the default would print the record's arguments unredacted."""
        with contextlib.suppress(OSError, ValueError):  # stderr itself is gone
            sys.stderr.write(f"m26: a log line of {record.module}:{record.lineno} was lost\n")


def configure(
    *,
    level: str = "info",
    fmt: Literal["console", "json"] | None = None,
    debug: bool = False,
    color: bool = True,
) -> None:
    """Send structlog's and the standard library's lines to stderr.

    Args:
        level: lowest level shown.
        fmt: ``console`` or ``json``; None picks by whether stderr is a terminal.
        debug: keep tracebacks in the lines (still redacted).
        color: allow colours, on a terminal.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    console = fmt == "console" or (fmt is None and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info if debug else _short_exception,
        _redact_event,  # after exceptions became text, before anything is rendered
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=color and sys.stderr.isatty())
        if console
        else structlog.processors.JSONRenderer(
            serializer=lambda event, **_: orjson.dumps(event, default=str).decode()
        )
    )
    handler = _Stderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=number, force=True)
    logging.captureWarnings(capture=True)  # or they would stand as bare text between JSON lines
    for noisy in ("httpx", "httpcore", "asyncio", "uvicorn.access", "uvicorn.error"):
        logging.getLogger(noisy).setLevel(logging.WARNING)  # httpx logs the URL: a session key
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _short_exception(
    _logger: object, _name: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    info = event.pop("exc_info", None)
    if info:
        error = info[1] if isinstance(info, tuple) else info
        if not isinstance(error, BaseException):
            error = sys.exc_info()[1]
        event["error"] = f"{type(error).__name__}: {error}" if error else ""
    return event
