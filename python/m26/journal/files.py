"""The file system calls of the journal, in one class that a test can replace by a faulty one."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from m26.descriptors import refusal
from m26.errors import StorageError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Files:
    """The real file system. Every method raises OSError as the system does."""

    def open(self, path: Path, flags: int) -> int:
        """A file descriptor; new files are readable by their owner alone."""
        return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    def write(self, fd: int, data: memoryview, offset: int) -> int:
        """Write at `offset`; how many bytes were taken, which may be fewer than given."""
        return os.pwrite(fd, data, offset)

    def sync(self, fd: int) -> None:
        """Return when the file's bytes and size are on disk."""
        os.fdatasync(fd)

    def sync_folder(self, fd: int) -> None:
        """Return when the entries of an open folder are on disk."""
        os.fsync(fd)

    def cut(self, fd: int, size: int) -> None:
        """Make the file `size` bytes long."""
        os.ftruncate(fd, size)

    def rename(self, old: Path, new: Path) -> None:
        """Put `old` in the place of `new`, at once."""
        old.replace(new)

    def unlink(self, path: Path) -> None:
        """Delete one file; it may be gone already."""
        path.unlink(missing_ok=True)

    def free(self, folder: Path) -> int:
        """Bytes that this user can still write on the folder's disk."""
        stat = os.statvfs(folder)
        return stat.f_bavail * stat.f_frsize


def storage_error(what: str, folder: Path, error: OSError) -> StorageError:
    """A failed call as an error that says what to do; an OutageError if no descriptor was free."""
    if error.errno in _NO_ROOM:
        hint = "Free space on that disk: m26 goes on by itself and nothing stored is lost."
    else:
        hint = "Check the folder, its owner and its disk, then start m26 again."
    named = isinstance(error.filename, str | os.PathLike) and Path(error.filename) != folder
    which = f": {Path(error.filename).name}" if named else ""
    return refusal(f"cannot {what} the journal {folder}{which}", error, hint=hint)
