"""HAR files: a path in, the exchanges of the capture out, in the order they ended."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from m26.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its reply, as any kind of capture holds them. Full of secrets."""

    method: str
    path: str
    """Of the URL, still percent-encoded."""
    blaze_id: str
    """The X-BLAZE-ID header."""
    request: bytes
    form: dict[str, str]
    """Fields of an HTML form, where the request is one."""
    status: int
    response: bytes
    ended_at: float
    """Unix seconds at which the reply had arrived; 0 when the capture does not say."""

    def __repr__(self) -> str:
        return f"Exchange({self.method}, status={self.status})"


def read_har(path: Path) -> list[Exchange]:
    """All exchanges of a HAR file.

    Raises:
        UsageError: the file cannot be read or is no HAR.
    """
    exchanges = [_exchange(entry) for entry in _entries(path)]
    return sorted(exchanges, key=lambda exchange: exchange.ended_at)


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    try:
        document = orjson.loads(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}", hint="Give the path of a HAR file."
        ) from None
    except orjson.JSONDecodeError:
        document = None
    log = _dict(document, "log") if isinstance(document, dict) else {}
    entries = log.get("entries")
    if not isinstance(entries, list):
        raise UsageError(
            f"{path} is not a HAR file", hint="Export the capture as HAR, with bodies."
        )
    return (entry for entry in entries if isinstance(entry, dict))


def _exchange(entry: dict[str, Any]) -> Exchange:
    request, response = _dict(entry, "request"), _dict(entry, "response")
    posted, status = _dict(request, "postData"), response.get("status")
    body = _content(posted)
    return Exchange(
        method=str(request.get("method", "")).upper(),
        path=_path(str(request.get("url", ""))),
        blaze_id=_header(request, "x-blaze-id"),
        request=body,
        form=_form(posted, body),
        status=status if isinstance(status, int) else 0,
        response=_content(_dict(response, "content")),
        ended_at=_ended(entry),
    )


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _form(posted: dict[str, Any], body: bytes) -> dict[str, str]:
    if "form-urlencoded" not in str(posted.get("mimeType", "")):
        return {}
    fields = dict(parse_qsl(body.decode("utf-8", "replace")))
    params = posted.get("params")
    for param in params if isinstance(params, list) else ():
        if isinstance(param, dict):  # some dialects list the fields, still encoded, and no text
            name, value = str(param.get("name", "")), str(param.get("value", ""))
            fields.setdefault(unquote(name), unquote(value))
    return {name: value for name, value in fields.items() if value}


def _content(part: dict[str, Any]) -> bytes:
    text = part.get("text")
    if not isinstance(text, str):
        return b""
    if part.get("encoding") == "base64":
        try:
            return base64.b64decode(text)
        except (binascii.Error, ValueError):
            return b""
    return text.encode("utf-8", "replace")


def _header(request: dict[str, Any], name: str) -> str:
    headers = request.get("headers")
    for header in headers if isinstance(headers, list) else ():
        if isinstance(header, dict) and str(header.get("name", "")).lower() == name:
            return str(header.get("value", ""))
    return ""


def _ended(entry: dict[str, Any]) -> float:
    try:
        began = datetime.fromisoformat(str(entry.get("startedDateTime"))).timestamp()
    except (ValueError, OverflowError):
        return 0.0
    took = entry.get("time")
    return began + (took / 1_000 if isinstance(took, int | float) and took > 0 else 0.0)


def _dict(parent: dict[str, Any], key: str) -> dict[str, Any]:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}
