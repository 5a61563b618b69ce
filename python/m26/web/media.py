"""In which form an answer goes out: what a client accepts and a document in, bytes out.

A form that joins (Arrow) is a line in `FORMS` and a function.
"""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args, get_type_hints

import orjson

JSON, CSV, TEXT = "application/json", "text/csv", "text/plain"
_GZIP = 31
"""Of zlib: a window of 32 KiB and gzip's frame."""
_QUICKLY = 1
"""Level of compression: on prices the usual one gains a few percent for four times the work."""


def accepted(header: str | None, offered: Sequence[str]) -> str | None:
    """Which of `offered` a header ``Accept`` or ``Accept-Encoding`` prefers, the first of equals.

    Args:
        header: its value; None where there is none: everything is as good.
        offered: what there is, the best first.
    """
    if header is None or not header.strip():
        return offered[0]
    wanted = dict(map(_wish, header.split(",")))
    best, most = None, 0.0
    for each in offered:
        ranges = (each, f"{each.partition('/')[0]}/*", "*/*", "*")
        quality = next((wanted[r] for r in ranges if r in wanted), 0.0)
        if quality > most:
            best, most = each, quality
    return best


def _wish(part: str) -> tuple[str, float]:
    name, *options = (each.strip().lower() for each in part.split(";"))
    for option in options:
        if option.startswith("q="):
            try:
                return name, float(option[2:])
            except ValueError:
                return name, 0.0
    return name, 1.0


@dataclass(frozen=True, slots=True)
class Body:
    """An answer as it goes out."""

    etag: str
    """Of the newest event that it tells of, and of its content: another one, another answer."""
    data: bytes
    is_packed: bool
    """By gzip."""
    next: str | None = None

    def unpacked(self) -> bytes:
        """It without gzip."""
        return zlib.decompress(self.data, _GZIP) if self.is_packed else self.data


def body_of(
    document: Mapping[str, Any],
    kind: Any,  # noqa: ANN401 - types have no type
    media: str,
    *,
    pack: bool,
) -> Body:
    """A document of a type in one of `FORMS`; work for a thread where it is large."""
    return wrapped(FORMS[media](document, kind), document["seq"], document.get("next"), pack=pack)


def wrapped(data: bytes, seq: int, following: str | None = None, *, pack: bool) -> Body:
    """Data that is in its form already."""
    etag = f'W/"{seq}-{zlib.crc32(data):08x}"'
    if pack:
        packer = zlib.compressobj(_QUICKLY, zlib.DEFLATED, _GZIP)
        data = packer.compress(data) + packer.flush()
    return Body(etag, data, pack, following)


def _json(document: Mapping[str, Any], _: Any) -> bytes:  # noqa: ANN401 - types have no type
    return orjson.dumps(document)


def _csv(document: Mapping[str, Any], kind: Any) -> bytes:  # noqa: ANN401 - types have no type
    """The rows of a list, or the one of any other document, below the names of their members."""
    names, rows = columns(kind), document.get("items", [document])
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(names)
    writer.writerows([_cell(row[name]) for name in names] for row in rows)
    return out.getvalue().encode()


@cache
def columns(kind: Any) -> tuple[str, ...]:  # noqa: ANN401 - types have no type
    """The members of a row of a document of this type, in their order."""
    hints = get_type_hints(kind)
    items = hints.get("items")
    return tuple(hints if items is None else get_type_hints(get_args(items)[0]))


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and all(isinstance(each, str | int) for each in value):
        return " ".join(map(str, value))
    return orjson.dumps(value).decode() if isinstance(value, dict | list) else value


FORMS: dict[str, Callable[[Mapping[str, Any], Any], bytes]] = {JSON: _json, CSV: _csv}
"""By media type: a document and its type in, bytes out."""
