"""The home's lock: one collector per `$M26_HOME`, held as long as its process lives."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from m26.errors import HomeLockedError, StorageError


class HomeLock:
    """An flock on `$M26_HOME/lock`; the kernel releases it however its holder dies."""

    def __init__(self, fd: int) -> None:
        self._fd: int | None = fd

    @classmethod
    def acquire(cls, home: Path) -> Self:
        """Take the lock; the home is made (0700) when it is not there.

        Raises:
            HomeLockedError: another process holds it; the message names its pid.
            StorageError: the home cannot be written.
        """
        path = home / "lock"
        try:
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError(
                f"cannot use the home {home}: {error.strerror}",
                hint="Check its owner and permissions, or give another folder with M26_HOME.",
            ) from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(fd)
            raise HomeLockedError(
                f"another m26 (pid {holder}) holds {home}",
                hint=f"Stop it (kill {holder}), or give this one a home of its own with M26_HOME.",
            ) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        return cls(fd)

    def release(self) -> None:
        """Let the lock go. The file stays: deleting it would let two processes hold two locks."""
        if self._fd is not None:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
