"""Locks on files of a home: an flock, which the kernel releases however its holder ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from m26.errors import HomeLockedError, StorageError, remedy
from m26.safefile import open_ours, read_limited

_PID_BYTES = 20


def open_lock(path: Path) -> int:
    """Descriptor of a lock file, which is made when it is not there.

    Raises:
        OSError: it cannot be opened, it is a symbolic link, or others can put files beside it.
    """
    return open_ours(path, os.O_RDWR | os.O_CREAT)


def take(descriptor: int, *, wait: bool = False) -> bool:
    """Lock it for this process alone; False when another one holds it and we do not wait."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


@contextmanager
def turn(path: Path) -> Iterator[None]:
    """Wait for the lock of `path` and hold it for the block.

    Raises:
        OSError: the lock file cannot be opened.
    """
    descriptor = open_lock(path)
    try:
        take(descriptor, wait=True)
        yield
    finally:
        os.close(descriptor)


@dataclass(slots=True)
class Lock:
    """A lock held beyond a block, with its holder's pid in the file."""

    path: Path
    fd: int | None = None

    @property
    def held(self) -> bool:
        """Whether we hold it."""
        return self.fd is not None

    def take(self) -> bool:
        """Try once; whether it is held now."""
        if self.held:
            return True
        fd = open_lock(self.path)
        if not take(fd):
            os.close(fd)
            return False
        try:
            os.truncate(fd, 0)
            os.pwrite(fd, b"%d\n" % os.getpid(), 0)
        except OSError:
            os.close(fd)
            raise
        self.fd = fd
        return True

    def release(self) -> None:
        """Close our end; a child that inherited the lock keeps it.

        The file stays: deleting it would let two processes hold two locks.
        """
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def holder(self) -> int | None:
        """Pid of the process that took it, 0 where it left none; None: nobody holds it, or we do.

        Nothing is written, so that it can be asked in a home that is read-only.
        """
        if self.held or self.path.is_symlink() or not self.path.is_file():
            return None
        fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            pid = os.pread(fd, _PID_BYTES, 0).strip()
            return None if take(fd) else int(pid) if pid.isdigit() else 0
        finally:
            os.close(fd)


class HomeLock:
    """`$M26_HOME/lock`: one collector per home, for as long as its process lives."""

    def __init__(self, lock: Lock) -> None:
        self._lock = lock

    @classmethod
    def acquire(cls, home: Path) -> Self:
        """Take the lock; the home is made (0700) when it is not there.

        Raises:
            HomeLockedError: another process holds it; the message names its pid.
            StorageError: the home cannot be written.
        """
        lock = Lock(home / "lock")
        try:
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            if lock.take():
                return cls(lock)
            pid = read_limited(lock.path, _PID_BYTES, links=False).strip()
            holder = pid.decode("ascii", "replace") if pid.isdigit() else "unknown"
        except OSError as error:
            raise StorageError(
                f"cannot use the home {home}: {error.strerror}",
                hint=remedy(str(error)),
            ) from None
        raise HomeLockedError(
            f"another m26 (pid {holder}) holds {home}",
            hint=f"Stop it (kill {holder}), or give this one a home of its own with M26_HOME.",
        )

    def release(self) -> None:
        """Release the lock, and take our pid out of its file if the disk lets us."""
        if self._lock.fd is not None:
            with suppress(OSError):  # it is for people: the kernel knows who holds it
                os.ftruncate(self._lock.fd, 0)
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
