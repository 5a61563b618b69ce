"""Captures of any known kind in, pages out; the kind is found from the content, never the name."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from m26._native import MAX_PAGE_BYTES
from m26.captures.kinds import flows_of
from m26.captures.source import HEAD_BYTES, STDIN, damage_told, open_source
from m26.errors import ShapeError
from m26.journal import is_segment, read_segment, segment_paths
from m26.models import Page
from m26.offline.pages import to_pages

_BOM = b"\xef\xbb\xbf"


def read_captures(
    path: str | Path,
    *,
    on_read: Callable[[int], None] | None = None,
    on_problem: Callable[[str], None] | None = None,
) -> Iterator[Page]:
    """Every reply of one capture, in its order, without keys, cookies or headers.

    HAR, mitmproxy flows, NDJSON (one reply a line), a single reply, a journal segment; gzip or
    zstd around any but the last; a journal's folder, or a folder of captures.

    Args:
        path: file, folder, or ``-`` for standard input.
        on_read: called with the number of bytes each time some were read.
        on_problem: called with a sentence for each part that could not be read; without it such a
            part raises ShapeError.

    Yields:
        Pages; `fetched_at` is 0 and `platform` empty where the capture does not say.

    Raises:
        UsageError: no such file, or it cannot be opened.
        ShapeError: empty, or damaged in a way that leaves nothing to read.
    """
    problem = on_problem or _raise
    if str(path) != STDIN and Path(path).is_dir():
        for child in capture_files(Path(path)):
            yield from read_captures(child, on_read=on_read, on_problem=on_problem)
        return
    name = "standard input" if str(path) == STDIN else str(path)
    with damage_told(name, problem), open_source(str(path), on_read=on_read) as stream:
        if is_segment(stream.peek(HEAD_BYTES)):
            yield from _segment(str(path), problem, on_read)
        else:
            yield from _pages(stream, name, problem)


def capture_files(path: Path) -> list[Path]:
    """The file itself; of a journal's folder its segments, of any other one the files in it.

    Raises:
        ShapeError: the folder holds none.
    """
    if not path.is_dir():
        return [path]
    segments = segment_paths(path)
    children = segments or sorted(
        child for child in path.iterdir() if child.is_file() and child.name[0] != "."
    )
    if not children:
        raise ShapeError(f"{path} holds no captures", hint="Give a file, or another folder.")
    return children


def _pages(stream: io.BufferedReader, name: str, problem: Callable[[str], None]) -> Iterator[Page]:
    flows, stream = flows_of(stream, name, problem)
    if flows is None:
        yield from map(_bare, _documents(stream))
    else:
        yield from to_pages(flows, name, problem)


def _segment(
    path: str, problem: Callable[[str], None], on_read: Callable[[int], None] | None
) -> Iterator[Page]:
    if not Path(path).is_file():
        raise ShapeError(f"{path} is a journal segment in a pipe", hint="Give the file itself.")
    for record in read_segment(Path(path)):
        if record.page is None:
            what = f"record {record.pos} is " if record.count == 1 else ""
            problem(f"{path}: {what}{record.detail}")
        elif record.page.is_reply:
            yield record.page
    if on_read is not None:
        on_read(Path(path).stat().st_size - HEAD_BYTES)  # the head was counted when it was read


def _documents(stream: io.BufferedReader) -> Iterator[bytes]:
    """The lines of an NDJSON file, or all of it where it is one document."""
    lines = _lines(stream)
    opening = list(islice((line for line in lines if line.strip()), 2))
    first, *others = [line.strip() for line in opening]
    # A document that is written over several lines opens with a line that does not end it, and
    # goes on with an indented or at least not a new object.
    starts = first.removeprefix(_BOM).startswith(b"{")
    if others and starts and (first.endswith(b"}") or others[0].startswith(b"{")):
        yield first
        yield from others
        yield from (line.strip() for line in lines if line.strip())
        return
    rest = stream.read(MAX_PAGE_BYTES + 1) if others else b""
    yield b"".join((*opening, rest)).strip()


def _lines(stream: io.BufferedReader) -> Iterator[bytes]:
    """Lines, each cut one byte beyond what a page may have: the normalizer says it is too large."""
    while line := stream.readline(MAX_PAGE_BYTES + 1):
        yield line
        while len(line) > MAX_PAGE_BYTES and not line.endswith(b"\n"):
            if not (line := stream.readline(MAX_PAGE_BYTES + 1)):
                return


def _bare(body: bytes) -> Page:
    """A reply of which nothing but the bytes is known."""
    return Page(
        account="",
        platform="",
        command="",
        query="{}",
        status=0,
        content_type="",
        fetched_at=0,
        body=body,
    )


def _raise(text: str) -> None:
    raise ShapeError(text, hint="What was read before it is whole.")
