"""The folder of captures in; whose they are, what became of each, and which are left, out."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Final

import structlog
from anyio import to_thread

from m26.auth.intake import Imported, import_capture
from m26.auth.vault import Vault, check_name
from m26.errors import AuthError, ConfigError, UsageError
from m26.upstream.origin import Origins
from m26.upstream.profile import Profile

CAPTURES: Final = "captures"
"""Folder of the home that a rebuild imports."""
_SUFFIXES = frozenset((".har", ".mitm", ".flow", ".flows"))
_OTHERS = 0o077

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One capture of the folder and what became of it."""

    file: str
    state: str
    """``imported``, ``empty`` (a capture without credentials of this account) or ``unreadable``."""
    problem: str = ""
    deleted: bool = False
    """It was taken over whole, so the file is gone."""


def captures_in(path: Path) -> list[Path]:
    """The file itself; of a folder those whose names say that they are captures, in order."""
    return sorted(filter(_is_capture, path.iterdir())) if path.is_dir() else [path]


def captures_of(
    folder: Path, accounts: Sequence[str], *, only: str | None = None
) -> tuple[dict[str, tuple[Path, ...]], tuple[str, ...]]:
    """The captures of a folder by account, and what is wrong with the folder.

    A subfolder holds those of the account it is named after. What lies at the top belongs to
    ``main``, or to the only account.

    Args:
        folder: where captures are put.
        accounts: those of the vault.
        only: this account alone.
    """
    problems = []
    top = "main" if "main" in accounts or not accounts else accounts[0]
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            files = captures_in(path)
            try:
                check_name(path.name)
            except (
                ConfigError
            ) as error:  # its name is no account's: the others are rebuilt all the same
                if files:
                    problems.append(f"a folder there is passed over: {error.message}")
                continue
            found.setdefault(path.name, []).extend(files)
        elif _is_capture(path):
            if "main" not in accounts and len(accounts) > 1:
                problems.append(f"{path.name} lies at the top: of which account is it? Move it")
            else:
                found.setdefault(top, []).append(path)
    if folder.stat().st_mode & 0o077:
        problems.append(f"others can read this folder: chmod 700 {folder}")
    names = dict.fromkeys((*accounts, *(name for name, files in found.items() if files)))
    chosen = {name: tuple(found.get(name, ())) for name in names if only in (None, name)}
    return chosen, tuple(problems)


def leftovers(home: Path) -> tuple[Path, ...]:
    """Captures that lie in a home's folder: each holds a login in the clear."""
    folder = home / CAPTURES
    try:
        inside = [path for path in folder.iterdir() if path.is_dir()]
        return tuple(file for each in (folder, *sorted(inside)) for file in captures_in(each))
    except OSError:
        return ()


def _is_capture(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES and not path.name.startswith(".") and path.is_file()


async def import_all(
    account: str,
    files: Iterable[Path],
    *,
    vault: Vault,
    profile: Profile,
    origins: Sequence[Origins],
    keep: bool,
    now: float,
) -> tuple[Import, ...]:
    """Import captures one after the other; one that cannot be read does not stop the others.

    Args:
        account: the account that they belong to.
        files: captures.
        vault: of the home.
        profile: of the account's upstream.
        origins: whose requests count.
        keep: delete none.
        now: Unix seconds.
    """
    done = []
    for file in files:
        take = partial(
            import_capture,
            vault,
            file,
            account=account,
            platforms=profile.platforms,
            origins=origins,
            now=now,
        )
        try:
            before = _private(file)
            imported = await to_thread.run_sync(take)
        except (UsageError, AuthError) as error:
            state = "empty" if isinstance(error, AuthError) else "unreadable"
            _log.warning("rebuild.capture_not_imported", file=file.name, reason=error.message)
            done.append(Import(file=file.name, state=state, problem=error.message))
        else:
            left = "" if keep else _deleted(file, before, imported)
            problem = "; ".join(filter(None, (*imported.problems[:1], left)))
            gone = not (keep or left)
            done.append(Import(file=file.name, state="imported", problem=problem, deleted=gone))
    return tuple(done)


def _private(file: Path) -> os.stat_result:
    """A capture that nobody else can read, as it is now.

    Raises:
        UsageError: others can read it, or it is gone.
    """
    try:
        facts = file.stat()
    except OSError as error:
        raise UsageError(f"cannot read {file.name}: {error.strerror}", hint="Look there.") from None
    if facts.st_mode & _OTHERS:
        mode = stat.S_IMODE(facts.st_mode)
        raise UsageError(
            f"it holds a login and can be read by other users (mode {mode:04o}): "
            f"chmod 600 {quote(str(file))}",
            hint="Then rebuild again.",
        )
    return facts


def _deleted(file: Path, before: os.stat_result, imported: Imported) -> str:
    """Delete a capture that is in the vault now; else say why it stays."""
    if not imported.is_taken:
        return "the file stays: it was not taken over whole"
    if file.is_symlink():
        return "the file stays: it is a link"
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            # No lease is given on a file that somebody has open to write, e.g. m26's addon. Whoever
            # opens it while we have it waits, and the kernel tells us by a signal, which would end
            # us if it were not one that is ignored.
            fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            if _facts(os.fstat(descriptor)) != _facts(before):
                return "the file stays: it changed meanwhile"
            file.unlink()
        finally:
            os.close(descriptor)
    except BlockingIOError:
        return "the file stays: it is still being written"
    except OSError as error:
        return f"the file stays: {error.strerror}"
    _log.info("rebuild.capture_deleted", file=file.name)
    return ""


def _facts(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
