"""Whom PostgreSQL runs as: a data folder in, a command prefix or an unprivileged user out."""

from __future__ import annotations

import errno
import os
import pwd
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from m26.children import UserArguments, ask
from m26.errors import StorageError
from m26.safefile import our_folder

NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
_UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """How to start a program that refuses to be root."""

    prefix: tuple[str, ...] = ()
    """Put before the command. It execs the program: the pid stays the same."""
    uid: int
    """Owner of the files, and the user as the process table outside of a namespace shows it."""
    gid: int | None = None
    """Set when the program is to be started as `uid`, another user than ours."""

    @property
    def popen(self) -> UserArguments:
        """What `subprocess.Popen` needs to start a program as this user."""
        if self.gid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def admit(self, folder: Path) -> None:
        """Let this user, when it is not ours, pass through a folder that stays ours."""
        if self.gid is None:
            return
        with our_folder(folder) as descriptor:
            os.fchown(descriptor, -1, self.gid)
            os.fchmod(descriptor, 0o710)

    def give(self, folder: Path) -> None:
        """Hand a folder of ours, and all in it, over to this user when it is not ours.

        What this user has had already is not gone through: it may be full of links.

        Raises:
            OSError: it is a link, or a third user's.
        """
        if self.gid is None:
            return
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            owner = os.fstat(descriptor).st_uid
            if owner == self.uid:
                return
            if owner != os.geteuid():
                raise PermissionError(errno.EPERM, f"it belongs to user {owner}", str(folder))
            for _, folders, files, inside in os.fwalk(".", topdown=False, dir_fd=descriptor):
                for name in (*folders, *files):
                    os.chown(name, self.uid, self.gid, dir_fd=inside, follow_symlinks=False)
            os.fchown(descriptor, self.uid, self.gid)  # last: until then nobody else gets in
        finally:
            os.close(descriptor)


def user_of(folder: Path, program: Path, *, namespace: Sequence[str] = NAMESPACE) -> User:
    """The user for `program` on `folder`, the parent of its data (`data` may not exist yet).

    An ordinary user is that user. Root becomes user 1000 of a user namespace, in which the files
    that root owns are its own; where the kernel forbids namespaces, root drops to ``postgres`` or
    ``nobody``. Data that exists decides: whoever owns it goes on.

    Raises:
        StorageError: the data is another user's, or root can do neither.
    """
    data = folder / "data"
    owner = data.stat().st_uid if data.exists() else None
    if (me := os.geteuid()) != 0:
        if owner not in {None, me}:
            raise StorageError(
                f"{data} belongs to user {owner}, m26 runs as user {me}",
                hint="Run m26 as the user that made it, or choose another M26_HOME.",
            )
        return User(uid=me)
    _refuse_planted(data)
    trial = [*namespace, str(program), "--version"]
    if owner in {None, 0} and namespace and ask(trial) is not None:
        return User(prefix=tuple(namespace), uid=0)
    return _unprivileged(folder, program, owner)


def _refuse_planted(data: Path) -> None:
    """A link that another user made would choose what root hands over, and whom root becomes."""
    if data.is_symlink() and data.lstat().st_uid != os.geteuid():
        raise StorageError(
            f"{data} is a link that user {data.lstat().st_uid} can turn",
            hint=f"If it is yours and leads to {data.readlink()}, make it anew as root "
            "(`ln -sfn`); if not, remove it.",
        )


def _unprivileged(folder: Path, program: Path, owner: int | None) -> User:
    entry = _entry(owner)
    if entry is not None:
        found = User(uid=entry.pw_uid, gid=entry.pw_gid)
        enter = ["sh", "-c", 'cd "$1" && exec "$2" --version', "sh"]
        if ask([*enter, str(folder.parent), str(program)], found.popen) is not None:
            return found
    name = entry.pw_name if entry else " or ".join(_UNPRIVILEGED)
    raise StorageError(
        "PostgreSQL refuses to run as root, user namespaces are off here, and the user "
        f"{name} cannot enter {folder.parent} or run {program}",
        hint="Run m26 as an ordinary user, or allow user namespaces, or set M26_HOME to a folder "
        "that this user can enter, or use a running server by M26_POSTGRES__DSN.",
    )


def _entry(owner: int | None) -> pwd.struct_passwd | None:
    try:
        if owner:
            return pwd.getpwuid(owner)
        known = {entry.pw_name: entry for entry in pwd.getpwall()}
    except KeyError:
        return None
    return next((known[name] for name in _UNPRIVILEGED if name in known), None)
