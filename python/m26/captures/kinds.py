"""A stream in; the flows of the capture it is out, whatever kind that is."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Iterator
from pathlib import Path

from m26._native import MAX_PAGE_BYTES
from m26.captures.flow import Flow
from m26.captures.har import read_har
from m26.captures.mitm import read_flows
from m26.captures.source import HEAD_BYTES, ByParts, buffered, damage_told, open_source
from m26.captures.split import Splitter
from m26.captures.tnetstring import OPENING
from m26.errors import ShapeError


def flows_in(path: Path, problem: Callable[[str], None]) -> Iterator[Flow]:
    """The flows of the capture at `path`, also of one that is packed.

    Raises:
        UsageError: it cannot be opened.
        ShapeError: it is no HAR and no flow file, or not one flow can be read.
    """
    name = str(path)
    with damage_told(name, problem), open_source(name) as stream:
        flows, _ = flows_of(stream, name, problem)
        if flows is None:
            raise ShapeError(
                f"{name} is not a HAR file: it has no log.entries",
                hint="Export the capture as HAR, with bodies.",
            )
        yield from flows


def flows_of(
    stream: io.BufferedReader, name: str, problem: Callable[[str], None]
) -> tuple[Iterator[Flow] | None, io.BufferedReader]:
    """The flows of a HAR or a mitmproxy flow file; None where it is neither, and the stream then.

    Args:
        stream: the file, at its beginning.
        name: what problems call it.
        problem: told of what cannot be read.

    Raises:
        ShapeError: it is empty.
    """
    while (head := stream.peek(1)) and _is_blank(head):
        stream.read(len(head))
    if not head:
        raise ShapeError(f"{name} is empty", hint="Give a capture that holds replies.")
    if not head.replace(codecs.BOM_UTF8, b"").lstrip().startswith(b"{"):
        is_flows = OPENING.search(head) is not None  # there may be junk before the first one
        return read_flows(ByParts(stream), name, problem) if is_flows else None, stream
    splitter, seen = Splitter(), bytearray()
    # One reply has no log either: it is looked for as far as a reply may go.
    while not (splitter.has_log or splitter.is_whole) and len(seen) <= MAX_PAGE_BYTES:
        part = stream.read1(HEAD_BYTES)
        seen += part
        for _ in splitter.split(io.BytesIO(part), limit=0):
            pass
        if not part:
            break
    stream = buffered(_Joined(bytes(seen), ByParts(stream)))
    return (read_har(ByParts(stream), name, problem) if splitter.has_log else None), stream


class _Joined:
    """What was read already, then the rest."""

    def __init__(self, seen: bytes, rest: ByParts) -> None:
        self._seen = io.BytesIO(seen)
        self._rest = rest

    def read(self, size: int) -> bytes:
        return self._seen.read(size) or self._rest.read(size)


def _is_blank(head: bytes) -> bool:
    return not head.replace(codecs.BOM_UTF8, b"").strip()
