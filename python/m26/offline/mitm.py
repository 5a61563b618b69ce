"""mitmproxy flow files in, pages of their Process replies out, one flow in memory at a time."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import zstandard

from m26._native import MAX_PAGE_BYTES
from m26.errors import ShapeError
from m26.models import Page
from m26.offline.exchange import Exchange, is_process, to_page

# Versions whose HTTP part has the form read here: mitmproxy 4 to 12.
_VERSIONS = range(4, 22)
_OPENING = re.compile(rb"\d{1,12}:\d{1,9}:[a-z_]+[;,]")
_MAX_DIGITS = 12


def is_flow_file(head: bytes) -> bool:
    """Whether a file that begins with `head` is a mitmproxy flow file (tnetstrings)."""
    return _OPENING.match(head) is not None


def read_flows(
    stream: io.BufferedReader, name: str, problem: Callable[[str], None]
) -> Iterator[Page]:
    """Pages of the Process requests among a flow file's flows, in its order.

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
        except (ValueError, RecursionError) as error:
            raise ShapeError(
                f"{name} is damaged in flow {number}: {error}",
                hint="Export what is whole with `mitmdump -nr FILE -w NEW`.",
            ) from None
        page = _page(flow, f"{name}: flow {number}", problem)
        if page is not None:
            yield page
        number += 1


def _page(flow: object, where: str, problem: Callable[[str], None]) -> Page | None:
    version = flow.get("version") if isinstance(flow, dict) else None
    if not isinstance(flow, dict) or version not in _VERSIONS:
        raise ShapeError(
            f"{where} has flow version {version}; m26 reads {_VERSIONS[0]} to {_VERSIONS[-1]}",
            hint="Export it as HAR: mitmdump -nr FILE --set hardump=FILE.har",
        )
    request, response = flow.get("request"), flow.get("response")
    if flow.get("type") != "http" or not isinstance(request, dict):
        return None
    url = _bytes(request, "path").decode("latin-1")
    if not is_process(url):
        return None
    if not isinstance(response, dict) or not isinstance(response.get("content"), bytes):
        problem(f"{where} holds no reply body")
        return None
    asked, answered = _headers(request), _headers(response)
    try:
        body = _decoded(response["content"], answered.get("content-encoding", ""))
        sent = _decoded(_bytes(request, "content"), asked.get("content-encoding", ""))
    except (ValueError, zlib.error, zstandard.ZstdError) as error:
        problem(f"{where} cannot be decompressed: {error}")
        return None
    ended = response.get("timestamp_end") or response.get("timestamp_start")
    status = response.get("status_code")
    return to_page(
        Exchange(
            url=url,
            blaze_id=asked.get("x-blaze-id", ""),
            request=sent,
            status=status if isinstance(status, int) else 0,
            content_type=answered.get("content-type", ""),
            body=body,
            fetched_at=round(ended * 1e6) if isinstance(ended, int | float) else 0,
        )
    )


def _decoded(content: bytes, encoding: str) -> bytes:
    """The body after HTTP content decoding, cut one byte beyond what a page may have."""
    match encoding.lower().strip():
        case "" | "identity":
            return content
        case "gzip" | "x-gzip" | "deflate":
            decoder = zlib.decompressobj(wbits=47)  # gzip or zlib, by its own header
            body = decoder.decompress(content, MAX_PAGE_BYTES + 1)
            if not decoder.eof and len(body) <= MAX_PAGE_BYTES:
                raise ValueError("the compressed reply is cut off")
            return body
        case "zstd":
            return zstandard.ZstdDecompressor().stream_reader(content).read(MAX_PAGE_BYTES + 1)
        case other:
            raise ValueError(f"content encoding {other!r} is not known")


def _headers(message: dict[str, Any]) -> dict[str, str]:
    headers = {}
    for header in message.get("headers") or ():
        match header:
            case [bytes(name), bytes(value)]:
                headers[name.decode("latin-1").lower()] = value.decode("latin-1")
            case _:
                continue
    return headers


def _bytes(message: dict[str, Any], key: str) -> bytes:
    value = message.get(key)
    return value if isinstance(value, bytes) else b""


def _read(stream: io.BufferedReader) -> object:
    """One tnetstring of the stream."""
    digits = b""
    while (char := stream.read(1)) != b":":
        if not char:
            raise EOFError
        digits += char
        if not char.isdigit() or len(digits) > _MAX_DIGITS:
            raise ValueError("no length where one is due")
    length = int(digits or b"0")
    data = stream.read(length + 1)
    if len(data) < length + 1:
        raise EOFError
    return _value(data, 0, length)


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
        raise ValueError(f"unknown type {kind!r}")
    return _SCALARS[kind](data[start:end])


def _items(data: bytes, start: int, end: int) -> Iterator[object]:
    while start < end:
        colon = data.index(b":", start, end)
        start, stop = colon + 1, colon + 1 + int(data[start:colon])
        if stop >= end:
            raise ValueError("a value is longer than what holds it")
        yield _value(data, start, stop)
        start = stop + 1


def _key(key: object) -> str:
    return key.decode() if isinstance(key, bytes) else str(key)
