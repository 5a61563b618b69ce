"""A body as a capture holds it in, the body it stands for out: HTTP's encodings, and text's."""

from __future__ import annotations

import codecs
from typing import Final

from m26._native import MAX_PAGE_BYTES
from m26.unpack import Kind, Unpacker, packed_as

_AS_HAR = "export the capture as HAR: mitmdump -nr FILE --set hardump=FILE.har"
_ROOM: Final = MAX_PAGE_BYTES + 1
_MOST_LAYERS = 4
_DEFLATE = 8
"""The method in the first byte of a zlib stream (RFC 1950)."""
_CODECS = (  # the longer marks first: UTF-16's is the beginning of UTF-32's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_TEXT = frozenset({*b"\t\r\n", *range(0x20, 0x7F), codecs.BOM_UTF8[0]})


def decoded(content: bytes, encoding: str) -> bytes:
    """The body after content decoding, in UTF-8, cut one byte beyond what a page may have.

    What a body is packed in is known by its first bytes, else by the header: exporters unpack
    bodies and leave the header, leave both, or write what is no encoding.

    Args:
        content: the body as sent.
        encoding: the Content-Encoding header; empty when there is none.

    Raises:
        ValueError: it cannot be decoded; the text continues a sentence on the flow.
    """
    body, layers = content, 0
    while layers < _MOST_LAYERS and (kind := packed_as(body)) is not None:
        body, layers = _unpacked(body, kind), layers + 1
    named = {name.strip() for name in encoding.lower().split(",")} - {"", "identity", "none"}
    if named and body and not layers and not _is_text(body):
        body = _by_name(body, named)
    codec = codec_of(body)
    return body if codec is None else body.decode(codec, "replace").encode()[:_ROOM]


def codec_of(head: bytes) -> str | None:
    """The codec of a text that begins with `head`; None: UTF-8, or no text."""
    return next((codec for mark, codec in _CODECS if head.startswith(mark)), None)


def _by_name(body: bytes, named: set[str]) -> bytes:
    """A body that is no text and has no magic, decoded as its header says."""
    if "deflate" in named:  # of a zlib stream, as RFC 9110 says, or bare
        is_zlib = body[0] & 15 == _DEFLATE and not int.from_bytes(body[:2], "big") % 31
        return _unpacked(body, "zlib" if is_zlib else "deflate")
    if named & {"gzip", "x-gzip", "zstd"}:
        raise ValueError("cannot be decompressed: its bytes are of no known compression")
    if "br" in named:
        raise ValueError(f"is compressed with brotli, which m26 does not read; {_AS_HAR}")
    raise ValueError(f"has content encoding {min(named)[:20]!r}, unknown to m26; {_AS_HAR}")


def _unpacked(body: bytes, kind: Kind) -> bytes:
    unpacker = Unpacker(kind)
    found = unpacker.feed(body, _ROOM)
    if len(found) < _ROOM and not unpacker.is_whole:
        raise ValueError(f"cannot be decompressed: {unpacker.fault or 'the body is cut off'}")
    return found


def _is_text(body: bytes) -> bool:
    if codec_of(body) is not None:
        return True
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return body[0] in _TEXT
