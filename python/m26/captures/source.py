"""A file or standard input as a stream of plain UTF-8 whose beginning can be looked at first."""

from __future__ import annotations

import codecs
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from m26.captures.content import codec_of
from m26.errors import UsageError
from m26.unpack import Kind, Unpacker, packed_as

STDIN = "-"
HEAD_BYTES = 64 * 1024
_PACKED_BYTES = 512  # so little at a time that a bomb stays small
_BARE_UTF16 = {b"{\0": "utf-16-le", b"\0{": "utf-16-be"}
"""How a JSON object begins whose text has no byte order mark."""


class _Filling(io.RawIOBase):
    """Reads until the buffer is full or the source ends, so that a peek sees the whole head."""

    def __init__(self, source: BinaryIO, on_read: Callable[[int], None] | None = None) -> None:
        self._source = source
        self._on_read = on_read
        self._error: Exception | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        filled = 0
        try:
            if self._error is not None:
                raise self._error
            while filled < len(buffer) and (part := self._source.read(len(buffer) - filled)):
                buffer[filled : filled + len(part)] = part
                filled += len(part)
        except (OSError, EOFError) as error:
            if not filled:
                raise
            self._error = error  # told after what came before it
        if self._on_read is not None:
            self._on_read(filled)
        return filled


class _Unpacked:
    """What a packed source stands for, all members of it."""

    def __init__(self, source: io.BufferedReader, kind: Kind) -> None:
        self._source = source
        self._unpacker = Unpacker(kind)
        self._ready = memoryview(b"")

    @property
    def has_junk(self) -> bool:
        """Something that is not packed follows."""
        return self._unpacker.has_junk

    def read(self, size: int) -> memoryview:
        """At most `size` bytes, none at the end. Raises EOFError where it is cut or damaged."""
        while not self._ready:
            if self._unpacker.fault:
                raise EOFError(self._unpacker.fault)
            packed = b"" if self.has_junk else self._source.read(_PACKED_BYTES)
            if not packed:
                if self._unpacker.is_whole:
                    break
                raise EOFError("it has no end")
            self._ready = memoryview(self._unpacker.feed(packed))
        part, self._ready = self._ready[:size], self._ready[size:]
        return part


class _Utf8:
    """A text in another encoding as UTF-8."""

    def __init__(self, source: io.BufferedReader, codec: str) -> None:
        self._source = source
        self._decoder = codecs.getincrementaldecoder(codec)("replace")
        self._ready = memoryview(b"")

    def read(self, size: int) -> memoryview:
        while not self._ready:
            packed = self._source.read1(HEAD_BYTES)
            self._ready = memoryview(self._decoder.decode(packed, final=not packed).encode())
            if not packed:
                break
        part, self._ready = self._ready[:size], self._ready[size:]
        return part


class ByParts:
    """A stream that gives what is there at each read: of a damaged file all before the damage."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none at the end."""
        return self._stream.read1(size)


@contextmanager
def open_source(
    path: str, *, on_read: Callable[[int], None] | None = None
) -> Iterator[io.BufferedReader]:
    """Open `path`: unpacked if its first bytes say gzip, zlib or zstd, and as UTF-8.

    What is read of it ends with an EOFError where it is packed and cut off or damaged.

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
        stream = buffered(raw, on_read)
        kind = packed_as(stream.peek(1))
        unpacked = _Unpacked(stream, kind) if kind is not None else None
        if unpacked is not None:
            stream = buffered(unpacked)
        head = stream.peek(1)
        codec = codec_of(head) or _BARE_UTF16.get(head[:2])
        if codec is not None:
            stream = buffered(_Utf8(stream, codec))
        yield stream
        if unpacked is not None and unpacked.has_junk:
            raise EOFError("something else follows its end")
    finally:
        if path != STDIN:
            raw.close()


@contextmanager
def damage_told(name: str, problem: Callable[[str], None]) -> Iterator[None]:
    """Tell of a source that cannot be read to its end; what was read before it counts."""
    try:
        yield
    except EOFError as error:
        problem(f"{name} is compressed and damaged or cut off: {error}")
    except OSError as error:
        problem(f"{name} cannot be read to its end: {error.strerror or error}")


def buffered(source: object, on_read: Callable[[int], None] | None = None) -> io.BufferedReader:
    """A stream over what has a `read`; its peek sees the whole head."""
    return io.BufferedReader(_Filling(cast("BinaryIO", source), on_read), HEAD_BYTES)
