"""What a server said when it failed: its words in; the line that tells why, and what helps, out."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from m26.errors import StorageError, remedy

_MOST = 2**20

_GRAVE = re.compile(r"\b(?:FATAL|PANIC|ERROR): +(?! |the database system is ).*|initdb: error: .*")
"""Of PostgreSQL; of a server that is not ready a session only hears that."""
_WARNING = re.compile(r"(?<= # ).+")
"""Of Valkey."""


def cause(words: str) -> str:
    """The line that says why a server failed; empty where it said nothing."""
    if grave := _GRAVE.search(words):  # the first one: what follows comes of it
        return grave[0].strip()
    lines = _WARNING.findall(words) or words.split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def advice(why: str, folder: Path, *, as_root: bool = False) -> str:
    """What the operator can do about a `cause`; empty where nobody knows.

    Args:
        why: what was said.
        folder: the server's; its data is in ``data``.
        as_root: it runs in a user namespace, where only root's files are its own.
    """
    full, denied, permitted, no_memory = (
        os.strerror(number) in why
        for number in (errno.ENOSPC, errno.EACCES, errno.EPERM, errno.ENOMEM)
    )
    settings = folder / "data" / "postgresql.conf"
    small = (full and "shared memory segment" in why) or "Bus error" in why
    known = {
        "Make /dev/shm larger: `docker run --shm-size=128m`, `shm_size: 128m` in Compose.": small,
        f"Free some memory, or set shared_buffers lower in {settings}.": no_memory,
        f"Correct {settings}.": "configuration file" in why,
        "Set M26_PG_BIN to the programs of the version that made the data.": "incompatible" in why,
        f"Move {folder}/data away: the stream is made anew from PostgreSQL.": "append only" in why,
        f"As root, PostgreSQL works only in folders that root owns: chown -R root {folder}": (
            as_root and (denied or permitted)
        ),
    }
    return next((hint for hint, applies in known.items() if applies), remedy(why, otherwise=""))


def since(log: Path, position: int) -> str:
    """What stands in a log from `position` on; of a very long text its beginning."""
    with log.open("rb") as file:
        file.seek(position)
        return file.read(_MOST).decode(errors="replace")


def failure(what: str, why: str, words: str, *, folder: Path, log: Path) -> StorageError:
    """A failed start as the operator is told of it: the cause, what helps, and the last words."""
    lines = [advice(why, folder), f"Its log is {log}", *words.splitlines()[-3:]]
    return StorageError(
        f"{what}: {why}" if why else what, hint="\n     ".join(line for line in lines if line)
    )
