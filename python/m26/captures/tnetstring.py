"""A stream of tnetstrings in, those that are wanted out, one in memory at a time.

What is damaged costs no document behind it: the next one is looked for from there on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import Enum

from m26.captures.flow import MAX_FLOW_BYTES
from m26.captures.split import Source

OPENING = re.compile(rb"\d{1,12}:\d{1,9}:[a-z_]+[;,]")
"""How a dictionary begins whose first key is a name."""
_LENGTH = re.compile(rb"(\d{1,9}):")
_LONGEST_LENGTH = 10
_BLANK = b" \t\r\n"
_CHUNK = 64 * 1024
_OVERLAP = 64
"""Bytes that are searched again with the next chunk: an opening may begin in them."""
_MOST_IN_VAIN = 2 * MAX_FLOW_BYTES
"""Bytes that are read as documents and are none, less those that are: a hostile file must not
cost hours."""
_MOST_VALUES = 100_000
"""Values in a document: a byte of an empty one takes twenty of memory."""
_LOOK = 1024
"""Bytes that a look at an opening or at a key counts as."""


class Fault(Enum):
    """What stands in place of a document."""

    CUT = "cut"
    """The stream ends inside of it."""
    DAMAGED = "damaged"
    """Bytes that are no document that is wanted, up to the next one that is."""
    TOO_LONG = "too long"
    """One over `MAX_FLOW_BYTES`; it was passed over."""


class Documents:
    """The place reached in one stream.

    Args:
        source: the stream; one that raises EOFError or OSError is read up to there first.
        key: what each document has, and no part of one.
    """

    def __init__(self, source: Source, key: bytes) -> None:
        self._source = source
        self._key = key
        self._data = bytearray()  # from the place reached on
        self._found: tuple[object, int] | None = None  # behind damage: a document and its length
        self._in_vain = 0
        self._is_at_end = False
        self._error: Exception | None = None

    def next(self) -> object:
        """The next document, or the `Fault` in place of it; None at the end."""
        found, self._found = self._found, None
        while found is None and self._has(1) and self._data[0] in _BLANK:
            del self._data[0]
        if found is None and not self._has(1):
            if self._error is not None:
                raise self._error
            return None
        read = found or self._read()
        if isinstance(read, tuple):
            del self._data[: read[1]]
            self._in_vain = max(0, self._in_vain - read[1])
            return read[0]
        if read is Fault.TOO_LONG:
            return read
        if self._look_for_next():
            return Fault.DAMAGED  # where it seems cut off it is the length that is wrong
        if read is Fault.CUT and self._error is not None:
            raise self._error
        return read

    def _read(self) -> tuple[object, int] | Fault:
        """The document here and its length, which the caller takes away."""
        is_long = self._has(_LONGEST_LENGTH)
        head = _LENGTH.match(self._data)
        if head is None:
            return Fault.DAMAGED if is_long or not self._data.isdigit() else Fault.CUT
        length, end = int(head[1]), head.end() + int(head[1]) + 1
        if length > MAX_FLOW_BYTES:
            if OPENING.match(self._data) is None:
                return Fault.DAMAGED
            return Fault.TOO_LONG if self._pass_over(end) else Fault.CUT
        if not self._has(end):
            return Fault.CUT
        return self._parse(head.end(), end)

    def _parse(self, start: int, end: int) -> tuple[object, int] | Fault:
        before = self._in_vain
        if self._data[end - 1] != ord("}") or not self._has_key(start, end - 1):
            return Fault.DAMAGED
        self._in_vain += end
        with memoryview(self._data) as view:
            data = bytes(view[start:end])
        try:
            value = _value(data, 0, len(data) - 1, iter(range(_MOST_VALUES)))
        except (ValueError, RecursionError):
            return Fault.DAMAGED
        self._in_vain = before
        return value, end

    def _has_key(self, start: int, end: int) -> bool:
        """Whether the dictionary there may be a document: its parts cost little to tell."""
        try:
            while start < end:
                self._in_vain += _LOOK
                colon = self._data.index(b":", start, start + _LONGEST_LENGTH)
                stop = colon + 1 + _length(self._data[start:colon])
                if self._data[colon + 1 : stop] == self._key:
                    return True
                colon = self._data.index(b":", stop + 1, stop + 1 + _LONGEST_LENGTH)
                start = colon + 2 + _length(self._data[stop + 1 : colon])
        except ValueError:
            return False
        return False

    def _look_for_next(self) -> bool:
        """Go to the next document and keep it; False, at the stream's end, where there is none."""
        at = 1
        while self._in_vain < _MOST_IN_VAIN:
            opening = OPENING.search(self._data, at)
            if opening is None:
                passed = max(0, len(self._data) - _OVERLAP)
                del self._data[:passed]
                at = max(0, at - passed)
                if not self._has(len(self._data) + 1):
                    break
                continue
            del self._data[: opening.start()]
            at = 1
            self._in_vain += _LOOK
            head = _LENGTH.match(self._data)
            if head is None or int(head[1]) > MAX_FLOW_BYTES:
                continue
            end = head.end() + int(head[1]) + 1
            read = self._parse(head.end(), end) if self._has(end) else Fault.CUT
            if isinstance(read, tuple):
                self._found = read
                return True
        self._data.clear()
        return False

    def _has(self, size: int) -> bool:
        """Whether there are `size` bytes, once more was read."""
        while len(self._data) < size:
            if self._in_vain >= _MOST_IN_VAIN or self._is_at_end:
                return False
            try:
                part = self._source.read(_CHUNK)
            except (EOFError, OSError) as error:
                part, self._error = b"", error
            if not part:
                self._is_at_end = True
                return False
            self._data += part
        return True

    def _pass_over(self, size: int) -> bool:
        while size:
            if not self._has(1):
                return False
            part = min(size, len(self._data))
            del self._data[:part]
            size -= part
        return True


_SCALARS: dict[bytes, Callable[[bytes], object]] = {
    b",": bytes,
    b";": bytes.decode,
    b"#": int,
    b"^": float,
    b"!": b"true".__eq__,
    b"~": lambda _: None,
}


def _value(data: bytes, start: int, end: int, room: Iterator[int]) -> object:
    """The value whose payload is ``data[start:end]`` and whose type byte follows.

    Raises:
        ValueError: it is none, or it takes more values than there is `room` for.
    """
    if next(room, None) is None:
        raise ValueError("too many values")
    kind = data[end : end + 1]
    if kind == b"]":
        return list(_items(data, start, end, room))
    if kind == b"}":
        items = _items(data, start, end, room)
        return {_key(key): value for key, value in zip(items, items, strict=True)}
    if kind not in _SCALARS:
        raise ValueError("unknown type")
    return _SCALARS[kind](data[start:end])


def _items(data: bytes, start: int, end: int, room: Iterator[int]) -> Iterator[object]:
    while start < end:
        colon = data.index(b":", start, end)
        start, stop = colon + 1, colon + 1 + _length(data[start:colon])
        if stop >= end:
            raise ValueError("a value is longer than what holds it")
        yield _value(data, start, stop, room)
        start = stop + 1


def _length(digits: bytes | bytearray) -> int:
    if not digits.isdigit():  # int() takes signs, and a negative length would be read for ever
        raise ValueError("no length where one is due")
    return int(digits)


def _key(key: object) -> str:
    return key.decode() if isinstance(key, bytes) else str(key)
