"""A HAR as a stream of bytes in, its entries one by one out: never more than one in memory.

It knows just enough JSON to see where an entry begins and ends: strings and brackets. Whoever
takes an entry parses it, so that a damaged one costs no other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

_CHUNK = 64 * 1024
# All up to the next bracket, or to the quote of a string whose end is not in the chunk. Nothing
# must follow the outer repetition: it never has to give anything back, so its time is linear.
_TO_BRACKET = re.compile(rb'(?:[^][{}"]+|"[^"\\]*(?:\\.[^"\\]*)*")*', re.DOTALL)
_IN_STRING = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
_QUOTE, _OBJECT, _LIST, _OPENING = ord('"'), ord("{"), ord("["), b"{["
# The bracket that opens each level of log.entries, and what stands before it.
_LEVELS = (
    (_OBJECT, re.compile(rb"(?:\xef\xbb\xbf)?\s*")),
    (_OBJECT, re.compile(rb'(?:.*[^\\])?"log"\s*:\s*', re.DOTALL)),
    (_LIST, re.compile(rb'(?:.*[^\\])?"entries"\s*:\s*', re.DOTALL)),
)
_LOG, _ENTRIES = 2, 3
_MOST_BRACKETS = 200_000
"""Objects and lists in an entry: more than the largest page has that was parsed already."""
_NAME = 64
"""Bytes before a bracket in which its name is looked for."""


class Source(Protocol):
    """Anything bytes can be read from."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none at the end."""


class Splitter:
    """The place reached in one HAR."""

    def __init__(self) -> None:
        self.is_whole = False
        """The bracket that opens the HAR was closed."""
        self.has_more = False
        """Something follows it."""
        self._reached = 0
        self._level = 0  # of log.entries, as far as it is open
        self._depth = 0  # of all brackets that are open
        self._inside = False  # an entry
        self._brackets = 0  # that were opened in it
        self._in_string = False
        self._escaped = False  # the next byte belongs to a backslash
        self._before = b""

    @property
    def has_log(self) -> bool:
        """A ``log`` object was found."""
        return self._reached >= _LOG

    @property
    def has_entries(self) -> bool:
        """A list of entries was found in it."""
        return self._reached >= _ENTRIES

    def split(self, source: Source, *, limit: int) -> Iterator[bytes | bytearray | None]:
        """The text of each entry that is an object; None in place of one that is passed over.

        That is one longer than `limit`, or whose parts would take many times its size in memory.
        """
        entry: bytearray | None = None  # what earlier chunks brought of it; None: it is too long
        while not self.is_whole and (chunk := source.read(_CHUNK)):
            start = 0
            for edge in self._edges(chunk):
                if self._inside:
                    start, entry = edge, bytearray()
                elif (
                    entry is None
                    or len(entry) + edge - start > limit
                    or self._brackets > _MOST_BRACKETS
                ):
                    yield None
                else:
                    entry += chunk[start:edge]
                    yield entry
            if self._inside and entry is not None:
                entry += chunk[start:]
                if len(entry) > limit:
                    entry = None
        self.has_more = self.has_more or bool(source.read(_CHUNK).strip())

    def _edges(self, chunk: bytes) -> Iterator[int]:
        """Where in the chunk an entry begins, and where it ends, by turns."""
        position = self._leave_string(chunk, int(self._escaped)) if self._in_string else 0
        while (position := _end(_TO_BRACKET, chunk, position)) < len(chunk):
            kind, position = chunk[position], position + 1
            if kind == _QUOTE:
                position = self._leave_string(chunk, position)
            elif kind in _OPENING:
                if self._level == self._depth:
                    self._enter(kind, chunk, position - 1)
                    if self._inside:
                        yield position - 1
                self._depth += 1
                self._brackets += 1
            else:
                self._depth = max(0, self._depth - 1)
                if self._inside and self._depth == _ENTRIES:
                    self._inside = False
                    yield position
                self._level = min(self._level, self._depth)
                if self._reached and not self._depth:
                    self.is_whole, self.has_more = True, bool(chunk[position:].strip())
                    break
        self._before = (self._before + chunk[-_NAME:])[-_NAME:]

    def _enter(self, kind: int, chunk: bytes, at: int) -> None:
        """Take note of a bracket that opens an entry, or leads to the entries."""
        if self._level == _ENTRIES:
            self._inside, self._brackets = kind == _OBJECT, 0
            return
        bracket, name = _LEVELS[self._level]
        before = (self._before + chunk[max(0, at - _NAME) : at])[-_NAME:]
        if kind == bracket and name.fullmatch(before):
            self._level += 1
            self._reached = max(self._reached, self._level)

    def _leave_string(self, chunk: bytes, position: int) -> int:
        """Where the string ends in which `position` is, or the end of the chunk."""
        end = _end(_IN_STRING, chunk, position)
        self._in_string = chunk[end : end + 1] != b'"'
        self._escaped = chunk[end : end + 1] == b"\\"
        return min(end + 1, len(chunk))


def _end(pattern: re.Pattern[bytes], chunk: bytes, position: int) -> int:
    match = pattern.match(chunk, position)
    return match.end() if match else position
