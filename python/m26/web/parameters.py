"""What a request's address may say: parameters and a query in; values, or what is wrong, out.

A parameter's kind is spelled once: how it is read, what is allowed, and its JSON Schema.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import QueryParams

from m26.clock import EPOCH
from m26.web.problem import FaultView
from m26.web.schema import Schema

_NUMBER = re.compile(r"-?[0-9]{1,19}(\.[0-9]{1,19})?([eE][+-]?[0-9]{1,3})?")
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_SPAN = re.compile(r"(?P<hours>[1-9][0-9]{0,2})h|(?P<days>[1-9][0-9]?)d")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
LONGEST = 2**63 - 1
"""Of whole numbers: a bigint of PostgreSQL."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What values a parameter has."""

    schema: Schema
    allowed: str
    """In words, for people."""
    read: Callable[[str], Any]
    """Raises ValueError where a text is none of its values."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; routes that have it share this one spelling."""

    name: str
    kind: Kind
    about: str
    default: str | float | None = None
    """As it is spelled, where none is given; None: then it has no value."""
    place: str = "query"
    """Or ``path``: part of the address itself, and always there."""
    required: bool = False


class Refused(Exception):  # noqa: N818 - an answer, not a fault of ours
    """The parameters of a request are not what its route has."""

    def __init__(self, faults: list[FaultView]) -> None:
        super().__init__()
        self.faults = faults


def read(
    parameters: Sequence[Parameter], query: QueryParams, path: Mapping[str, str]
) -> dict[str, Any]:
    """The values of a request's parameters, by name; those that are left out are not there.

    Raises:
        Refused: a parameter is unknown, missing, given twice or malformed; it names all of them.
    """
    names = [each.name for each in parameters if each.place == "query"]
    faults = [_unknown(name, names) for name in dict.fromkeys(query) if name not in names]
    values: dict[str, Any] = {}
    for each in parameters:
        given = query.getlist(each.name) if each.place == "query" else [path[each.name]]
        try:
            values |= dict(_values(each, given))
        except ValueError as error:
            faults.append(FaultView(name=each.name, detail=str(error), allowed=each.kind.allowed))
    if faults:
        raise Refused(faults)
    return values


def _values(parameter: Parameter, given: Sequence[str]) -> Iterator[tuple[str, Any]]:
    name, kind = parameter.name, parameter.kind
    if len(given) > 1:
        raise ValueError(f"{name} is given {len(given)} times")
    if given:
        try:
            value = kind.read(given[0])
        except (ValueError, OverflowError):
            raise ValueError(f"{name} is {_cut(given[0])}, and must be {kind.allowed}") from None
        yield name, value
    elif parameter.required:
        raise ValueError(f"{name} is missing; it must be {kind.allowed}")
    elif parameter.default is not None:
        yield name, kind.read(str(parameter.default))


def _unknown(name: str, known: Sequence[str]) -> FaultView:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known) or 'none'}"
    return FaultView(
        name=name[:100],
        detail=f"{_cut(name)} is no parameter here; {hint}",
        allowed=", ".join(known),
    )


def _cut(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")  # noqa: PLR2004 - to be read


def whole(least: int, most: int = LONGEST) -> Kind:
    """Whole numbers from `least` to `most`."""

    def number(text: str) -> int:
        if not _WHOLE.fullmatch(text) or not least <= int(text) <= most:
            raise ValueError
        return int(text)

    schema = {"type": "integer", "minimum": least, "maximum": most}
    words = f"a whole number from {least}" + ("" if most == LONGEST else f" to {most}")
    return Kind(schema, words, number)


def words(most: int) -> Kind:
    """Text of 1 to `most` characters, none of them a control character."""

    def text_of(text: str) -> str:
        if not 0 < len(text) <= most or _CONTROL.search(text):
            raise ValueError
        return text

    pattern = r"^[^\u0000-\u001f\u007f]+$"
    schema = {"type": "string", "minLength": 1, "maxLength": most, "pattern": pattern}
    return Kind(schema, f"text of 1 to {most} characters", text_of)


def pattern(expression: str, allowed: str) -> Kind:
    """Text of a form."""

    def text_of(text: str) -> str:
        if not re.fullmatch(expression, text):
            raise ValueError
        return text

    return Kind({"type": "string", "pattern": f"^{expression}$"}, allowed, text_of)


def number(least: float, most: float) -> Kind:
    """Numbers from `least` to `most`."""

    def read_number(text: str) -> float:
        value = float(text) if _NUMBER.fullmatch(text) else math.nan
        if not least <= value <= most:
            raise ValueError
        return value

    schema = {"type": "number", "minimum": least, "maximum": most}
    return Kind(schema, f"a number from {least:g} to {most:g}", read_number)


def choice(*values: str) -> Kind:
    """One of `values`."""

    def chosen(text: str) -> str:
        if text not in values:
            raise ValueError
        return text

    return Kind({"type": "string", "enum": list(values)}, f"one of {', '.join(values)}", chosen)


def numbers(most: int) -> Kind:
    """Up to `most` ids, separated by commas."""
    each = whole(0)

    def all_of(text: str) -> list[int]:
        found = [each.read(part) for part in text.split(",")]
        if len(found) > most:
            raise ValueError
        return found

    schema = {"type": "array", "items": each.schema, "minItems": 1, "maxItems": most}
    return Kind(schema, f"1 to {most} whole numbers, separated by commas", all_of)


def _moment(text: str) -> datetime:
    if not _MOMENT.fullmatch(text):
        raise ValueError
    return datetime.fromisoformat(text.upper()).astimezone(UTC)


def _past(text: str) -> datetime:
    return max(_moment(text), EPOCH)


def _hours(text: str) -> int:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError
    return int(found["hours"] or 24 * int(found["days"]))


SPAN = Kind(
    {"type": "string", "pattern": "^([1-9][0-9]{0,2}h|[1-9][0-9]?d)$"},
    "hours up to 999h or days up to 99d",
    _hours,
)
"""Read as hours."""
MOMENT = Kind(
    {"type": "string", "format": "date-time"},
    "a time with its zone, as 2026-08-15T20:57:15Z (a + in an address is written %2B)",
    _moment,
)
PAST = Kind(MOMENT.schema, MOMENT.allowed, _past)
"""Nothing was known before there was a 1970, and what looks back from it needs some room."""
