"""The embedded PostgreSQL: m26's home in, a running server on a Unix socket and its DSN out."""

from __future__ import annotations

import os
import shutil
import signal
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import anyio

from m26.children import complete
from m26.embedded import roles, supervise
from m26.embedded.binaries import postgres_folder
from m26.embedded.folders import private_folder, socket_folder
from m26.embedded.process import POLL_SECONDS, program_of
from m26.embedded.roles import ADMIN, OWNER
from m26.embedded.user import NAMESPACE, User, user_of
from m26.embedded.words import advice, cause
from m26.errors import StorageError
from m26.home.files import write_private
from m26.safefile import read_limited

_FOLDER = "postgres"
_ROLES = "roles"
"""Note of the data whose roles were arranged: a copy, or what was put in its place, is not it."""
_PORT = 5432  # only part of the socket's name: there is no TCP
_ANSWER_SECONDS = 5.0
_UNMAKE_SECONDS = 2.0
_WIRING = {"listen_addresses": "", "unix_socket_permissions": "0700", "port": str(_PORT)}
_QUIET = ("-c", "log_min_error_statement=panic")
_SINGLE = ("--single", "-c", "exit_on_error=on", *_QUIET)
_CONFIG = """
# m26: a small server for one writer. Change what you like; m26 itself sets only where it listens.
shared_buffers = 64MB
max_connections = 40
max_wal_size = 512MB
wal_compression = on
log_checkpoints = off
log_timezone = UTC
timezone = UTC
jit = off
fsync = on
synchronous_commit = on
"""


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server."""

    socket_folder: Path

    @property
    def is_up(self) -> bool:
        """Whether it can be connected to; a server that was killed may leave its socket."""
        return _socket(self.socket_folder).exists()

    @property
    def dsn(self) -> str:
        """DSN of the database ``m26``, as the role that owns it."""
        return self.dsn_of(OWNER)

    def dsn_of(self, database: str, *, role: str = OWNER) -> str:
        """DSN of any database of this server, as one of its `roles`."""
        host = quote(str(self.socket_folder), safe="/")
        return f"postgresql:///{quote(database)}?host={host}&port={_PORT}&user={role}"


@asynccontextmanager
async def running(
    home: Path,
    *,
    pg_bin: Path | None = None,
    settings: Mapping[str, str] | None = None,
    report: supervise.Report = supervise.ignore,
) -> AsyncIterator[Postgres]:
    """Keep the server of `home` running: start it, adopt it, or attach to another command's.

    Args:
        home: m26's home; the server lives in its folder ``postgres``.
        pg_bin: folder of the binaries; None looks for them.
        settings: server settings laid over postgresql.conf, when this command starts the server.
        report: told why the server is away, and ``""`` when it is back.

    Raises:
        ConfigError: `pg_bin` is wrong.
        StorageError: there are no binaries, or the server does not start.
    """
    postgres_folder(pg_bin)  # a wrong setting is an error even when only attaching
    kept = server(home, pg_bin=pg_bin, settings=settings)
    postgres = at(home)
    async with supervise.supervised(kept, report=report):
        yield postgres


def at(home: Path) -> Postgres:
    """The server of `home`, running or not; its folder is made."""
    return Postgres(private_folder(home.resolve() / _FOLDER))


def server(
    home: Path,
    *,
    pg_bin: Path | None = None,
    settings: Mapping[str, str] | None = None,
    namespace: Sequence[str] = NAMESPACE,
) -> supervise.Server:
    """The server of `home`, running or not.

    Args:
        home: m26's home.
        pg_bin: folder of the binaries; None looks for them.
        settings: server settings laid over postgresql.conf.
        namespace: command that makes root another user; empty where there is none.
    """
    folder = home.resolve() / _FOLDER
    data = folder / "data"

    async def prepare() -> supervise.Launch:
        binaries = postgres_folder(pg_bin)
        place = socket_folder(folder)
        user = user_of(folder, binaries / "postgres", namespace=namespace)
        user.admit(folder)
        user.give(place)
        if not data.exists():
            await _make_whole(data, binaries, user)
        if not data.is_symlink():  # else it is root's link: what it leads to was prepared by root
            user.give(data)
        _clear(data, place)
        await _arrange(data, binaries, user)
        command = [*user.prefix, str(binaries / "postgres"), "-D", str(data), "-k", str(place)]
        for name, value in {**_WIRING, **(settings or {})}.items():
            command += ["-c", f"{name}={value}"]
        return supervise.Launch(command=command, user=user.popen)

    return supervise.Server(
        name="PostgreSQL",
        folder=folder,
        prepare=prepare,
        answers=lambda: _answers(_socket(socket_folder(folder))),
        programs=("postgres", "unshare"),
        marker=("-D", str(data)),
        stop_signal=signal.SIGINT,  # "fast": sessions are ended, what is committed is written
    )


async def _make_whole(data: Path, binaries: Path, user: User) -> None:
    """`_make`, and nothing of it is left where it fails or is interrupted."""
    failures: list[Exception] = []

    async def make() -> None:
        try:
            await _make(data, binaries, user)
        except Exception as error:  # noqa: BLE001 - raised below: the group would wrap it
            failures.append(error)

    try:
        # In a group, because Ctrl-C then kills what runs; asyncio by itself waits for its end.
        async with anyio.create_task_group() as group:
            group.start_soon(make)
    finally:
        await _unmake(data)
    for failure in failures:
        raise failure


async def _make(data: Path, binaries: Path, user: User) -> None:
    """Make `data` with the database ``m26`` in it, under another name until it is whole."""
    for left in data.parent.glob("data.new.*"):
        shutil.rmtree(left, ignore_errors=True)
    # A name of our own: the initdb of a killed command may be writing for a moment yet.
    new = data.with_name(f"data.new.{os.getpid()}")
    new.mkdir(mode=0o700)
    user.give(new)
    initdb = [*user.prefix, str(binaries / "initdb"), "-D", str(new)]
    initdb_options = ["--username", ADMIN, "--auth=trust", "--encoding=UTF8", "--no-locale"]
    # Synced once at the end: the folder counts only from the rename on.
    await _run([*initdb, *initdb_options, "--no-sync", "--no-instructions"], user, data.parent)
    # Written by the user whose file it is: wherever it leads, nobody writes there with our rights.
    append = [*user.prefix, "sh", "-c", 'cat >> "$1"', "sh", str(new / "postgresql.conf")]
    await _run(append, user, data.parent, statement=_CONFIG)
    single = [*user.prefix, str(binaries / "postgres"), *_SINGLE, "-c", "fsync=off", "-D", str(new)]
    await _run([*single, "postgres"], user, data.parent, statement=roles.first())
    await _run([*initdb, "--sync-only"], user, data.parent)
    new.rename(data)
    _note_roles(data)
    parent = os.open(data.parent, os.O_DIRECTORY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


async def _unmake(data: Path) -> None:
    """Remove what `_make` left; what a killed initdb had started may write for a moment yet."""
    new = data.with_name(f"data.new.{os.getpid()}")
    with anyio.move_on_after(_UNMAKE_SECONDS, shield=True):
        while new.exists():
            shutil.rmtree(new, ignore_errors=True)
            await anyio.sleep(POLL_SECONDS)


async def _arrange(data: Path, binaries: Path, user: User) -> None:
    """Give data that an older m26 made, or that was put here by hand, the roles of today."""
    note = data.with_name(_ROLES)
    if note.exists() and note.read_text() == _identity(data):
        return
    single = [*user.prefix, str(binaries / "postgres"), *_SINGLE, "-D", str(data)]
    # Every table is locked in the one transaction.
    command = [*single, "-c", "max_locks_per_transaction=2000", OWNER]
    await _run(command, user, data.parent, statement=roles.arranged(), what="did not start")
    _note_roles(data)


def _note_roles(data: Path) -> None:
    write_private(data.with_name(_ROLES), _identity(data).encode())


def _identity(data: Path) -> str:
    return str(data.stat().st_ino)


async def _run(
    command: Sequence[str],
    user: User,
    folder: Path,
    *,
    statement: str = "",
    what: str = "could not be made",
) -> None:
    done = await complete(command, folder=folder, statement=statement.encode(), user=user.popen)
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace")
        why = cause(words) or f"exit code {done.returncode}"
        more = [line for line in words.splitlines()[-3:] if why not in line]
        hint = [advice(why, folder, as_root=bool(user.prefix)), *more]
        raise StorageError(
            f"the embedded database {what}: {why}", hint="\n     ".join(filter(None, hint))
        )


def _clear(data: Path, place: Path) -> None:
    """Remove what a crash left and would be taken for a running server.

    PostgreSQL refuses to start while the pid in these files exists, be it another program (likely
    after a restart of a container) or a zombie that is never reaped (a container without an init).
    The caller knows that nothing of m26 uses the data.
    """
    pid_file, socket = data / "postmaster.pid", _socket(place)
    try:
        first = read_limited(pid_file, 20, links=False).partition(b"\n")[0]
    except OSError:  # there is none, or the server's user put something else there
        first = b""
    if not first.isdigit() or program_of(int(first)) != "postgres":
        for path in (pid_file, socket, socket.with_name(f"{socket.name}.lock")):
            path.unlink(missing_ok=True)


def _socket(place: Path) -> Path:
    return place / f".s.PGSQL.{_PORT}"


async def _answers(socket: Path) -> bool:
    """Whether a session may begin: the server's first word to a startup message is "R"."""
    body = struct.pack("!i", 3 << 16) + f"user\0{OWNER}\0database\0{OWNER}\0\0".encode()
    try:
        with anyio.fail_after(_ANSWER_SECONDS):
            async with await anyio.connect_unix(socket) as stream:
                await stream.send(struct.pack("!i", len(body) + 4) + body)
                word = await stream.receive(1)
                await stream.send(b"X\0\0\0\4")
    except (OSError, anyio.EndOfStream, anyio.BrokenResourceError):
        return False
    return word == b"R"
