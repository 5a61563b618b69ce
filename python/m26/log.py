"""Structured log lines on stderr, with every secret taken out before anything is rendered."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import orjson
import structlog

from m26.printable import printable, printable_json
from m26.redaction import clean

_TRACEBACKS = ("exception", "stack")
_STRUCTLOG_OWN = ("_record", "_from_structlog")


def _redact_event(
    _logger: object, _name: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if key not in _STRUCTLOG_OWN:
            event[key] = clean(value, key)
    return event


def _shown(
    _logger: object, _name: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """For lines that a person reads: colours are the only escapes, tracebacks alone have lines."""
    return {
        key: printable(value, keep="\n" if key in _TRACEBACKS else "")
        if isinstance(value, str)
        else value
        for key, value in event.items()
    }


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
            serializer=lambda event, **_: printable_json(orjson.dumps(event, default=str).decode())
        )
    )
    handler = _Stderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *([_shown] if console else []),
                renderer,
            ],
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
