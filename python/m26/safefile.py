"""Files of places where others may write: whose a place and a file are, before either is used."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

from m26.errors import ConfigError

_ROOT = 0


def refuse_others(path: Path) -> None:
    """Refuse a file or folder that others own, may write or have linked to.

    Others are all but the user and root.

    Raises:
        ConfigError: who else can change it, and the command that mends it.
    """
    try:
        facts, entry = path.stat(), path.lstat()
    except OSError:
        return  # whoever reads it tells that better
    me = os.geteuid()
    if entry.st_uid not in (_ROOT, me):  # a link of theirs is one that they can turn
        facts = entry
    if facts.st_uid not in (_ROOT, me):
        raise ConfigError(
            f"{path} belongs to another user ({_name(facts.st_uid)}), "
            "who can change what m26 does with your account",
            hint=f"If it is yours, run: chown {_name(me)} {quote(str(path))} (as root)",
        )
    if _others_write(facts):
        raise ConfigError(
            f"{path} can be written by other users (mode {stat.S_IMODE(facts.st_mode):04o}), "
            "who can change what m26 does with your account",
            hint=f"Run: chmod go-w {quote(str(path))}",
        )


@contextmanager
def our_folder(folder: Path) -> Iterator[int]:
    """Descriptor of a folder in which nobody but the user and root can plant a link.

    What is opened relative to it, with O_NOFOLLOW, is a file of that folder and no other.

    Raises:
        OSError: there is none, or others own it or may write in it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        facts = os.fstat(descriptor)
        if facts.st_uid not in (_ROOT, os.geteuid()):
            owner = _name(facts.st_uid)
            raise PermissionError(
                errno.EPERM, f"{folder} belongs to user {owner}: run m26 as {owner}", str(folder)
            )
        if _others_write(facts) and not facts.st_mode & stat.S_ISVTX:
            text = f"other users may write in it, run: chmod go-w {quote(str(folder))}"
            raise PermissionError(errno.EPERM, text, str(folder))
        yield descriptor
    finally:
        os.close(descriptor)


def open_ours(path: Path, flags: int, mode: int = 0o600) -> int:
    """Descriptor of a file of `our_folder`; it is made with `mode` when `flags` say so.

    Raises:
        OSError: it cannot be opened, it is a symbolic link, or its folder is not ours.
    """
    with our_folder(path.parent) as folder:
        return os.open(path.name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=folder)


def read_limited(path: Path, limit: int, *, links: bool = True) -> bytes:
    """Bytes of a regular file, one more than `limit` at the most; with `links`, of a link's.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    follow = 0 if links else os.O_NOFOLLOW
    # A pipe would wait.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | follow)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is not a regular file")
        return file.read(limit + 1)


def _others_write(facts: os.stat_result) -> bool:
    everybody = facts.st_mode & stat.S_IWOTH
    group = facts.st_mode & stat.S_IWGRP and not _is_own(facts.st_gid, os.geteuid())
    return bool(everybody or group)


def _is_own(gid: int, uid: int) -> bool:
    """Whether a group is the user's own, with nobody else in it."""
    try:
        user, group = pwd.getpwuid(uid), grp.getgrgid(gid)
    except KeyError:
        return gid == uid == os.getegid()
    named_alike = group.gr_name == user.pw_name or gid == uid
    return user.pw_gid == gid and named_alike and set(group.gr_mem) <= {user.pw_name}


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
