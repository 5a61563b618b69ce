"""The checks of ``m26 doctor``: settings in; what was found, and the command that fixes it, out."""

from __future__ import annotations

import errno
import os
import platform
import re
import shutil
import socket
import stat
import sys
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict
from urllib.parse import urlsplit

from m26.cli.output import size
from m26.errors import remedy
from m26.home.runfile import read_run
from m26.home.stops import read_stops

if TYPE_CHECKING:
    from m26.config import Loaded

_PYTHON = (3, 11)
_SPARE = 2**30
_LEAST = 256 * 2**20
_PATIENCE = 3.0
_AGAIN = "Install m26 again, e.g. by pip install --force-reinstall, from where it came"
_PRIVATE = ("vault*", "profile.toml", "config.toml", "journal", "stop.json", "run.json")


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor."""

    name: str
    result: Literal["ok", "warn", "fail"]
    found: str
    fix: str = ""
    """A command, or what to do; empty when there is nothing to do."""


class DoctorView(TypedDict):
    """``m26 doctor``."""

    checks: list[Check]


def python(_: Loaded) -> Check:
    """The interpreter."""
    found = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info < _PYTHON:
        return Check("python", "fail", found, f"Install Python 3.11 or newer, then: {_again()}")
    return Check("python", "ok", found)


def packages(_: Loaded) -> Check:
    """Installed versions against the lower bounds that this m26 was built with."""
    try:
        wanted = [r for r in metadata.requires("m26") or [] if "extra ==" not in r]
    except metadata.PackageNotFoundError:
        return Check("packages", "warn", "m26 is run from its sources, not installed", "make setup")
    wrong = []
    for requirement in wanted:
        match = re.match(r"([\w.-]+)(?:\[[^]]*\])?\s*(?:>=\s*([\d.]+))?", requirement)
        assert match is not None, requirement
        name, least = match[1], match[2] or "0"
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            version = "0"
        if _numbers(version) < _numbers(least):
            wrong.append(f"{name} is {version if version != '0' else 'missing'}, needs {least}")
    if wrong:
        return Check("packages", "fail", "; ".join(wrong), _again())
    return Check("packages", "ok", f"all {len(wanted)} are new enough")


def native(_: Loaded) -> Check:
    """The Rust module: there, and built with optimisation."""
    try:
        from m26 import _native
    except ImportError as error:
        return Check("native module", "fail", f"cannot be loaded: {error}", _again())
    if getattr(_native, "RELEASE", None) is False:
        return Check("native module", "warn", "a debug build, many times slower", _again())
    return Check("native module", "ok", str(_native.__file__))


def disk(loaded: Loaded) -> Check:
    """Room for the journal and the database."""
    home = loaded.settings.home
    free = shutil.disk_usage(_existing(home)).free
    found = f"{size(free)} free for {home}"
    if free < _LEAST:
        return Check("disk", "fail", found, "Free some space, or set M26_HOME to a larger disk")
    if free < loaded.settings.journal.keep_bytes + _SPARE:
        fix = "Free some space, or set M26_JOURNAL__KEEP_BYTES lower"
        return Check("disk", "warn", f"{found}, less than the journal may take and 1 GiB", fix)
    return Check("disk", "ok", found)


def home(loaded: Loaded) -> Check:
    """The folder can be written by us, and its secrets be read by nobody else."""
    folder = loaded.settings.home
    if not folder.exists():
        parent = _existing(folder)
        if not _writable(parent):
            return Check("home", "fail", *_unwritable(parent))
        return Check("home", "ok", f"{folder} is made at the first run")
    if not _writable(folder):
        return Check("home", "fail", *_unwritable(folder))
    private = [path for pattern in _PRIVATE for path in folder.glob(pattern)]
    if loaded.settings.vault.key_file is not None and loaded.settings.vault.key_file.exists():
        private.append(loaded.settings.vault.key_file)
    shared = [str(path) for path in private if stat.S_IMODE(path.stat().st_mode) & 0o077]
    if shared and stat.S_IMODE(folder.stat().st_mode) & 0o077:
        found = f"other users can read {', '.join(shared)}"
        return Check("home", "fail", found, f"chmod -R go-rwx {' '.join(shared)}")
    return Check("home", "ok", str(folder))


def other_copy(loaded: Loaded) -> Check:
    """Whether a collector runs for this home."""
    run = read_run(loaded.settings.home)
    if run is not None:
        return Check("collector", "ok", f"runs: pid {run.pid}, {run.url}")
    lock = loaded.settings.home / "lock"
    if lock.exists():
        from m26.home.lock import HomeLock

        HomeLock.acquire(loaded.settings.home).release()  # raises with the holder's pid
    return Check("collector", "ok", "does not run")


def stopped(loaded: Loaded) -> Check:
    """Whether a STOP holds."""
    stops = read_stops(loaded.settings.home)
    if not stops:
        return Check("stop", "ok", "requests are not stopped")
    found = "; ".join(
        f"{stop.reason}: {stop.message}{f' ({stop.account})' if stop.account else ''}"
        for stop in stops
    )
    return Check("stop", "fail", found, " ".join(dict.fromkeys(s.what_to_do for s in stops)))


def vault(loaded: Loaded) -> Check:
    """Whether there is an account, and the vault opens; without one the simulator is used."""
    from m26.auth.vault import Vault

    settings = loaded.settings
    accounts = Vault.open(settings.home, settings.vault).accounts()
    if accounts:
        return Check("vault", "ok", f"{', '.join(accounts)}; see `m26 auth status`")
    given = settings.postgres.dsn is not None or settings.redis.url is not None
    if given and settings.profile is None:
        found = "no account, and with servers of your own the simulator must be asked for"
        return Check("vault", "fail", found, "m26 auth import FILE.har (or set M26_PROFILE=sim)")
    return Check("vault", "ok", "no account; `m26 run` uses the simulator")


def captures(loaded: Loaded) -> Check:
    """Whether captures still lie in the home: each holds a login in the clear."""
    from m26.auth.folder import leftovers

    left = ", ".join(map(str, leftovers(loaded.settings.home)))
    if left:
        found = f"these hold a login in the clear: {left}"
        return Check("captures", "warn", found, "m26 auth rebuild (or delete them)")
    return Check("captures", "ok", "none is left in the home")


def upstream(loaded: Loaded) -> Check:
    """Whom requests would go to, whether the accounts' credentials are for them, and the pace."""
    from m26.app.accounts import outlook
    from m26.auth.vault import Vault

    opened = Vault.open(loaded.settings.home, loaded.settings.vault)
    if not opened.accounts() and loaded.settings.profile is None:
        return Check("upstream", "ok", "nobody: there is no account")
    ahead = outlook(loaded.settings, opened)
    found = ", ".join(ahead.hosts)
    for error in ahead.refused:
        return Check("upstream", "fail", f"{found}: {error.message}", error.hint)
    if ahead.limits:
        fix = "Set M26_BUDGET__PER_DAY, __PER_MINUTE and __BURST"
        return Check("upstream", "warn", f"{found}; {'; '.join(ahead.limits)}", fix)
    return Check("upstream", "ok", found)


def port(loaded: Loaded) -> Check:
    """The HTTP endpoints' address."""
    from m26.web.guard import check_binding, unbound

    web = loaded.settings.web
    check_binding(web)
    run = read_run(loaded.settings.home)
    if run is not None and urlsplit(run.url).port == web.port:
        return Check("port", "ok", f"{web.port} is used by the running m26")
    family, kind, protocol, _, address = socket.getaddrinfo(
        web.host, web.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            found = f"{web.host} port {web.port}: {error.strerror}"
            return Check("port", "fail", found, unbound(error))
    free = f"port {web.port} is free" if web.port else "any free port"
    return Check("port", "ok", f"{web.host}, {free}")


def clock(_: Loaded) -> Check:
    """Our clock is not before the day this code was installed: it signs and dates requests."""
    installed = Path(__file__).stat().st_mtime
    now = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
    if time.time() < installed - 86_400:
        return Check("clock", "fail", f"{now} is before m26 was installed", "timedatectl set-ntp 1")
    return Check("clock", "ok", now)


def _existing(path: Path) -> Path:
    return next(p for p in (path, *path.parents) if p.exists())


def _writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def _unwritable(folder: Path) -> tuple[str, str]:
    """Why a folder cannot be written, and what helps."""
    number = errno.EROFS if os.statvfs(folder).f_flag & os.ST_RDONLY else errno.EACCES
    why = os.strerror(number if folder.is_dir() else errno.ENOTDIR)
    return f"{folder} cannot be written: {why}", remedy(why)


def _again() -> str:
    """How to have m26 as it should be, where it came from."""
    checkout = Path(__file__).parents[3]
    return "make setup" if (checkout / "Makefile").exists() else _AGAIN


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
