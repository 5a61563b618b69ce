"""Journal bytes: pages to records and back, and the way through a segment that has damaged places.

A segment is a head (twice: a damaged byte must not take the journal's identity) and records:

    head    magic 8 | journal uuid 16 | database uuid 16 (zeros: none) | first position 8 | crc32 4
    record  magic 4 | position 8 | payload length 4 | payload crc32 4 | crc32 of these 20 bytes 4
            payload: zstd of [header length 4 | page fields as JSON | body]

Invariant: a damaged byte costs at most the record it lies in. A damaged payload leaves the length;
a damaged record header is passed by looking for the next intact one. Integers are little-endian.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints
from uuid import UUID
from zlib import crc32

import orjson
import zstandard

from m26._native import MAX_PAGE_BYTES
from m26.models import Page, Record

_HEAD = struct.Struct("<8s16s16sQI")
_HEAD_MAGIC = b"M26SEG1\n"
HEAD_BYTES = 2 * _HEAD.size

_RECORD = struct.Struct("<4sQIII")
_RECORD_MAGIC = b"\xf1M26"
_NO_DATABASE = UUID(int=0)
_LEVEL = 3  # measured: docs/adr/0002-journal-segments.md
_SCAN_BYTES = 1 << 20
_FIELDS = tuple(field.name for field in fields(Page) if field.name != "body")
_TYPES = {name: get_args(hint) or (hint,) for name, hint in get_type_hints(Page).items()}
_LAST_TIME = 253_402_300_800_000_000
"""Microseconds; no clock tells a later year than 9999, and no text of a time can hold one."""
_MOST_UNPACKED = MAX_PAGE_BYTES + 2**20
"""Bytes of a record: a body, and fields far longer than any client writes them."""
_MOST_PACKED = _MOST_UNPACKED + 2**16


@dataclass(frozen=True, slots=True)
class Identity:
    """Which journal a segment belongs to, and which database that journal's cursor lives in."""

    journal: UUID
    database: UUID | None


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a record's payload lies in its segment."""

    pos: int
    offset: int
    length: int
    crc: int

    @property
    def start(self) -> int:
        """Offset of the record's own header."""
        return self.offset - _RECORD.size

    @property
    def end(self) -> int:
        """Offset just behind the record."""
        return self.offset + self.length


def segment_paths(folder: Path) -> list[Path]:
    """The segments of a journal folder, oldest first; names are zero-padded positions."""
    return sorted(path for path in folder.glob("*.seg") if path.stem.isdecimal())


def segment_name(first: int) -> str:
    """File name of the segment whose first record is `first`."""
    return f"{first:020}.seg"


def pack_head(identity: Identity, first: int) -> bytes:
    """The head of a new segment, both copies."""
    database = identity.database or _NO_DATABASE
    body = _HEAD.pack(_HEAD_MAGIC, identity.journal.bytes, database.bytes, first, 0)[:-4]
    return 2 * (body + crc32(body).to_bytes(4, "little"))


def unpack_head(head: bytes) -> tuple[Identity, int] | None:
    """Identity and first position from the first intact copy; None when there is none."""
    for copy in (head[: _HEAD.size], head[_HEAD.size : HEAD_BYTES]):
        if len(copy) == _HEAD.size:
            magic, journal, database, first, crc = _HEAD.unpack(copy)
            if magic == _HEAD_MAGIC and crc == crc32(copy[:-4]):
                owner = UUID(bytes=database)
                known = None if owner == _NO_DATABASE else owner
                return Identity(UUID(bytes=journal), known), first
    return None


def read_head(path: Path) -> tuple[Identity, int] | None:
    """The head of a segment file."""
    with path.open("rb") as file:
        return unpack_head(file.read(HEAD_BYTES))


def is_segment(head: bytes) -> bool:
    """Whether a file that begins with `head` is a journal segment, be its own head damaged."""
    return unpack_head(head) is not None or _unpack(head[HEAD_BYTES:][: _RECORD.size]) is not None


def pack_payload(page: Page) -> bytes:
    """A page as a record's payload."""
    header = orjson.dumps({name: getattr(page, name) for name in _FIELDS})
    raw = b"".join((len(header).to_bytes(4, "little"), header, page.body))
    return zstandard.compress(raw, level=_LEVEL)


def pack_record(pos: int, payload: bytes) -> bytes:
    """A payload as the record `pos`."""
    header = _RECORD.pack(_RECORD_MAGIC, pos, len(payload), crc32(payload), 0)[:-4]
    return b"".join((header, crc32(header).to_bytes(4, "little"), payload))


def load(fd: int, entry: Entry) -> Record:
    """The record behind an entry; without its page when the payload is damaged."""
    payload = os.pread(fd, min(entry.length, _MOST_PACKED), entry.offset)
    if len(payload) != entry.length or crc32(payload) != entry.crc:
        why = f"damaged on disk: wrong checksum at byte {entry.start}"
        return Record(entry.pos, None, why, checksum=entry.crc)
    try:
        raw = _unpacked(payload)
        size = int.from_bytes(raw[:4], "little")
        header = orjson.loads(raw[4 : 4 + size])
        known = {name: _checked(name, header[name]) for name in _FIELDS if name in header}
        return Record(entry.pos, Page(**known, body=raw[4 + size :]), checksum=entry.crc)
    except (zstandard.ZstdError, ValueError, TypeError) as error:
        why = f"written by another version of m26: {error}"
        return Record(entry.pos, None, why, checksum=entry.crc)


def _unpacked(payload: bytes) -> bytes:
    """The bytes of a record; what its frame says of their number is not believed."""
    size = zstandard.get_frame_parameters(payload).content_size
    if _MOST_UNPACKED < size < 2**63:  # beyond that it says nothing
        raise ValueError(f"its payload would have {size} bytes, over {_MOST_UNPACKED}")
    return zstandard.ZstdDecompressor().decompress(payload, max_output_size=_MOST_UNPACKED)


def _checked(name: str, value: Any) -> Any:  # noqa: ANN401 - any JSON
    """A field's value, if it is of the field's type and can be stored."""
    if type(value) not in _TYPES[name]:
        raise TypeError(f"its {name} is of type {type(value).__name__}")
    if name in ("fetched_at", "served_at", "observed_at"):
        in_range = 0 <= value < _LAST_TIME
    else:
        in_range = not isinstance(value, int) or -(2**63) <= value < 2**63
    if not in_range:
        raise ValueError(f"its {name} is out of range")
    return value


def walk(fd: int, *, offset: int, end: int, pos: int) -> Iterator[Entry]:
    """The whole records from `offset` to `end` whose headers are intact.

    Positions rise from `pos` on; one that is left out has a damaged header.
    """
    while (entry := _next_entry(fd, offset, end, pos)) is not None and entry.end <= end:
        yield entry
        offset, pos = entry.end, entry.pos + 1


def recover(fd: int, first: int) -> tuple[int, int]:
    """Where a segment that a crash may have cut goes on: next position, and bytes to keep.

    A record is written from its first byte to its last, so one that was never acknowledged ends
    early: that is cut. A whole header that is damaged belongs to a record that was acknowledged:
    its bytes and its position stay, and `walk` leaves it out.
    """
    size = os.fstat(fd).st_size
    pos, offset = first, HEAD_BYTES
    while offset < size:
        entry = _next_entry(fd, offset, size, pos)
        if entry is None:
            torn = size - offset < _RECORD.size or _all_zero(fd, offset, size)
            return (pos, offset) if torn else (pos + 1, size)
        if entry.end > size:
            return entry.pos, entry.start
        pos, offset = entry.pos + 1, entry.end
    return pos, size


def read_segment(path: Path) -> Iterator[Record]:
    """Every record of one segment file, damaged ones without their page.

    Raises:
        OSError: the file cannot be read.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        head = unpack_head(os.pread(fd, HEAD_BYTES, 0))
        pos = head[1] if head else int(path.stem) if path.stem.isdecimal() else 0
        stop, end = recover(fd, pos)
        for entry in walk(fd, offset=HEAD_BYTES, end=end, pos=pos):
            if entry.pos > pos:
                yield lost(pos, entry.pos, path)
            yield load(fd, entry)
            pos = entry.pos + 1
        if stop > pos:
            yield lost(pos, stop, path)
    finally:
        os.close(fd)


def tail(fd: int, first: int) -> int:
    """Position behind the last whole record of a segment that begins at `first`.

    Read from the end, so that a whole journal is looked through at each opening.
    """
    size = stop = os.fstat(fd).st_size
    while stop > HEAD_BYTES:
        start = max(HEAD_BYTES, stop - _SCAN_BYTES)
        chunk = os.pread(fd, stop - start + len(_RECORD_MAGIC) - 1, start)
        at = chunk.rfind(_RECORD_MAGIC)
        while at != -1:
            entry = _entry_at(fd, start + at, size, first)
            if entry is not None:
                return entry.pos + (entry.end <= size)
            at = chunk.rfind(_RECORD_MAGIC, 0, at + len(_RECORD_MAGIC) - 1)
        stop = start
    return first


def lost(first: int, stop: int, path: Path) -> Record:
    """The report of the records from `first` on, before `stop`, that are not where they should be.

    One record, however many it stands for.
    """
    if stop - first == 1:
        why = f"damaged on disk: no intact header of this record in {path.name}"
    else:
        why = f"records {first} to {stop - 1} are missing: they should be in or behind {path.name}"
    return Record(first, None, why, stop - first)


def _next_entry(fd: int, offset: int, end: int, pos: int) -> Entry | None:
    return _entry_at(fd, offset, end, pos) or _resync(fd, offset + 1, end, pos + 1)


def _entry_at(fd: int, offset: int, end: int, pos: int) -> Entry | None:
    if offset + _RECORD.size > end:
        return None
    header = _unpack(os.pread(fd, _RECORD.size, offset))
    if header is None or header[0] < pos:
        return None
    found, length, crc = header
    return Entry(found, offset + _RECORD.size, length, crc)


def _unpack(header: bytes) -> tuple[int, int, int] | None:
    """Position, length and checksum of the payload that an intact header tells."""
    if len(header) < _RECORD.size:
        return None
    magic, found, length, crc, own_crc = _RECORD.unpack(header)
    if magic != _RECORD_MAGIC or own_crc != crc32(header[:-4]):
        return None
    return found, length, crc


def _resync(fd: int, offset: int, end: int, pos: int) -> Entry | None:
    """The next intact header at or behind `offset`, wherever it begins."""
    while offset < end:
        chunk = os.pread(fd, _SCAN_BYTES + len(_RECORD_MAGIC) - 1, offset)
        at = chunk.find(_RECORD_MAGIC)
        while at != -1:
            entry = _entry_at(fd, offset + at, end, pos)
            if entry is not None:
                return entry
            at = chunk.find(_RECORD_MAGIC, at + 1)
        offset += _SCAN_BYTES
    return None


def _all_zero(fd: int, offset: int, end: int) -> bool:
    """Whether a power cut left a longer file without its bytes."""
    while offset < end:
        chunk = os.pread(fd, _SCAN_BYTES, offset)
        if chunk.strip(b"\0"):
            return False
        offset += _SCAN_BYTES
    return True
