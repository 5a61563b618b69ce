"""JSON text in, a tree out that keeps what a parser's values lose: names, numbers as written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_MAX_DEPTH = 64
_MAX_DIGITS = 1_000
_MAX_EXPONENT = 400


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written."""

    text: str


@dataclass(frozen=True, slots=True)
class Spelled:
    """An object: its members in order, each as often as it stands there."""

    members: list[tuple[str, Any]]

    def get(self, *path: str) -> Any:
        """The value at the end of the path, of each name the last one; None if there is none."""
        found: Any = self
        for name in path:
            if not isinstance(found, Spelled):
                return None
            found = dict(found.members).get(name)
        return found

    def without(self, name: str, *path: str) -> Spelled:
        """The same with nothing in the list at the end of the path."""

        def changed(value: Any) -> Any:
            if path:
                return value.without(*path) if isinstance(value, Spelled) else value
            return [] if isinstance(value, list) else value

        return Spelled([(n, changed(value) if n == name else value) for n, value in self.members])


def spelled(text: bytes) -> Any:
    """The tree of a text that orjson accepts."""
    return _DECODER.decode(text.decode())


_DECODER = json.JSONDecoder(object_pairs_hook=Spelled, parse_int=Number, parse_float=Number)


def twice(tree: Any) -> bool:
    """Whether an object has a name more than once; what is inside its members does not count."""
    return len({name for name, _ in tree.members}) < len(tree.members)


def unkeepable(tree: Any, depth: int) -> Iterator[bool]:
    """True for each thing that orjson takes and PostgreSQL, or the limits, would not."""
    if isinstance(tree, Spelled | list):
        if depth > _MAX_DEPTH:
            yield True
            return
        for name, value in tree.members if isinstance(tree, Spelled) else enumerate(tree):
            yield "\0" in str(name)
            yield from unkeepable(value, depth + 1)
    elif isinstance(tree, Number):
        yield not _kept(tree.text)
    else:
        yield isinstance(tree, str) and "\0" in tree


def _kept(number: str) -> bool:
    """Whether it is a 64-bit integer, or a float that is finite and not written absurdly."""
    if len(number) > _MAX_DIGITS:
        return False
    if re.fullmatch(r"-?\d+", number):
        return -(2**63) <= int(number) < 2**63
    exponent = re.search(r"[eE](.*)", number)
    return exponent is None or abs(int(exponent[1])) <= _MAX_EXPONENT


def canonical(tree: Any) -> str:
    """One text for all that means the same: names sorted, integers as values, floats as written."""
    match tree:
        case Spelled():
            members = sorted(tree.members)
            inside = (f"{json.dumps(name)}:{canonical(value)}" for name, value in members)
            return "{" + ",".join(inside) + "}"
        case list():
            return "[" + ",".join(map(canonical, tree)) + "]"
        case Number(text):
            return str(int(text)) if re.fullmatch(r"-?\d+", text) else text
        case _:
            return json.dumps(tree)


def repeats(tree: Any) -> bool:
    """Whether an object anywhere in the tree has a name more than once."""
    if isinstance(tree, Spelled):
        return twice(tree) or any(repeats(value) for _, value in tree.members)
    return isinstance(tree, list) and any(map(repeats, tree))
