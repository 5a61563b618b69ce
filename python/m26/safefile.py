"""Files that somebody else may have written: whose they are and how large, before they are read."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path
from shlex import quote

from m26.errors import ConfigError

_ROOT = 0


def refuse_others(path: Path) -> None:
    """Refuse a file or folder that others own or may write; others: neither the user nor root.

    Raises:
        ConfigError: who else can change it, and the command that mends it.
    """
    try:
        facts = path.stat()
    except OSError:
        return  # whoever reads it tells that better
    me = os.geteuid()
    if facts.st_uid not in (_ROOT, me):
        raise ConfigError(
            f"{path} belongs to another user ({_name(facts.st_uid)}), "
            "who can change what m26 does with your account",
            hint=f"If it is yours, run: chown {_name(me)} {quote(str(path))} (as root)",
        )
    everybody = facts.st_mode & stat.S_IWOTH
    group = facts.st_mode & stat.S_IWGRP and not _is_own(facts.st_gid, me)
    if everybody or group:
        raise ConfigError(
            f"{path} can be written by other users (mode {stat.S_IMODE(facts.st_mode):04o}), "
            "who can change what m26 does with your account",
            hint=f"Run: chmod go-w {quote(str(path))}",
        )


def read_limited(path: Path, limit: int) -> bytes:
    """Bytes of a regular file, one more than `limit` at the most.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe would wait
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is not a regular file")
        return file.read(limit + 1)


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
