"""Packed bytes in, what they stand for out: gzip, zlib, bare deflate and zstd, part by part.

RFC 1952, 1950, 1951 and 8878. Of gzip and zstd all members are read, with zeros or junk behind
them; a bomb is never unpacked far beyond the room there is for it.
"""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, Protocol

import zstandard

Kind = Literal["gzip", "zlib", "deflate", "zstd"]
_MAGIC: Final[tuple[tuple[bytes, Kind], ...]] = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x78\x01", "zlib"),
    (b"\x78\x9c", "zlib"),
    (b"\x78\xda", "zlib"),
)


class _Member(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class _Form:
    starter: Callable[[], Callable[[], _Member]]
    """Makes what begins a member: once a stream, for what members can share."""
    magic: bytes
    """Of a further member; empty where there is none."""
    piece: int
    """Packed bytes taken at once: what they stand for has at most 16 MiB."""


_FORMS: Final[dict[Kind, _Form]] = {
    "gzip": _Form(lambda: partial(zlib.decompressobj, 31), b"\x1f\x8b", 8192),
    "zlib": _Form(lambda: partial(zlib.decompressobj, 15), b"", 8192),
    "deflate": _Form(lambda: partial(zlib.decompressobj, -15), b"", 8192),
    "zstd": _Form(lambda: zstandard.ZstdDecompressor().decompressobj, b"\x28\xb5\x2f\xfd", 512),
}
_ZEROS = re.compile(rb"\0*")


def packed_as(head: bytes) -> Kind | None:
    """What bytes that begin with `head` are packed in, by their magic; None: in nothing known."""
    return next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)


class Unpacker:
    """One packed stream, fed part by part. It never raises: `fault` says what is wrong with it."""

    def __init__(self, kind: Kind) -> None:
        self._form = _FORMS[kind]
        self._start = self._form.starter()
        self._member = self._start()
        self._left = b""  # bytes in which the magic of a next member may begin
        self.fault = ""
        """Why it cannot be unpacked further; what came before is sound."""
        self.has_junk = False
        """Something that is no further member follows the last one; it is passed over."""

    @property
    def is_whole(self) -> bool:
        """Each member that was begun has its end, and there is one."""
        return self._member.eof and not self.fault

    def feed(self, packed: bytes, room: int = sys.maxsize) -> bytes:
        """What the next bytes stand for.

        Args:
            packed: they follow those fed before.
            room: the most bytes that are given; what goes beyond them is dropped.
        """
        data, position, found = self._left + packed, 0, bytearray()
        self._left = b""
        while position < len(data) and len(found) < room and not (self.fault or self.has_junk):
            if self._member.eof:
                zeros = _ZEROS.match(data, position)
                position = zeros.end() if zeros else position
                if not self._begin(data[position : position + len(self._form.magic) + 1]):
                    break
            piece = data[position : position + self._form.piece]
            try:
                found += self._member.decompress(piece)
            except (zlib.error, zstandard.ZstdError) as error:
                self.fault = str(error)
            position += len(piece) - len(self._member.unused_data)
        return bytes(found[:room])

    def _begin(self, rest: bytes) -> bool:
        """Begin the next member if there is one."""
        magic = self._form.magic
        if magic and rest.startswith(magic):
            self._member = self._start()
            return True
        if magic.startswith(rest):
            self._left = rest
        else:
            self.has_junk = True
        return False
