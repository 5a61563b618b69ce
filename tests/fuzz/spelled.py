"""JSON text in, a tree out that keeps what a parser's values lose: names, numbers as written."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator
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

    def each(self, name: str, *path: str) -> Iterator[Any]:
        """Every value at the end of the path, in the order in which they stand there."""
        for found, value in self.members:
            if found != name:
                continue
            if not path:
                yield value
            elif isinstance(value, Spelled):
                yield from value.each(*path)

    def twice(self, names: Collection[str]) -> bool:
        """Whether one of these names is there more than once."""
        found = Counter(name for name, _ in self.members)
        return any(found[name] > 1 for name in names)


def spelled(text: bytes) -> Any:
    """The tree of a JSON text; what Python cannot follow to its depth is a `RecursionError`.

    Raises:
        ValueError: it is no JSON.
    """
    return _DECODER.decode(text.decode())


def _no_json(word: str) -> Any:
    raise ValueError(word)


_DECODER = json.JSONDecoder(
    object_pairs_hook=Spelled, parse_int=Number, parse_float=Number, parse_constant=_no_json
)


def values(tree: Any) -> Any:
    """The tree as Python has JSON: of names that are there twice the last one; no float counts."""
    match tree:
        case Spelled():
            return {name: values(value) for name, value in tree.members}
        case list():
            return [*map(values, tree)]
        case Number(text):
            short = re.fullmatch(r"-?\d{1,4000}", text)
            if short:
                return int(text)
            whole = re.fullmatch(r"-?\d+", text)
            return 2**80 if whole else 0.5 * bool(re.match(r"[-0.]*[1-9]", text))
        case _:
            return tree


def mended(tree: Any, depth: int = 0) -> Any:
    """The tree as PostgreSQL can hold it, by docs/DATA.md."""
    if isinstance(tree, Spelled | list) and depth == _MAX_DEPTH:
        return None
    match tree:
        case Spelled():
            last = {mended(name): mended(value, depth + 1) for name, value in tree.members}
            return Spelled([*last.items()])
        case list():
            return [mended(value, depth + 1) for value in tree]
        case Number(text):
            return tree if _kept(text) else text
        case str():
            return UNKEEPABLE.sub("\ufffd", tree)
        case _:
            return tree


def unkeepable(tree: Any, depth: int = 0) -> bool:
    """Whether PostgreSQL cannot hold the tree as it is."""
    if isinstance(tree, Spelled | list) and depth == _MAX_DEPTH:
        return True
    match tree:
        case Spelled():
            names = [name for name, _ in tree.members]
            return (
                tree.twice({*names})
                or any(map(UNKEEPABLE.search, names))
                or any(unkeepable(value, depth + 1) for _, value in tree.members)
            )
        case list():
            return any(unkeepable(value, depth + 1) for value in tree)
        case Number(text):
            return not _kept(text)
        case _:
            return isinstance(tree, str) and UNKEEPABLE.search(tree) is not None


UNKEEPABLE = re.compile("[\0\ud800-\udfff]")
"""Characters that PostgreSQL has not."""


def _kept(number: str) -> bool:
    """Whether jsonb holds the number, by the limits of docs/DATA.md."""
    exponent = re.search(r"[eE](.*)", number)
    small = exponent is None or (len(exponent[1]) < 400 and abs(int(exponent[1])) <= _MAX_EXPONENT)
    return small and len(number) <= _MAX_DIGITS


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
