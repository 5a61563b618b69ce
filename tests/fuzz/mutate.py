"""Seeds in, inputs that resemble them out: bytes changed at random, or parts of their trees."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

from tests.support.captures import tnetstring

MAX_BYTES = 64 * 1024
_LARGE_BYTES = 512 * 1024
_MARKS = (
    r"""" \ \" { } [ ] : , {} [] "" \u0000 \ud800 ,, "error": "log": "entries":[ "success":false"""
)
_WORDS = "null true 0 -1 1e999 NaN 9223372036854775808 2 4: 0:~ 999999999: -1: \ufeff \u2028 \x01"
_TOKENS = [*f"{_MARKS} {_WORDS}".encode().split(b" "), b"\0", b"\n", b" ", b"\xff", b"\xed\xa0\x80"]
_VALUES: list[Any] = [
    *(None, True, False, 0, 1, 2, -1, 2**31, 2**63, 2**64, 10**30, 0.5, 1e308, "", "0", "2"),
    *([], {}, [[]], [{}], {"": ""}, "\x00", "\ud800", "é😀", "x" * 3000, "{", "CANARY-X"),
]
_NAMES = ["error", "captchaUrl", "uiErrorCode", "details", "success", "code", "text", "encoding"]
_NAMES += ["log", "entries", "request", "response", "version", "content", "headers", "x"]
Tree = Any
Change = Callable[[random.Random, bytes, bytes], bytes]
"""Makes another input of one and, where it wants, of parts of a second one."""


class Mutator:
    """Makes inputs of seeds. The same seed of the lot makes the same inputs."""

    def __init__(self, rng: random.Random, seeds: Sequence[bytes], change: Change) -> None:
        self._rng = rng
        self._seeds = list(seeds)
        self._change = change

    def keep(self, data: bytes) -> None:
        """Take an input that led to something new among the seeds."""
        if len(data) <= MAX_BYTES and len(self._seeds) < 2_000:
            self._seeds.append(data)

    def next(self) -> bytes:
        """Another input."""
        rng = self._rng
        data = rng.choice(self._seeds)
        steps = (1, 1, 2, 4, 8)
        if whole := rng.random() < 0.7:
            data = self._change(rng, data, rng.choice(self._seeds))
            steps = (0, 0, 0, 0, 0, 1, 3)
        for _ in range(rng.choice(steps)):
            data = rng.choice(_CHANGES)(rng, data)
        if not whole and rng.random() < 0.2:
            data = self._splice(data, rng.choice(self._seeds))
        if rng.random() < 0.002:  # what takes more than linear time shows on large inputs
            start = rng.randrange(len(data) + 1)
            part = data[start : start + rng.randrange(1, 200)] or b"{"
            return (data[:start] + part * (_LARGE_BYTES // len(part)) + data[start:])[:_LARGE_BYTES]
        return data[:MAX_BYTES]

    def _splice(self, one: bytes, two: bytes) -> bytes:
        rng = self._rng
        return one[: rng.randrange(len(one) + 1)] + two[rng.randrange(len(two) + 1) :]


def in_tree(rng: random.Random, data: bytes, donor: bytes) -> bytes:
    """Change members of the document, so that its grammar stays whole."""
    found = _parsed(data)
    if found is None:
        return data
    head, tree, write = found
    other = _parsed(donor)
    for _ in range(rng.choice([1, 1, 2, 5])):
        tree = _graft(rng, tree, other[1] if other else tree)
    try:
        return head + write(tree)
    except (ValueError, TypeError, RecursionError):  # no longer what its form can write
        return data


def _parsed(data: bytes) -> tuple[bytes, Tree, Callable[[Tree], bytes]] | None:
    """What stands before a document, the document, and what writes it; None if it is none."""
    try:
        if (start := data.find(b"{")) >= 0 and (tree := json.loads(data[start:])) is not None:
            return data[:start], tree, lambda tree: json.dumps(tree).encode()
    except (ValueError, RecursionError):
        pass
    try:
        return b"", _flows(data), lambda flows: b"".join(map(tnetstring, flows))
    except (ValueError, KeyError, RecursionError):
        return None


def _flows(data: bytes) -> list[Tree]:
    """The values of a file of tnetstrings."""
    found = []
    while data:
        digits, colon, rest = data.partition(b":")
        if not colon or not digits.isdigit() or len(digits) > 9:
            raise ValueError
        payload, kind, data = rest[: int(digits)], rest[int(digits) :][:1], rest[int(digits) + 1 :]
        found.append(_KINDS[kind](payload))
    return found


def _pairs(payload: bytes) -> dict[str, Tree]:
    items = iter(_flows(payload))
    pairs = zip(items, items, strict=True)
    return {k.decode() if isinstance(k, bytes) else str(k): value for k, value in pairs}


_KINDS: dict[bytes, Callable[[bytes], Tree]] = {
    b",": bytes,
    b";": bytes.decode,
    b"#": int,
    b"^": float,
    b"!": b"true".__eq__,
    b"~": lambda _: None,
    b"]": _flows,
    b"}": _pairs,
}
"""By the kind's byte."""


def _nodes(tree: Tree) -> list[tuple[Any, Any]]:
    """Every member of the tree: its holder and its key or index."""
    found: list[tuple[Any, Any]] = []
    waiting = [tree]
    while waiting:
        holder = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            found.append((holder, key))
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])
    return found


def _graft(rng: random.Random, tree: Tree, donor: Tree) -> Tree:
    """The tree with one member changed, in place where that can be."""
    nodes = _nodes(tree) if isinstance(tree, dict | list) else []
    if not nodes:
        return deepcopy(rng.choice(_VALUES))
    holder, key = rng.choice(nodes)
    match rng.randrange(7):
        case 0:
            del holder[key]
        case 1 | 2:
            holder[key] = deepcopy(rng.choice(_VALUES))
        case 3 if isinstance(donor, dict | list) and (others := _nodes(donor)):
            other, name = rng.choice(others)
            holder[key] = deepcopy(other[name])
        case 4 if isinstance(holder, dict):
            holder[rng.choice(_NAMES)] = deepcopy(rng.choice(_VALUES))
        case 5 if isinstance(holder, list):
            holder.insert(key, deepcopy(rng.choice(_VALUES)))
        case 6 if isinstance(holder[key], str):
            holder[key] = _nested(rng, holder[key])
        case _:
            holder[key] = [holder[key]]
    return tree


def _nested(rng: random.Random, text: str) -> str:
    """A text, which may itself be JSON, changed."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return text[: rng.randrange(len(text) + 1)] + rng.choice(["", '"', "%", "=", "\ud800"])
    return json.dumps(_graft(rng, tree, [])) if isinstance(tree, dict | list) else text


def _flip(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def _insert(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(_TOKENS) + data[at:]


def _replace(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(_TOKENS) + data[at + rng.randrange(1, 9) :]


def _drop(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + data[at + rng.choice([1, 2, 10, 100, 1000]) :]


def _double(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    part = data[at : at + rng.choice([1, 2, 10, 100, 1000])]
    return data[:at] + part * rng.choice([2, 2, 3, 50]) + data[at:]


def _cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


_CHANGES = (_flip, _insert, _replace, _drop, _double, _cut)
