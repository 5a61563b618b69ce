"""HAR files in, pages of their Process replies out."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from m26.errors import ShapeError
from m26.models import Page
from m26.offline.exchange import Exchange, is_process, to_page

_OPENING = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"log"\s*:')


def is_har(head: bytes) -> bool:
    """Whether a file that begins with `head` is a HAR."""
    return _OPENING.match(head) is not None


def read_har(data: bytes, name: str, problem: Callable[[str], None]) -> Iterator[Page]:
    """Pages of the Process requests among a HAR's entries, in its order.

    Raises:
        ShapeError: not JSON, or no HAR after all.
    """
    try:
        document = _parse(data)
    except (ValueError, RecursionError) as error:
        raise ShapeError(
            f"{name} begins like a HAR but is not whole JSON: {error}",
            hint="Export it again; a capture that is still being written is not complete.",
        ) from None
    log = document.get("log")
    entries = log.get("entries") if isinstance(log, dict) else None
    if not isinstance(entries, list):
        raise ShapeError(f"{name} has no log.entries", hint="Export the capture as HAR again.")
    for number, entry in enumerate(entries):
        request, response = _table(entry, "request"), _table(entry, "response")
        if not is_process(_text(request, "url")):
            continue
        content = _table(response, "content")
        body = _body(content)
        if body is None:
            problem(f"{name}: entry {number} holds no reply body (export the HAR with content)")
            continue
        yield to_page(
            Exchange(
                url=_text(request, "url"),
                blaze_id=_header(request, "x-blaze-id"),
                request=_text(_table(request, "postData"), "text").encode("utf-8", "replace"),
                status=_number(response, "status"),
                content_type=_text(content, "mimeType"),
                body=body,
                fetched_at=_received(entry),
            )
        )


def _parse(data: bytes) -> dict[str, Any]:
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        parsed = orjson.loads(data)
    except orjson.JSONDecodeError:
        parsed = json.loads(data, strict=False)  # takes lone surrogates and raw control bytes
    return parsed if isinstance(parsed, dict) else {}


def _body(content: dict[str, Any]) -> bytes | None:
    text = content.get("text")
    if not isinstance(text, str):
        return None
    if content.get("encoding") != "base64":
        return text.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(text, validate=False)
    except (binascii.Error, ValueError):
        return None


def _received(entry: dict[str, Any]) -> int:
    """When the reply was complete: start plus duration."""
    try:
        started = datetime.fromisoformat(_text(entry, "startedDateTime"))
        if started.tzinfo is None:
            started = started.replace(tzinfo=UTC)
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        since = (started - epoch) + timedelta(milliseconds=max(0, entry.get("time") or 0))
        return since // timedelta(microseconds=1)
    except (ValueError, TypeError, OverflowError):
        return 0


def _header(message: dict[str, Any], name: str) -> str:
    headers = message.get("headers")
    for header in headers if isinstance(headers, list) else ():
        if _text(header, "name").lower() == name:
            return _text(header, "value")
    return ""


def _table(value: object, key: str) -> dict[str, Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _text(value: object, key: str) -> str:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def _number(value: dict[str, Any], key: str) -> int:
    found = value.get(key)
    return found if isinstance(found, int) and not isinstance(found, bool) else 0
