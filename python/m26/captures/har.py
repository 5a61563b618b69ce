"""HAR files in, their flows out."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson

from m26.captures.content import decoded
from m26.captures.flow import MAX_FLOW_BYTES, Flow, too_long
from m26.captures.split import Source, Splitter
from m26.clock import micros_of
from m26.errors import ShapeError

_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?")


def is_har(head: bytes) -> bool:
    """Whether a file that begins with `head` is a HAR."""
    splitter = Splitter()
    next(splitter.split(io.BytesIO(head), limit=0), None)
    return splitter.has_log


def read_har(source: Source, name: str, problem: Callable[[str], None]) -> Iterator[Flow]:
    """Flows of a HAR, in its order, one entry in memory at a time.

    Args:
        source: the file.
        name: what problems call it.
        problem: told of an end that is cut off, and of each entry that cannot be read.

    Raises:
        ShapeError: no HAR after all.
    """
    splitter, count = Splitter(), 0
    for number, text in enumerate(splitter.split(source, limit=MAX_FLOW_BYTES)):
        count = number + 1
        if text is None:
            problem(too_long(name, "entry", number))
            continue
        try:
            entry = _parse(text)
        except (ValueError, RecursionError):  # its text may quote the file, and so a secret
            problem(f"{name}: entry {number} is damaged: it is no valid JSON")
        else:
            yield _flow(entry, number)
    if not splitter.has_entries:
        raise ShapeError(
            f"{name} is not a HAR file: it has no log.entries",
            hint="Export the capture as HAR, with bodies.",
        )
    if not splitter.is_whole:
        problem(f"{name} is cut off in entry {count}")
    elif splitter.has_more:
        problem(f"{name} goes on after the end of its HAR; that was not read")


def _parse(text: bytes | bytearray) -> dict[str, Any]:
    """An entry; its text begins with a brace."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = json.loads(text, strict=False)  # takes lone surrogates and raw control bytes
    return cast("dict[str, Any]", found)


def _flow(entry: dict[str, Any], number: int) -> Flow:
    request, response = _table(entry, "request"), _table(entry, "response")
    # HTTP Toolkit puts a request's body that is no text into _content.
    posted = _table(request, "postData") or _table(request, "_content")
    content = _table(response, "content")
    kind = _text(posted, "mimeType") or _header(request, "content-type")
    place = f"entry {number}"
    # What is asked is read as JSON, so it must be UTF-8; what was answered stays as it is.
    sent, request_flaw = _body(posted, _header(request, "content-encoding"), "replace")
    body, flaw = _body(content, _header(response, "content-encoding"), "surrogatepass")
    if body is None and not flaw:
        flaw = "holds no reply body (export the HAR with content)"
    status = response.get("status")
    return Flow(
        place=place,
        method=_text(request, "method").upper(),
        url=_text(request, "url"),
        blaze_id=_header(request, "x-blaze-id"),
        request=sent or b"",
        request_type=kind,
        listed=_params(posted),
        status=status if type(status) is int else 0,
        content_type=_text(content, "mimeType") or _header(response, "content-type"),
        response=body,
        ended_at=_ended(entry),
        flaw=f"{place} {flaw}" if flaw else "",
        request_flaw=f"{place}: its request {request_flaw}" if request_flaw else "",
    )


def _body(part: dict[str, Any], encoding: str, errors: str) -> tuple[bytes | None, str]:
    """A body after content decoding, None where there is none; and what is wrong with it."""
    kept = _kept(part, errors)
    try:
        return (None if kept is None else decoded(kept, encoding)), ""
    except ValueError as error:
        return None, str(error)


def _kept(part: dict[str, Any], errors: str) -> bytes | None:
    """A body as the HAR keeps it: bytes in base64, or a text."""
    text = part.get("text")
    if isinstance(text, dict | list):  # parsed already, by a program that means well
        text = json.dumps(text, ensure_ascii=False, separators=(",", ":"))
    if not isinstance(text, str):
        return None
    packed = _text(part, "encoding").strip().lower() == "base64"
    if packed and (found := _from_base64(text)) is not None:
        return found
    if text.startswith("\x1f\x8b"):  # bytes, each written as the character of its number
        with contextlib.suppress(UnicodeEncodeError):
            return text.encode("latin-1")
    return text.encode("utf-8", errors)


def _from_base64(text: str) -> bytes | None:
    """The bytes of base64, also in lines, url-safe or unpadded; None where it is none."""
    one = "".join(text.split()).replace("-", "+").replace("_", "/")
    if _BASE64.fullmatch(one) is None:
        return None
    return base64.b64decode(one.rstrip("=") + "=" * (-len(one.rstrip("=")) % 4))


def _params(posted: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for param in _tables(posted, "params"):
        yield _text(param, "name"), _text(param, "value")


def _header(message: dict[str, Any], name: str) -> str:
    """A header by its name in small letters; dialects differ in the case."""
    named = (h for h in _tables(message, "headers") if _text(h, "name").lower() == name)
    return next((_text(header, "value") for header in named), "")


def _ended(entry: dict[str, Any]) -> int:
    """When the reply was complete: start plus duration."""
    took = entry.get("time")
    try:
        began = datetime.fromisoformat(_text(entry, "startedDateTime"))
        lasted = timedelta(milliseconds=max(0, took) if isinstance(took, int | float) else 0)
        if began.tzinfo is None:
            began = began.replace(tzinfo=UTC)
        return micros_of(began + lasted)
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
