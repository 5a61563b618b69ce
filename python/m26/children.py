"""Every program that m26 starts: a command in, a child that sees and writes only what it needs out.

A child gets an environment of its own (settings of m26 may be secrets), a folder of its own to
stand in, a umask under which its files are its owner's alone, and its limit of a core file back.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TypedDict

import anyio
from anyio.abc import Process

from m26 import isolation

_SERVER = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
"""All that a server gets."""
_PYTHON = ("HOME", "TMPDIR", "TZ", "LANG", "LC_ALL", "LC_CTYPE")
_PYTHON_FOLDERS = ("PYTHONPATH", "LD_LIBRARY_PATH")
_HIDDEN = ("M26_", "PG", "CREDENTIALS_DIRECTORY")
"""Not for the user's shell: secrets, and what would lead a client of libpq elsewhere."""
_UMASK = 0o077
_NOWHERE = Path("/")
"""Where a program stands that needs no folder."""


class UserArguments(TypedDict, total=False):
    """The arguments of `subprocess.Popen` that change the user."""

    user: int
    group: int
    extra_groups: Sequence[int]


def look_up(name: str) -> Path | None:
    """A program on PATH. An empty or relative entry of it means the working folder: not looked in.

    Returns:
        Its absolute path, or None.
    """
    found = shutil.which(name, path=_absolute(os.environ.get("PATH", os.defpath)))
    return Path(found) if found else None


def ask(command: Sequence[str | Path], user: UserArguments | None = None) -> str | None:
    """What a program prints; None where there is no such program, or it fails."""
    try:
        done = subprocess.run(  # noqa: S603 - found by `look_up` or in a wheel, fixed arguments
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
            env=_SERVER,
            cwd=_NOWHERE,
            **(user or {}),
        )
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


async def complete(
    command: Sequence[str], *, folder: Path, statement: bytes, user: UserArguments
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end in `folder`, with `statement` as its input."""
    with tempfile.TemporaryFile() as given:  # not a pipe: the program may end without reading it
        given.write(statement)
        given.seek(0)
        return await anyio.run_process(
            command,
            stdin=given,
            check=False,
            env=_SERVER,
            cwd=folder,
            start_new_session=True,
            umask=_UMASK,
            **user,
        )


def serve(
    command: Sequence[str],
    *,
    folder: Path,
    output: IO[bytes],
    keep: int,
    user: UserArguments,
) -> subprocess.Popen[bytes]:
    """Start a server.

    Args:
        command: program and arguments.
        folder: where it stands.
        output: what it prints goes there.
        keep: the one descriptor of ours that it inherits.
        user: whom it runs as.
    """
    child = subprocess.Popen(  # noqa: S603 - the server's own description says what
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env=_SERVER,
        cwd=folder,
        umask=_UMASK,
        pass_fds=[keep],
        start_new_session=True,  # Ctrl-C is for m26, which drains before it stops this
        **user,
    )
    _give_core_limits_back(child.pid)
    return child


async def ourselves(*arguments: str, home: Path, output: IO[bytes]) -> Process:
    """Start m26 once more, standing in `home`; standard input is a pipe from us.

    The working folder is never on its path: a file there would be run with what we know.
    """
    # Not -I by itself: it would not find what `pip install --user` or PYTHONPATH have installed.
    isolated = "-I" if sys.flags.isolated else "-P"
    child = await anyio.open_process(
        [sys.executable, isolated, "-m", "m26", *arguments],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output,
        env=_of_python() | {"M26_HOME": str(home)},
        cwd=home,
        umask=_UMASK,
        start_new_session=True,  # Ctrl-C must not end it before we have drained
    )
    _give_core_limits_back(child.pid)
    return child


async def shell(command: Sequence[str]) -> Process:
    """Start a program that talks to the user: in the user's folder, with the user's environment."""
    visible = {name: os.environ[name] for name in os.environ if not name.startswith(_HIDDEN)}
    child = await anyio.open_process(command, stdin=None, stdout=None, stderr=None, env=visible)
    _give_core_limits_back(child.pid)
    return child


def _of_python() -> dict[str, str]:
    folders = {name: _absolute(os.environ.get(name, "")) for name in _PYTHON_FOLDERS}
    given = {name: os.environ[name] for name in _PYTHON if name in os.environ}
    return given | {name: value for name, value in folders.items() if value}


def _absolute(folders: str) -> str:
    """A search path without its entries that mean the working folder."""
    return os.pathsep.join(filter(os.path.isabs, folders.split(os.pathsep)))


def _give_core_limits_back(pid: int) -> None:
    if limits := isolation.core_limits():
        # It has ended; or it is another user's, and we are a root who may not: then it dumps none.
        with suppress(ProcessLookupError, PermissionError):
            resource.prlimit(pid, resource.RLIMIT_CORE, limits)
