"""A body as it went over the wire in, the body it stands for out: HTTP's content encodings."""

from __future__ import annotations

import zlib

import zstandard

from m26._native import MAX_PAGE_BYTES

_AS_HAR = "export the capture as HAR: mitmdump -nr FILE --set hardump=FILE.har"


def decoded(content: bytes, encoding: str) -> bytes:
    """The body after content decoding, cut one byte beyond what a page may have.

    Args:
        content: the body as sent.
        encoding: the Content-Encoding header; empty when there is none.

    Raises:
        ValueError: it cannot be decoded; the text continues a sentence on the flow.
    """
    try:
        match encoding.lower().strip():
            case "" | "identity":
                return content
            case "gzip" | "x-gzip" | "deflate":
                decoder = zlib.decompressobj(wbits=47)  # gzip or zlib, by its own header
                body = decoder.decompress(content, MAX_PAGE_BYTES + 1)
                if not decoder.eof and len(body) <= MAX_PAGE_BYTES:
                    raise ValueError("cannot be decompressed: the body is cut off")
                return body
            case "zstd":
                return zstandard.ZstdDecompressor().stream_reader(content).read(MAX_PAGE_BYTES + 1)
            case "br":
                raise ValueError(f"is compressed with brotli, which m26 does not read; {_AS_HAR}")
            case other:
                raise ValueError(f"has content encoding {other[:20]!r}, unknown to m26; {_AS_HAR}")
    except (zlib.error, zstandard.ZstdError) as error:
        raise ValueError(f"cannot be decompressed: {error}") from None
