"""A flock with its holder's pid: a path in, held or not out."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class Lock:
    """An exclusive flock on a file, with the holder's pid in it."""

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
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        os.truncate(fd, 0)
        os.pwrite(fd, b"%d\n" % os.getpid(), 0)
        self.fd = fd
        return True

    def release(self) -> None:
        """Close our end; a child that inherited the lock keeps it."""
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def holder(self) -> int | None:
        """Pid of the process that took it; None when nobody holds it, or we do."""
        if self.held or not self.path.exists():
            return None
        if self.take():
            self.release()
            return None
        return int(self.path.read_text() or 0)
