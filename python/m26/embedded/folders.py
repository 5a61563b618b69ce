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
from m26.safefile import our_folder

_SOCKET_PATH_BYTES = 107
_DATA = "data"
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
        take_back(folder)
        return socket_folder(folder)
    except OSError as error:
        raise StorageError(
            f"cannot use the folder {folder}: {error.strerror}",
            hint=remedy(str(error)),
        ) from None


def take_back(folder: Path) -> None:
    """Make a server's folder root's own, where an older m26 gave it to the server's user.

    That user could have put anything at the names of our files. Its data stay its own.

    Raises:
        OSError: the folder above is not ours.
    """
    if os.geteuid() != 0 or not folder.exists() or folder.stat().st_uid == 0:
        return
    with our_folder(folder.parent) as home:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(folder.name, flags, dir_fd=home)
    try:
        os.fchown(descriptor, 0, -1)
        os.fchmod(descriptor, 0o710)  # a server that runs still passes through, as its group
        with os.scandir(descriptor) as entries:
            names = [entry.name for entry in entries]
        for name in names:
            _take_back(name, descriptor)
    finally:
        os.close(descriptor)


def _take_back(name: str, folder: int) -> None:
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISDIR(found.st_mode) or name == _DATA:
        return
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:  # a link to a file of somebody's
        os.unlink(name, dir_fd=folder)
        return
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.fchown(descriptor, 0, 0)
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


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
    """Whether it is a folder, ours or of the user who has the data, closed to others."""
    data = folder / _DATA
    try:
        found = place.lstat()
        owners = {os.geteuid(), data.stat().st_uid if data.exists() else os.geteuid()}
    except OSError:
        return False
    return (
        stat.S_ISDIR(found.st_mode)
        and found.st_uid in owners
        and not found.st_mode & 0o077
        and _fits(place)
    )
