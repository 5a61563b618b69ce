"""A file or standard input as a stream of plain bytes whose beginning can be looked at first."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

import zstandard

from m26.errors import UsageError

STDIN = "-"
HEAD_BYTES = 64 * 1024
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_BYTES = 4096  # so little at a time that a bomb stays small


class _Filling(io.RawIOBase):
    """Reads until the buffer is full or the source ends, so that a peek sees the whole head."""

    def __init__(self, source: BinaryIO, on_read: Callable[[int], None] | None = None) -> None:
        self._source = source
        self._on_read = on_read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        filled = 0
        while filled < len(buffer) and (part := self._source.read(len(buffer) - filled)):
            buffer[filled : filled + len(part)] = part
            filled += len(part)
        if self._on_read is not None:
            self._on_read(filled)
        return filled


class _Frames:
    """Decompresses zstd frames one after the other.

    zstandard's own stream reader takes a file that is cut off for one that ends.
    """

    def __init__(self, source: io.BufferedReader) -> None:
        self._source = source
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._ready = memoryview(b"")

    def read(self, size: int) -> memoryview:
        """At most `size` bytes, none at the end. Raises EOFError inside a frame."""
        while not self._ready:
            packed = self._frame.unused_data if self._frame.eof else b""
            packed = packed or self._source.read(_ZSTD_BYTES)
            if not packed:
                if self._frame.eof:
                    break
                raise EOFError("the last frame has no end")
            if self._frame.eof:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._ready = memoryview(self._frame.decompress(packed))
        part, self._ready = self._ready[:size], self._ready[size:]
        return part


@contextmanager
def open_source(
    path: str, *, on_read: Callable[[int], None] | None = None
) -> Iterator[io.BufferedReader]:
    """Open `path`, decompressed if it is gzip or zstd by its first bytes.

    Args:
        path: a file, or ``-`` for standard input.
        on_read: called with the number of bytes each time some were taken from the file.

    Raises:
        UsageError: it cannot be opened.
    """
    try:
        raw = sys.stdin.buffer if path == STDIN else open(path, "rb", buffering=0)  # noqa: SIM115, PTH123
    except FileNotFoundError:
        raise UsageError(f"no such file: {path}", hint="Check the path.") from None
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}", hint="Check the file and its permissions."
        ) from None
    try:
        stream = _buffered(cast("BinaryIO", raw), on_read)
        magic = stream.peek(len(_ZSTD))
        if magic.startswith(_GZIP):
            stream = _buffered(cast("BinaryIO", gzip.GzipFile(fileobj=stream)))
        elif magic.startswith(_ZSTD):
            stream = _buffered(cast("BinaryIO", _Frames(stream)))
        yield stream
    finally:
        if path != STDIN:
            raw.close()


def _buffered(source: BinaryIO, on_read: Callable[[int], None] | None = None) -> io.BufferedReader:
    return io.BufferedReader(_Filling(source, on_read), HEAD_BYTES)
