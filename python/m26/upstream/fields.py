"""Tables of a TOML file in; dataclasses, each field of its type and among what it may be, out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from m26.errors import ConfigError
from m26.upstream.secret import LENGTH


def table(document: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    """The table `name` of a document; empty where there is none."""
    found = document.get(name, {})
    if not isinstance(found, dict):
        raise ConfigError(f"{where}: {name} is no table", hint="See docs/PROTOCOL.md.")
    return found


def as_tuple(value: object) -> object:
    """An array as the tuple that a field holds; anything else as it is, to be refused."""
    return tuple(value) if isinstance(value, list) else value


def merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """One document laid over another, table by table."""
    merged = dict(under)
    for key, value in over.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def build(kind: type[Any], values: Mapping[str, Any], where: str) -> Any:  # noqa: ANN401 - of that kind
    """A dataclass of a table's values.

    Raises:
        ConfigError: a field is unknown, missing, of another type or not among what it may be.
    """
    known = {f.name for f in fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ConfigError(
            f"{where} has an unknown field {unknown[0]!r}",
            hint=f"Known: {', '.join(sorted(known))}.",
        )
    try:
        return kind(**typed(kind, values, where))
    except TypeError as error:
        raise ConfigError(f"{where} is incomplete: {error}", hint="See docs/PROTOCOL.md.") from None


def typed(kind: type[Any], values: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """The values, if each is of its field's type and among what that may be.

    Raises:
        ConfigError: one is not.
    """
    hints = get_type_hints(kind, include_extras=True)
    for name, value in values.items():
        hint, among = hints[name], None
        if get_origin(hint) is Annotated:
            hint, among = get_args(hint)
        if type(None) in get_args(hint):  # it may be left out; TOML has no null
            hint = get_args(hint)[0]
        if not _is_of(value, hint):
            wanted, found = getattr(hint, "__name__", "table"), type(value).__name__
            why = f"is of type {found}, not {wanted}"
        elif among is not None and value not in among:
            why = f"is {value!r}, not {_one_of(among)}"
        elif isinstance(value, str) and (len(value) > LENGTH or not _is_printable(value)):
            why = "is too long, or no printable ASCII: it becomes part of requests"
        else:
            continue
        raise ConfigError(f"{where}: {name} {why}", hint="See docs/PROTOCOL.md.")
    return values


def _one_of(among: range | tuple[str, ...]) -> str:
    if isinstance(among, range):
        return f"{among[0]:,} to {among[-1]:,}"
    return " or ".join(map(repr, among))


def _is_printable(text: str) -> bool:
    return text.isascii() and (text.isprintable() or not text)


def _is_of(value: object, hint: Any) -> bool:  # noqa: ANN401 - a type, or what stands for one
    inner = get_args(hint)
    if isinstance(value, tuple):
        return bool(inner) and all(_is_of(item, inner[0]) for item in value)
    if isinstance(value, dict):
        return len(inner) == 2 and all(  # noqa: PLR2004 - of keys and of values
            _is_of(key, inner[0]) and _is_of(item, inner[1]) for key, item in value.items()
        )
    return type(value) is hint
