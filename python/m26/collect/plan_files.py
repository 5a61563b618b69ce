"""State and events of a planner in, the same again after a kill at any moment out.

A snapshot names its log: `state` is replaced in one step, and until then the one before and its log
are whole. An event is a line of the log; one that a kill cut is not there.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

import orjson
import structlog

from m26._native import Planner, State
from m26.errors import StorageError
from m26.home.files import cannot, open_private, write_private
from m26.home.lock import HomeLock

_log = structlog.get_logger()


class Kept(NamedTuple):
    """The last snapshot, and the events since."""

    generation: int
    state: bytes
    events: list[tuple[str, list[Any]]]
    size: int
    """Bytes of the events' log, without a line that a kill cut."""


def read(folder: Path) -> Kept | None:
    """What a folder keeps, whoever has it; None: nothing.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged, or of another version of m26.
    """
    path = folder / "state"
    if not path.exists():
        if any(log.stat().st_size for log in _logs(folder)):
            raise ValueError("the state is missing")
        return None
    whole = path.read_bytes()
    head, _, state = whole.partition(b"\n")
    layout, generation, checksum = orjson.loads(head)
    if layout != Planner.LAYOUT:
        raise ValueError(f"it is of layout {layout}, this m26 knows {Planner.LAYOUT}")
    if checksum != zlib.crc32(state):
        raise ValueError("the state is damaged")
    try:
        *lines, _ = _log_path(folder, generation).read_bytes().split(b"\n")
    except FileNotFoundError:
        if path.read_bytes() != whole:
            return read(folder)  # a new snapshot came meanwhile
        raise ValueError("the log is missing") from None
    size = sum(map(len, lines)) + len(lines)
    return Kept(generation, state, [orjson.loads(line) for line in lines], size)


class PlanFiles:
    """A folder that one process has at a time.

    Args:
        folder: made if it is not there.

    Raises:
        HomeLockedError: another process has it.
        StorageError: it cannot be read or written; so with each method.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise cannot("make", folder.parent, error) from None
        self._lock = HomeLock.acquire(folder)
        self._folder = folder
        self._generation = self._size = 0
        self._log: IO[bytes] | None = None
        self.is_aside = False
        """What was there could not be read, and was moved aside."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._log is not None:
            self._log.close()
        self._lock.release()

    def load(self) -> Kept | None:
        """What is kept; None if nothing is.

        Raises:
            ValueError: it is damaged, or of another version of m26.
        """
        try:
            if (kept := read(self._folder)) is None:
                return None
            path = _log_path(self._folder, kept.generation)
            self._log = open_private(path, "ab", buffering=0)
            self._log.truncate(kept.size)
        except OSError as error:
            raise cannot("read", self._folder, error) from None
        self._generation, self._size = kept.generation, kept.size
        self._drop_logs()
        return kept

    def begin(self, state: State) -> None:
        """Keep a snapshot; the log begins anew."""
        path = _log_path(self._folder, self._generation + 1)
        head = orjson.dumps([Planner.LAYOUT, self._generation + 1, zlib.crc32(state)])
        try:
            log = open_private(path, "wb", buffering=0)
        except OSError as error:
            raise cannot("write", path, error) from None
        try:
            write_private(self._folder / "state", head, b"\n", memoryview(state))
        except StorageError:
            log.close()
            raise
        if self._log is not None:
            self._log.close()
        self._log, self._size = log, 0
        self._generation += 1
        self._drop_logs()

    def add(self, what: str, given: Sequence[object]) -> None:
        """Keep an event: all of it, or nothing."""
        line = orjson.dumps([what, given]) + b"\n"
        assert self._log is not None, "a snapshot comes first"
        try:
            left = memoryview(line)
            while left:  # where the disk is full, a part is written, then nothing
                left = left[self._log.write(left) or 0 :]
        except OSError as error:
            with suppress(OSError):  # if not now, it is cut when the log is read
                self._log.truncate(self._size)
            raise cannot("write", _log_path(self._folder, self._generation), error) from None
        self._size += len(line)

    def move_aside(self, why: str) -> None:
        """Put what is there into `damaged`, in place of what is in it, and say so."""
        damaged = self._folder / "damaged"
        if self._log is not None:
            self._log.close()
            self._log = None
        try:
            damaged.mkdir(mode=0o700, exist_ok=True)
            for path in [self._folder / "state", *_logs(self._folder)]:
                with suppress(FileNotFoundError):
                    path.replace(damaged / path.name.partition("-")[0])
        except OSError as error:
            raise cannot("move aside what is in", self._folder, error) from None
        self.is_aside = True
        _log.warning("plan.damaged", why=why, moved_to=str(damaged), advice="It is learned anew.")

    def _drop_logs(self) -> None:
        for path in _logs(self._folder):
            if path != _log_path(self._folder, self._generation):
                path.unlink(missing_ok=True)


def _logs(folder: Path) -> list[Path]:
    return sorted(folder.glob("log-*"))


def _log_path(folder: Path, generation: int) -> Path:
    return folder / f"log-{generation}"
