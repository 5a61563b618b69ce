"""Files of a home that only their owner may read: checked when read, replaced in one step."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import orjson

from m26.descriptors import refusal
from m26.errors import StorageError, remedy
from m26.safefile import open_ours, our_folder, read_limited

_OTHERS = 0o077
_OTHERS_OF_CREDENTIAL = 0o027
"""A service manager lets one user in by an ACL, whose mask shows as the group's permissions."""
_MODE = 0o600
_MOST_PRIVATE = 64 * 2**20
_MOST_OBJECT = 2**20
"""Bytes; no process of ours writes more by far."""


class UnsafeFileError(Exception):
    """A private file is not what it should be; the text says how, without its content."""


def read_private(path: Path, *, owners: frozenset[int], is_credential: bool = False) -> bytes:
    """Bytes of a regular file that nobody else can read.

    Args:
        path: the file.
        owners: user ids of which one must own it.
        is_credential: it was handed over by the service manager in a folder for us alone.

    Raises:
        FileNotFoundError: there is none.
        UnsafeFileError: a link, not a file, someone else's, readable by others, empty or too large.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        what = "is a symbolic link" if path.is_symlink() else f"cannot be read: {error.strerror}"
        raise UnsafeFileError(what) from None
    try:
        others = _OTHERS_OF_CREDENTIAL if is_credential else _OTHERS
        _check(os.fstat(descriptor), owners, others)
        with os.fdopen(os.dup(descriptor), "rb") as file:
            data = file.read(_MOST_PRIVATE + 1)
    finally:
        os.close(descriptor)
    if not data.strip():
        raise UnsafeFileError("is empty")
    if len(data) > _MOST_PRIVATE:
        raise UnsafeFileError(f"is larger than {_MOST_PRIVATE // 2**20} MiB")
    return data


def _check(facts: os.stat_result, owners: frozenset[int], others: int) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise UnsafeFileError("is not a regular file")
    if facts.st_uid not in owners:
        raise UnsafeFileError(f"belongs to another user (uid {facts.st_uid})")
    if facts.st_mode & others:
        mode = stat.S_IMODE(facts.st_mode)
        raise UnsafeFileError(f"can be read by other users (mode {mode:04o})")


def open_private(path: Path, mode: str, *, buffering: int = -1) -> IO[Any]:
    """Open a file to write to; if it is made, for its owner alone under any umask.

    Raises:
        OSError: it cannot be opened, it is a symbolic link, or others can put files beside it.
    """

    def private(name: str, flags: int) -> int:
        return open_ours(Path(name), flags, _MODE)

    return open(path, mode, buffering=buffering, opener=private)


def replace_private(path: Path, *data: bytes | memoryview) -> None:
    """Put `data` in place of a file, mode 0600: the old or the new bytes, never a part of either.

    Its parts follow each other. Writers of one file take turns by a lock of their own: the
    temporary name is fixed, so that a killed writer leaves one file at the most.

    Raises:
        OSError: it could not be written; the old file is untouched.
    """
    temporary = f".{path.name}.new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with our_folder(path.parent) as folder:  # first: if no descriptor is free, nothing has changed
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
        descriptor = os.open(temporary, flags, _MODE, dir_fd=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.writelines(data)
                file.flush()
                os.fsync(descriptor)
            os.replace(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
            raise
        os.fsync(folder)


def write_private(path: Path, *data: bytes | memoryview) -> None:
    """`replace_private`, with an error that says what to do.

    Raises:
        StorageError: the disk or the folder does not allow it; the old file is untouched.
        OutageError: no descriptor was free for it.
    """
    try:
        replace_private(path, *data)
    except OSError as error:
        raise cannot("write", path, error) from None


def cannot(do: str, path: Path, error: OSError) -> StorageError:
    """The disk's or the folder's refusal to let us `do` something with `path`."""
    return refusal(f"cannot {do} {path}", error, hint=remedy(str(error)))


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object that another process of the home wrote; empty where there is none."""
    try:
        data = read_limited(path, _MOST_OBJECT)
        document = orjson.loads(data) if len(data) <= _MOST_OBJECT else None
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
