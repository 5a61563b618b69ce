"""The disk as a power cut would leave it: counts the bytes that nothing has made durable yet."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from m26.journal.files import Files


class Watched(Files):
    """The real files, with an account of what was written and not synced."""

    def __init__(self) -> None:
        self._written: Counter[int] = Counter()
        self._names: set[Path] = set()

    @property
    def unsafe(self) -> int:
        """Bytes and names that a power cut would take now."""
        return self._written.total() + len(self._names)

    def write(self, fd: int, data: memoryview, offset: int) -> int:
        taken = super().write(fd, data, offset)
        self._written[fd] += taken
        return taken

    def sync(self, fd: int) -> None:
        super().sync(fd)
        del self._written[fd]

    def rename(self, old: Path, new: Path) -> None:
        super().rename(old, new)
        self._names.add(new)

    def sync_folder(self, fd: int) -> None:
        super().sync_folder(fd)
        self._names.clear()  # a journal has one folder
