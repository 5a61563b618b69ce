"""HAR files in, their exchanges out."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from m26.captures.exchange import Exchange, form_fields
from m26.errors import ShapeError

_OPENING = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"log"\s*:')
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_har(head: bytes) -> bool:
    """Whether a file that begins with `head` is a HAR."""
    return _OPENING.match(head) is not None


def read_har(data: bytes, name: str) -> Iterator[Exchange]:
    """Exchanges of a HAR, in its order.

    Raises:
        ShapeError: not JSON, or no HAR after all.
    """
    try:
        document = _parse(data)
    except (ValueError, RecursionError) as error:
        raise ShapeError(
            f"{name} is not a HAR file: it is not whole JSON ({error})",
            hint="Export it again; a capture that is still being written is not complete.",
        ) from None
    entries = _table(document, "log").get("entries")
    if not isinstance(entries, list):
        raise ShapeError(
            f"{name} is not a HAR file: it has no log.entries",
            hint="Export the capture as HAR, with bodies.",
        )
    for number, entry in enumerate(entries):
        if isinstance(entry, dict):
            yield _exchange(entry, number)


def _parse(data: bytes) -> object:
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return json.loads(data, strict=False)  # takes lone surrogates and raw control bytes


def _exchange(entry: dict[str, Any], number: int) -> Exchange:
    request, response = _table(entry, "request"), _table(entry, "response")
    posted, content = _table(request, "postData"), _table(response, "content")
    # What is asked is read as JSON, so it must be UTF-8; what was answered stays as it is.
    sent, body = _body(posted, "replace"), _body(content, "surrogatepass")
    missing = f"entry {number} holds no reply body (export the HAR with content)"
    status = response.get("status")
    return Exchange(
        method=_text(request, "method").upper(),
        url=_text(request, "url"),
        blaze_id=_blaze_id(request),
        request=sent or b"",
        form=form_fields(_text(posted, "mimeType"), sent or b"", _params(posted)),
        status=status if type(status) is int else 0,
        content_type=_text(content, "mimeType"),
        response=body,
        ended_at=_ended(entry),
        flaw=missing if body is None else "",
    )


def _body(part: dict[str, Any], errors: str) -> bytes | None:
    text = part.get("text")
    if not isinstance(text, str):
        return None
    if part.get("encoding") != "base64":
        return text.encode("utf-8", errors)
    try:
        return base64.b64decode(text, validate=False)
    except (binascii.Error, ValueError):
        return None


def _params(posted: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for param in _tables(posted, "params"):
        yield _text(param, "name"), _text(param, "value")


def _blaze_id(request: dict[str, Any]) -> str:
    for header in _tables(request, "headers"):
        if _text(header, "name").lower() == "x-blaze-id":
            return _text(header, "value")
    return ""


def _ended(entry: dict[str, Any]) -> int:
    """When the reply was complete: start plus duration."""
    took = entry.get("time")
    try:
        began = datetime.fromisoformat(_text(entry, "startedDateTime"))
        lasted = timedelta(milliseconds=max(0, took) if isinstance(took, int | float) else 0)
        if began.tzinfo is None:
            began = began.replace(tzinfo=UTC)
        return (began - _EPOCH + lasted) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        return 0


def _table(value: object, key: str) -> dict[str, Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _tables(value: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = value.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _text(value: dict[str, Any], key: str) -> str:
    """A text, or a number; without lone surrogates, which could not be stored anywhere."""
    found = value.get(key)
    if not isinstance(found, str | int):
        return ""
    return str(found).encode("utf-8", "surrogatepass").decode("utf-8", "replace")
