"""What a document looks like: the type that spells it in, its JSON Schema out.

Pydantic could tell it too, but takes no `typing.TypedDict` before Python 3.12.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from datetime import datetime
from enum import Enum
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Union,
    get_origin,
    get_type_hints,
    is_typeddict,
)
from typing import get_args as parts

from m26.models import Format, Keys, Time

Schema = dict[str, Any]
_PLAIN = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    NoneType: "null",
    dict: "object",
}


def schema_of(kind: Any, named: dict[str, Schema]) -> Schema:  # noqa: ANN401 - types have no type
    """The schema of a type.

    Args:
        kind: what a document consists of: typed dictionaries and dataclasses, lists, and so on.
        named: gets the schemas of these two, by their names without ``View``; they are referred to.

    Raises:
        KeyError: there is no schema of such a type.
    """
    origin = get_origin(kind)
    schema: Schema
    if is_typeddict(kind) or is_dataclass(kind):
        name = kind.__name__.removesuffix("View")
        if name not in named:
            named[name] = {}  # its place in the order is before those of its members
            named[name] = _record(kind, named)
        schema = {"$ref": f"#/components/schemas/{name}"}
    elif origin is Annotated:
        schema = _annotated(kind, named)
    elif origin in (Union, UnionType):
        schema = _either([schema_of(each, named) for each in parts(kind)])
    elif origin is Literal and len(parts(kind)) == 1:
        schema = {"const": parts(kind)[0]}
    elif origin is Literal or (isinstance(kind, type) and issubclass(kind, Enum)):
        values = parts(kind) or [each.value for each in kind]
        schema = {"type": "string", "enum": list(values)}
    elif origin in (list, tuple, Sequence):
        schema = {"type": "array", "items": schema_of(parts(kind)[0], named)}
    elif origin in (dict, Mapping):
        schema = {"type": "object", "additionalProperties": schema_of(parts(kind)[1], named)}
    elif kind is datetime:
        schema = schema_of(Time, named)
    else:
        schema = {"type": _PLAIN[kind]}
    return schema


def _record(kind: type, named: dict[str, Schema]) -> Schema:
    hints = get_type_hints(kind, include_extras=True)
    optional = {name for name, hint in hints.items() if get_origin(hint) is NotRequired}
    return {
        "type": "object",
        "description": inspect.getdoc(kind),
        "properties": {
            name: schema_of(parts(hint)[0] if name in optional else hint, named)
            for name, hint in hints.items()
        },
        "required": [name for name in hints if name not in optional],
    }


def _annotated(kind: Any, named: dict[str, Schema]) -> Schema:  # noqa: ANN401 - types have no type
    schema = schema_of(kind.__origin__, named)
    for note in kind.__metadata__:
        if isinstance(note, Format):
            schema = {**schema, "format": note.name}
        elif isinstance(note, Keys):
            schema = {
                **schema,
                "properties": dict.fromkeys(note.names, schema["additionalProperties"]),
            }
        else:
            schema = {**schema, "description": note}
    return schema


def _either(schemas: list[Schema]) -> Schema:
    """One of several: of plain types a list of their names, as in ``["string", "null"]``."""
    if any("type" not in each for each in schemas):
        return {"anyOf": schemas}
    merged: Schema = {}
    for each in schemas:
        merged |= each
    return {**merged, "type": [each["type"] for each in schemas]}
