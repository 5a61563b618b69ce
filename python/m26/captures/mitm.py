"""mitmproxy flow files in, their flows out, one in memory at a time."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import Any

from m26.captures.content import decoded
from m26.captures.flow import MAX_FLOW_BYTES, Flow, form_fields, too_long
from m26.errors import ShapeError

# Versions whose HTTP part has the form read here: mitmproxy 4 to 12.
_VERSIONS = range(4, 22)
_OPENING = re.compile(rb"\d{1,12}:\d{1,9}:[a-z_]+[;,]")
_MAX_DIGITS = 9
_LAST_SECOND = 1e11
"""Unix seconds; a later time is damage."""
_TOO_LONG = object()


def is_flow_file(head: bytes) -> bool:
    """Whether a file that begins with `head` is a mitmproxy flow file (tnetstrings)."""
    return _OPENING.match(head) is not None


def read_flows(
    stream: io.BufferedReader, name: str, problem: Callable[[str], None]
) -> Iterator[Flow]:
    """Flows of a flow file, in its order.

    Args:
        stream: the file.
        name: what problems call it.
        problem: told of an end that is cut off, and of a flow that is passed over for its length.

    Raises:
        ShapeError: a flow version that m26 does not know, or not a flow file after all.
    """
    number = 0
    while stream.peek(1):
        try:
            flow = _read(stream)
        except EOFError:
            problem(f"{name} is cut off in flow {number}")
            return
        except (ValueError, RecursionError):  # its text may quote the file, and so a secret
            raise ShapeError(
                f"{name} is damaged in flow {number}",
                hint="Export what is whole with `mitmdump -nr FILE -w NEW`.",
            ) from None
        if flow is _TOO_LONG:
            problem(too_long(name, "flow", number))
            number += 1
            continue
        version = flow.get("version") if isinstance(flow, dict) else None
        version = version if isinstance(version, int) else None
        if not isinstance(flow, dict) or version not in _VERSIONS:
            raise ShapeError(
                f"{name}: flow {number} has flow version {version}; "
                f"m26 reads {_VERSIONS[0]} to {_VERSIONS[-1]}",
                hint="Export it as HAR: mitmdump -nr FILE --set hardump=FILE.har",
            )
        if flow.get("type") == "http" and isinstance(flow.get("request"), dict):
            yield _flow(flow, number)
        number += 1


def _flow(stored: dict[str, Any], number: int) -> Flow:
    request, response = stored["request"], stored.get("response")
    response = response if isinstance(response, dict) else {}
    asked, answered = _headers(request), _headers(response)
    sent, body, flaw = b"", None, f"flow {number} holds no reply body"
    try:
        sent = decoded(_bytes(request, "content"), asked.get("content-encoding", ""))
        if isinstance(response.get("content"), bytes):
            body, flaw = decoded(response["content"], answered.get("content-encoding", "")), ""
    except ValueError as error:
        flaw = f"flow {number} {error}"
    status = response.get("status_code")
    return Flow(
        method=_bytes(request, "method").decode("latin-1").upper(),
        url=_bytes(request, "path").decode("latin-1"),
        blaze_id=asked.get("x-blaze-id", ""),
        request=sent,
        form=form_fields(asked.get("content-type", ""), sent),
        status=status if isinstance(status, int) else 0,
        content_type=answered.get("content-type", ""),
        response=body,
        ended_at=_micros(response.get("timestamp_end") or response.get("timestamp_start")),
        flaw=flaw,
    )


def _headers(message: dict[str, Any]) -> dict[str, str]:
    listed, headers = message.get("headers"), {}
    for header in listed if isinstance(listed, list) else ():
        match header:
            case [bytes(name), bytes(value)]:
                headers[name.decode("latin-1").lower()] = value.decode("latin-1")
            case _:
                continue
    return headers


def _bytes(message: dict[str, Any], key: str) -> bytes:
    value = message.get(key)
    return value if isinstance(value, bytes) else b""


def _micros(seconds: object) -> int:
    if isinstance(seconds, int | float) and 0 < seconds < _LAST_SECOND:
        return round(seconds * 1e6)
    return 0


def _read(stream: io.BufferedReader) -> object:
    """One tnetstring of the stream, or `_TOO_LONG` in place of one that was passed over."""
    digits = b""
    while (char := stream.read(1)) != b":":
        if not char:
            raise EOFError
        digits += char
        if len(digits) > _MAX_DIGITS:
            raise ValueError("no length where one is due")
    length = _length(digits)
    if length > MAX_FLOW_BYTES:
        _pass_over(stream, length + 1)
        return _TOO_LONG
    data = stream.read(length + 1)
    if len(data) < length + 1:
        raise EOFError
    return _value(data, 0, length)


def _pass_over(stream: io.BufferedReader, size: int) -> None:
    while size:
        part = stream.read(min(size, io.DEFAULT_BUFFER_SIZE))
        if not part:
            raise EOFError
        size -= len(part)


_SCALARS: dict[bytes, Callable[[bytes], object]] = {
    b",": bytes,
    b";": bytes.decode,
    b"#": int,
    b"^": float,
    b"!": b"true".__eq__,
    b"~": lambda _: None,
}


def _value(data: bytes, start: int, end: int) -> object:
    """The value whose payload is ``data[start:end]`` and whose type byte follows."""
    kind = data[end : end + 1]
    if kind == b"]":
        return list(_items(data, start, end))
    if kind == b"}":
        items = _items(data, start, end)
        return {_key(key): value for key, value in zip(items, items, strict=True)}
    if kind not in _SCALARS:
        raise ValueError("unknown type")
    return _SCALARS[kind](data[start:end])


def _items(data: bytes, start: int, end: int) -> Iterator[object]:
    while start < end:
        colon = data.index(b":", start, end)
        start, stop = colon + 1, colon + 1 + _length(data[start:colon])
        if stop >= end:
            raise ValueError("a value is longer than what holds it")
        yield _value(data, start, stop)
        start = stop + 1


def _length(digits: bytes) -> int:
    if not digits.isdigit():  # int() takes signs, and a negative length would be read for ever
        raise ValueError("no length where one is due")
    return int(digits)


def _key(key: object) -> str:
    return key.decode() if isinstance(key, bytes) else str(key)
