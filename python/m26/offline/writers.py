"""Rows in, an NDJSON or CSV file out that appears whole or not at all."""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, cast

import orjson
import zstandard

from m26.errors import StorageError, UsageError

STDOUT = "-"
Value = int | str | None
_FORMULA = re.compile(r"[=@\t\r\n\uff1d\uff20\uff0b\uff0d]|[-+](?!\d+(?:\.\d+)?\Z)", re.ASCII)
"""How a cell begins that a spreadsheet runs; a number with its sign stays one."""
_SIGNS = frozenset("=+-@\uff1d\uff20\uff0b\uff0d")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_COMPRESSIONS: Mapping[str, Literal["gzip", "zstd"]] = {".gz": "gzip", ".zst": "zstd"}
_KINDS: Mapping[str, Literal["ndjson", "csv"]] = {
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
}


@dataclass(frozen=True, slots=True)
class Format:
    """How rows are written."""

    kind: Literal["ndjson", "csv"]
    compression: Literal["gzip", "zstd"] | None = None


def format_of(target: str, kind: Literal["ndjson", "csv"] | None = None) -> Format:
    """The format a file name asks for; `kind` overrides its extension.

    Raises:
        UsageError: the extension is not known and no kind was given.
    """
    path = Path(target)
    compression = _COMPRESSIONS.get(path.suffix.lower())
    inner = path.with_suffix("") if compression else path
    found = kind or _KINDS.get(inner.suffix.lower()) or ("ndjson" if target == STDOUT else None)
    if found is None:
        raise UsageError(
            f"{target}: rows cannot be written as {inner.suffix or 'a file without extension'!r}",
            hint="Use .ndjson, .jsonl or .csv (with .gz or .zst behind it), or give --format.",
        )
    return Format(found, compression)


@contextmanager
def open_rows(
    target: str, columns: Sequence[str], *, form: Format
) -> Iterator[Callable[[Iterable[Sequence[Value]]], None]]:
    """A function that writes rows to `target`; the file appears when the block ends well.

    Args:
        target: file, or ``-`` for standard output.
        columns: names, in the order of each row's values.
        form: how to write them.

    Raises:
        UsageError: the file cannot be made.
        StorageError: it cannot be written to its end.
    """
    with open_target(target) as binary, _compressed(binary, form.compression) as stream:
        if form.kind == "ndjson":

            def write(rows: Iterable[Sequence[Value]]) -> None:
                documents = (dict(zip(columns, row, strict=True)) for row in rows)
                stream.write(b"".join(orjson.dumps(document) + b"\n" for document in documents))

            yield write
        else:
            text = io.TextIOWrapper(stream, "utf-8", newline="", write_through=True)
            table = csv.writer(text, lineterminator="\r\n")
            table.writerow(columns)

            def write_table(rows: Iterable[Sequence[Value]]) -> None:
                table.writerows(
                    [_harmless(value) if type(value) is str else value for value in row]
                    for row in rows
                )

            try:
                yield write_table
            finally:
                text.detach()


def _harmless(value: str) -> str:
    """A text that no spreadsheet takes for a formula and no terminal for a command."""
    if value.isprintable() and value[:1] not in _SIGNS:
        return value
    value = _CONTROL.sub("\ufffd", value)
    return f"'{value}" if _FORMULA.match(value) else value


@contextmanager
def open_target(target: str, *, private: bool = False) -> Iterator[BinaryIO]:
    """A file that takes its name when the block ends well; what was there before stays until then.

    Standard output, devices and pipes are written directly.

    Args:
        target: file, or ``-`` for standard output.
        private: a file that is made is for its owner alone.

    Raises:
        UsageError: it cannot be made.
        StorageError: it cannot be written.
    """
    path = Path(target).resolve()
    try:
        if target == STDOUT:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        elif path.exists() and not path.is_file() and not path.is_dir():
            with path.open("wb") as file:
                yield file
        else:
            yield from _replacing(path, target, 0o600 if private else 0o666)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StorageError(
            f"cannot write {target}: {error.strerror}", hint="Nothing half-written was left."
        ) from None


def _replacing(path: Path, target: str, mode: int) -> Iterator[BinaryIO]:
    temp = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        if path.is_dir():
            raise IsADirectoryError(21, "it is a folder")
        file = os.fdopen(
            os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb"
        )
    except OSError as error:
        raise UsageError(
            f"cannot write {target}: {error.strerror}", hint="Check the folder and its permissions."
        ) from None
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temp.replace(path)
    except BaseException:
        temp.unlink(missing_ok=True)
        raise


@contextmanager
def _compressed(
    stream: BinaryIO, compression: Literal["gzip", "zstd"] | None
) -> Iterator[BinaryIO]:
    if compression is None:
        yield stream
    elif compression == "gzip":
        with gzip.GzipFile(fileobj=stream, mode="wb", mtime=0) as packed:
            yield cast("BinaryIO", packed)
    else:
        compressor = zstandard.ZstdCompressor()
        with compressor.stream_writer(stream, closefd=False) as packed:
            yield cast("BinaryIO", packed)
