"""Private folders: a server's folder in, itself made and a place for its Unix socket out."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from pathlib import Path

from m26.errors import StorageError, remedy
from m26.home.files import open_private
from m26.home.lock import take

_SOCKET_PATH_BYTES = 107
_LONGEST_NAME = len("/.s.PGSQL.5432.lock")


def private_folder(folder: Path) -> Path:
    """Make `folder`, what is missing above it, and its socket folder, for our user alone.

    Returns:
        The socket folder.

    Raises:
        StorageError: they cannot be made.
    """
    try:
        for parent in reversed(folder.parents):
            parent.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        return socket_folder(folder)
    except OSError as error:
        raise StorageError(
            f"cannot use the folder {folder}: {error.strerror}",
            hint=remedy(str(error)),
        ) from None


def socket_folder(folder: Path) -> Path:
    """``run`` in `folder`, or, when that path will not do, a folder in the temporary one.

    The latter has a random name, so it cannot exist beforehand; a note in `folder` remembers it.
    """
    usual = folder / "run"
    if _fits(usual):
        usual.mkdir(mode=0o700, exist_ok=True)
        return usual
    with open_private(folder / "socket-folder", "a+") as note:
        take(note.fileno(), wait=True)  # two commands starting at once agree on one
        note.seek(0)
        remembered = Path(note.read() or usual)
        if not _private(remembered, folder):
            temporary = Path(tempfile.gettempdir())
            place = temporary if _fits(temporary / "m26-12345678") else Path("/tmp")  # noqa: S108
            remembered = Path(tempfile.mkdtemp(prefix="m26-", dir=place))
            note.truncate(0)
            note.write(str(remembered))
    return remembered


def _fits(place: Path) -> bool:
    """Whether the kernel takes it, and DSN, URL and the servers' lists of folders agree on it."""
    short = len(os.fsencode(place)) + _LONGEST_NAME <= _SOCKET_PATH_BYTES
    return short and re.fullmatch(r"[\w/.-]+", str(place)) is not None


def _private(place: Path, folder: Path) -> bool:
    """Whether it is a folder, of our folder's user, closed to others."""
    try:
        found = place.lstat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(found.st_mode)
        and found.st_uid == folder.stat().st_uid
        and not found.st_mode & 0o077
        and _fits(place)
    )
