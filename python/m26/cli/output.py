"""What commands print: text for people, one stable JSON form for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO, Final, TextIO

from m26.errors import UsageError
from m26.printable import printable, printable_json

if TYPE_CHECKING:
    from rich.console import Console, Group, RenderableType
    from rich.table import Table

    from m26.cli.documents import FailureView

Rows = list[tuple[str, str]]
"""Labels and texts."""

SCHEMA_VERSION: Final = 1
"""Of documents: a member may be added, none removed or retyped, without a new one."""
_PIPE_WIDTH = 1000
"""Columns when the output is no terminal: a line of a table stays one line for ``grep``."""
_COLOR = {
    "collecting": "green",
    "starting": "cyan",
    "draining": "cyan",
    "backing_off": "yellow",
    "paused": "yellow",
    "storing_only": "red",
    "stopped": "bold red",
}
_NARROW = 30


def say(text: str, *, stderr: bool = False) -> None:
    """Text on stdout or stderr, whatever is in it: no terminal acts on it."""
    stream = sys.stderr if stderr else sys.stdout
    stream.write(printable(text))
    stream.flush()


def write_bytes(content: bytes) -> None:
    """Bytes on stdout as they are; on a terminal as text that it does not act on."""
    if sys.stdout.isatty():
        say(content.decode("utf-8", "backslashreplace"))
    else:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()


def dump_json(document: Mapping[str, object], *, stream: TextIO | None = None) -> None:
    """One document on one line of stdout, or of `stream`; times as ISO 8601 UTC.

    Every document of the command line is printed here: an object that begins with its version.
    """
    import orjson

    value = {"schema_version": SCHEMA_VERSION, **document}
    options = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC
    try:
        line = orjson.dumps(value, default=str, option=options).decode()
    except TypeError:  # a lone surrogate (an odd file name) or an integer over 64 bits
        line = json.dumps(value, default=_plain, separators=(",", ":"))
    dump_document(line, stream=stream)


def dump_document(line: str, *, stream: TextIO | None = None) -> None:
    """One JSON document that is text already, on one line of stdout, or of `stream`."""
    out = stream or sys.stdout
    out.buffer.write(printable_json(line).encode() + b"\n")
    out.buffer.flush()


def _plain(value: object) -> object:
    """As orjson writes it."""
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)


def console(*, stderr: bool = False) -> Console:
    """A rich console that honours NO_COLOR, pipes and widths, and shows no text's own escapes."""
    from m26.cli.terminal import PrintableConsole

    stream = sys.stderr if stderr else sys.stdout
    wide = None if stream.isatty() else _PIPE_WIDTH
    return PrintableConsole(stderr=stderr, highlight=False, width=wide)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout; numbers to the right."""
    console().print(_table(title, columns, rows))


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    materialized = [list(row) for row in rows]
    grid = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for index, column in enumerate(columns):
        numeric = any(isinstance(row[index], int | float) for row in materialized)
        grid.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in materialized:
        grid.add_row(*(Text(text(cell)) for cell in row))  # Text: brackets are no markup
    return grid


def show(picture: RenderableType) -> None:
    """On stdout, and at once, whoever reads it."""
    out = console()
    out.print(picture)
    out.file.flush()


def group(
    facts: Rows,
    tables: Iterable[tuple[str, Sequence[str], Iterable[Sequence[object]]]],
    notes: Iterable[str],
) -> Group:
    """Labels and texts, tables, and lines below them, in one piece."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [grid(facts, width=console().width)] if facts else []
    for each in tables:
        parts += [*([Text()] if parts else []), _table(*each)]
    return Group(*parts, *(Text(text(note), style="dim") for note in notes))


def print_rows(lines: Rows, *, state: str = "") -> None:
    """Labels and texts on stdout; a state colours its row."""
    if lines:
        out = console()
        out.print(grid(lines, width=out.width, state=state))


def grid(lines: Rows, *, width: int, state: str = "") -> Table:
    """Labels and texts as a table without lines; `state` colours its own row."""
    from rich.table import Table
    from rich.text import Text

    made = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    made.add_column(overflow="fold")
    if width >= _NARROW:
        made.add_column(overflow="fold")
    for label, value in lines:
        style = _COLOR.get(state, "") if label == "state" else ""
        cells = Text(label, style="dim"), Text(text(value), style=style)  # Text: no markup in it
        if width >= _NARROW:
            made.add_row(*cells)
        else:  # too narrow for two columns: the text under its label
            made.add_row(cells[0])
            made.add_row(cells[1])
    return made


def text(value: object) -> str:
    """One cell: thousands separated, times in UTC, nothing as a dash, control bytes escaped."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return printable(str(value), keep="\n")


def duration(seconds: float) -> str:
    """``3 h 10 m``, ``45 s``."""
    whole = max(0, int(seconds))
    days, rest = divmod(whole, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, secs = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} m"
    return f"{minutes} m {secs} s" if minutes else f"{secs} s"


def size(count: float) -> str:
    """Bytes with a binary unit."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024 or unit == "GiB":  # noqa: PLR2004 - the unit's own size
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError


def confirm(question: str, *, yes: bool) -> None:
    """Ask on the terminal before something is gone; UsageError where nobody says yes."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask on", hint="Add --yes.")
    say(f"{question} Type yes: ", stderr=True)
    if sys.stdin.readline().strip().lower() != "yes":
        raise UsageError("nothing was deleted")


def raw_streams() -> tuple[BinaryIO, BinaryIO]:
    """What comes in and goes out as bytes, for a dialogue of lines."""
    return sys.stdin.buffer, sys.stdout.buffer


def print_error(code: str, message: str, hint: str, *, as_json: bool) -> None:
    """An error on stderr: what and why, then what to do; JSON goes to stdout."""
    if as_json:
        printed: FailureView = {"error": {"code": code, "message": message, "hint": hint}}
        dump_json(printed)
        return
    say(f"m26: {message}\n" + (f"     {hint}\n" if hint else ""), stderr=True)
