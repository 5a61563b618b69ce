"""Which files of a journal's folder are its segments: those whose head says what the name says."""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from m26.errors import StorageError
from m26.journal import segment as seg
from m26.journal.files import Files, storage_error
from m26.journal.segment import Identity

_ASIDE = "Move it out of that folder, then start m26 again"
_TOLD = "what was in it and nowhere else is then told as missing"


def identity(paths: list[Path], promised: Mapping[str, int]) -> Identity:
    """The identity that all segments share; the newest one's.

    Raises:
        OSError: a file cannot be read.
        StorageError: a file is not the segment that its name says, or is another journal's.
    """
    found = [_checked(path) for path in paths]
    counts = Counter(str(each.journal) for each in found)
    if len(counts) > 1:
        known = [journal for journal in counts if journal in promised]
        ours = known[0] if len(known) == 1 else counts.most_common(1)[0][0]
        foreign = next(p for p, f in zip(paths, found, strict=True) if str(f.journal) != ours)
        raise StorageError(
            f"{foreign} is a segment of another journal: {foreign.parent} holds segments of more "
            f"than one journal, and this home's is {ours}",
            hint=f"{_ASIDE}. `m26 replay` reads it.",
        )
    return found[-1]


def overlapping(path: Path, following: Path, last: int) -> StorageError:
    """Two segments hold the same positions: one of them was put there."""
    return StorageError(
        f"{path} and {following.name} hold the same records ({int(following.stem)} to {last}): one "
        "of them is a copy from elsewhere",
        hint="Move the one that does not belong there out of that folder, then start m26 again; "
        "`m26 replay` reads it.",
    )


def _checked(path: Path) -> Identity:
    """The identity in the head of one segment, which must be what its name says."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise StorageError(
            f"{path} has the name of a journal segment, but is no regular file",
            hint=f"{_ASIDE}: {_TOLD}.",
        )
    head = seg.read_head(path)
    if head is None:
        raise StorageError(
            f"{path} does not begin with the head of a journal segment: it is damaged, emptied or "
            "something else, and nothing says which journal it belongs to",
            hint=f"{_ASIDE}: {_TOLD}. `m26 replay` reads what is left of it.",
        )
    name = seg.segment_name(head[1])
    if name == path.name:
        return head[0]
    if path.with_name(name).exists():
        raise StorageError(
            f"{path} is a copy of {name} under another name, as its head says",
            hint=f"{_ASIDE}: {_TOLD}.",
        )
    raise StorageError(
        f"{path} is not the segment that its name says: its head says {name}",
        hint=f"Rename it to {name}, then start m26 again.",
    )


def rename(paths: list[Path], old: str, new: str, *, files: Files | None = None) -> None:
    """Let the heads of segments say that their journal is `new`; those that say so already stay.

    The records stay where they are. One copy of a head is always whole, and whoever was
    interrupted begins once more.

    Raises:
        StorageError: a segment cannot be written.
    """
    files = files or Files()
    for path in paths:
        try:
            fd = files.open(path, os.O_RDWR)
            try:
                head = seg.unpack_head(os.pread(fd, seg.HEAD_BYTES, 0))
                if head is not None and str(head[0].journal) == old:
                    identity = Identity(UUID(new), head[0].database)
                    renamed = memoryview(seg.pack_head(identity, head[1]))
                    half = len(renamed) // 2
                    for at in (0, half):
                        if files.write(fd, renamed[at : at + half], at) < half:
                            raise OSError(errno.EIO, "a part of it was not written")
                        files.sync(fd)
            finally:
                os.close(fd)
        except OSError as error:
            raise storage_error("rename", path.parent, error) from None
