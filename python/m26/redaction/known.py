"""Registered secrets: a text in; where any of them stand in it, encoded or cut, out."""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from operator import itemgetter
from threading import Lock

SHORTEST = 6
"""Shorter secrets would mask ordinary words."""
_LONGEST = 1_024
"""Longer secrets are known in pieces: what begins like one is compared no further than that."""
_CUT = 12
"""Characters of a secret that tell that it stands there, at the end of a text that was cut."""
_MOST_ROTATING = 4_096
"""Months of tokens and session keys; and a large pool of captured signatures fits in as well."""

_ESCAPED = re.compile(r"%(?:25)*([0-9A-Fa-f]{2})|\\++u([0-9A-Fa-f]{4})|(\\++)|([^\x00-\x7f]++)")
_SHORTEST_CODE = 4 * SHORTEST // 3
"""Characters of base64 that six bytes are."""
_BEFORE = 3
"""Characters of base64 in which up to two more bytes may stand."""
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}+")
_STANDARD = str.maketrans("-_", "+/")


class _Plain:
    """A text without its escapes, in which each character stands for a byte of UTF-8.

    Percent-encoding is undone, be it of what was encoded before, and so are JSON's and Python's
    escapes: no backslash is left.
    """

    __slots__ = ("_steps", "text")

    def __init__(self, text: str) -> None:
        self._steps: list[tuple[int, int, int, int]] = []
        """For each escape: where in `text` that begins which it stands for, where in the text as
        it was given it begins and ends itself, and for how many characters it stands."""
        self.text = text
        if (found := _ESCAPED.search(text)) is not None:
            self.text = self._undo(text, found.start())

    def _undo(self, text: str, first: int) -> str:
        parts: list[str] = []
        done = at = 0
        for found in _ESCAPED.finditer(text, first):
            start, end = found.span()
            byte, code, _, others = found.groups()
            if byte:
                meant = chr(int(byte, 16))
            else:
                letters = chr(int(code, 16)) if code else others or ""
                meant = letters.encode("utf-8", "surrogatepass").decode("latin-1")
            meant = meant.replace("\\", "")
            parts += text[done:start], meant
            at += start - done
            self._steps.append((at, start, end, len(meant)))
            at += len(meant)
            done = end
        return "".join((*parts, text[done:]))

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Where in the text as it was given that stands which is here at `start` to `end`."""
        return self._origin(start)[0], self._origin(end - 1)[1]

    def _origin(self, place: int) -> tuple[int, int]:
        """Where that begins and ends which one character stands for."""
        before = bisect_right(self._steps, place, key=itemgetter(0))
        if not before:
            return place, place + 1
        at, start, end, size = self._steps[before - 1]
        if place < at + size:
            return start, end
        behind = end + place - at - size
        return behind, behind + 1


class _Index:
    """Texts by their first characters, so that one look tells whether any begins here."""

    def __init__(self, key: Callable[[str], str]) -> None:
        self._key = key
        self._alike: dict[str, list[str]] = {}
        """Those that begin alike, sorted. Replaced, never changed: another thread may read it."""

    def add(self, text: str) -> None:
        """Know one more."""
        alike = self._alike.get(self._key(text), [])[:]
        insort(alike, text)
        self._alike[self._key(text)] = alike

    def remove(self, text: str) -> None:
        """Forget one that was added."""
        alike = self._alike[self._key(text)][:]
        del alike[bisect_left(alike, text)]
        if alike:
            self._alike[self._key(text)] = alike
        else:
            del self._alike[self._key(text)]

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where any of them stand, of those that begin at one place the longest."""
        at, last, known = 0, len(text) - SHORTEST, self._alike
        while at <= last:
            alike = known.get(text[at : at + SHORTEST])
            length = _longest(alike, text[at : at + _LONGEST]) if alike else 0
            if length:
                yield at, at + length
            at += length or 1

    def spans_encoded(self, run: str) -> Iterator[tuple[int, int]]:
        """Where any of them stand in base64, whose bytes may begin at any of its characters."""
        at, last, known = 0, len(run) - _SHORTEST_CODE, self._alike
        while at <= last:
            alike = known.get(run[at : at + _SHORTEST_CODE])
            length = _longest(alike, _decoded(run[at : at + 2 * _LONGEST])) if alike else 0
            size = -(-length * 4 // 3)
            if length:
                yield max(0, at - _BEFORE), at + size
            at += size or 1

    def cut(self, text: str) -> int:
        """How many of the last characters begin one of them that is longer."""
        for at in range(max(0, len(text) - _LONGEST), len(text) - _CUT + 1):
            alike = self._alike.get(text[at : at + SHORTEST])
            if alike:
                place = bisect_left(alike, text[at:])
                if place < len(alike) and alike[place].startswith(text[at:]):
                    return len(text) - at
        return 0


def _first(text: str) -> str:
    return text[:SHORTEST]


def _first_encoded(text: str) -> str:
    return b2a_base64(text[:SHORTEST].encode("latin-1"), newline=False).decode()


def _decoded(run: str) -> str:
    """The bytes of some base64, whose end may be cut, each as a character."""
    size = len(run) - (len(run) % 4 == 1)  # one character alone is no byte
    return a2b_base64(run[:size] + "=" * (-size % 4)).decode("latin-1")


def _longest(alike: list[str], text: str) -> int:
    """Length of the longest of these sorted texts that `text` begins with; 0: it does with none."""
    place = bisect_right(alike, text)
    while place:
        nearest = alike[place - 1]
        if text.startswith(nearest):
            return len(nearest)
        # Whichever else `text` begins with, `nearest` does, too.
        same, differs = 0, min(len(text), len(nearest)) + 1
        while differs - same > 1:
            middle = (same + differs) // 2
            if nearest.startswith(text[:middle]):
                same = middle
            else:
                differs = middle
        text = text[:same]
        place = bisect_right(alike, text, hi=place - 1)
    return 0


class Known:
    """Registered secrets, found in a text at a cost that does not grow with their number."""

    def __init__(self) -> None:
        self._changing = Lock()
        self.clear()

    def clear(self) -> None:
        """Know none."""
        self._front, self._back = _Index(_first), _Index(_first)
        """Without their escapes, and from their ends."""
        self._inside = _Index(_first_encoded)
        """As they are, for what was encoded as a part of something."""
        self._kept: set[str] = set()
        self._rotating: dict[str, None] = {}

    def add(self, value: str, *, rotates: bool) -> None:
        """Add one. Of too many that rotate, the one added longest ago is dropped."""
        with self._changing:
            if value not in self._kept and value not in self._rotating:
                for index, text in self._indexed(value):
                    index.add(text)
            self._rotating.pop(value, None)
            if not rotates:
                self._kept.add(value)
            if value not in self._kept:
                self._rotating[value] = None
            if len(self._rotating) > _MOST_ROTATING:
                oldest = next(iter(self._rotating))
                del self._rotating[oldest]
                for index, text in self._indexed(oldest):
                    index.remove(text)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where any of them stand in `text`, be they encoded, or cut by its ends."""
        if not self._kept and not self._rotating:
            return
        plain = _Plain(text)
        if plain.text != text:  # what stands before one may look like the beginning of an escape
            yield from self._front.spans(text.replace("+", " "))
        folded = _folded(plain)
        for start, end in self._front.spans(folded):
            yield plain.place(start, end)
        if length := self._front.cut(folded):
            yield plain.place(len(folded) - length, len(folded))
        if length := self._back.cut(folded[:_LONGEST][::-1]):
            yield plain.place(0, length)
        for run in _BASE64.finditer(plain.text):
            for start, end in self._inside.spans_encoded(run[0].translate(_STANDARD)):
                yield plain.place(run.start() + start, run.start() + end)

    def _indexed(self, value: str) -> Iterator[tuple[_Index, str]]:
        for piece in _pieces(_folded(_Plain(value))):
            yield self._front, piece
            yield self._back, piece[::-1]
        for piece in _pieces(value.encode("utf-8", "surrogatepass").decode("latin-1")):
            for shift in range(3):  # the bytes that stand before it decide which are encoded as one
                if len(piece) >= shift + SHORTEST:
                    yield self._inside, piece[shift:]


def _folded(plain: _Plain) -> str:
    """In a form a blank is a plus, and whoever reads one may have read a plus as a blank."""
    return plain.text.replace("+", " ")


def _pieces(text: str) -> list[str]:
    """All of it in parts of the same length."""
    size = -(-len(text) // (-(-len(text) // _LONGEST) or 1)) or 1
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    return [part for part in parts if len(part) >= SHORTEST]
