"""``m26 embedded``: the servers that m26 starts itself, looked at, kept and stopped."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from m26 import signals
from m26.cli.options import Options
from m26.cli.output import console, dump_json, size, table
from m26.errors import StorageError

if TYPE_CHECKING:
    from m26.cli.documents import (
        EmbeddedAddressView,
        EmbeddedServerView,
        EmbeddedStopView,
        EmbeddedView,
        StoppedServerView,
    )
    from m26.config import Settings
    from m26.embedded.supervise import Server

_COLUMNS = {
    "name": "server",
    "running": "runs",
    "pid": "pid",
    "owner_pid": "owner's pid",
    "version": "version",
    "data_bytes": "size",
    "folder": "files",
    "socket_folder": "socket in",
}


def status(*, options: Options = Options()) -> None:
    """Print what runs: pid, owner, version, where its files and its socket are, how big.

    Example: ``m26 embedded status --json``

    Args:
        options: options of every command.
    """
    servers = _servers(options.load().settings)
    rows = [_view(server, program) for server, program in servers]
    if options.json:
        printed: EmbeddedView = {"items": rows}
        dump_json(printed)
        return
    cells = ([_plain(key, row[key]) for key in _COLUMNS] for row in map(dict, rows))
    table("", list(_COLUMNS.values()), cells)


def start(*, options: Options = Options()) -> None:
    """Start both servers, or attach to running ones, and keep them until Ctrl-C or SIGTERM.

    Example: ``m26 embedded start``

    Args:
        options: options of every command.
    """
    import anyio

    anyio.run(_start, options.load().settings, options)


def stop(*, options: Options = Options()) -> None:
    """Stop servers that a killed command left running; those of a running command are its own.

    Example: ``m26 embedded stop``

    Args:
        options: options of every command.
    """
    import anyio

    from m26.embedded.supervise import stop_leftover

    stopped: list[StoppedServerView] = [
        {"name": server.name, "pid": anyio.run(stop_leftover, server)}
        for server, _ in _servers(options.load().settings)
    ]
    if options.json:
        printed: EmbeddedStopView = {"items": stopped}
        dump_json(printed)
        return
    for row in stopped:
        what = f"stopped (pid {row['pid']})" if row["pid"] else "was not running"
        console().print(f"{row['name']} {what}")


def dsn(*, options: Options = Options()) -> None:
    """Print the DSN of the embedded database, running or not; with --json Redis's URL as well.

    Example: ``psql "$(m26 embedded dsn)"``

    Args:
        options: options of every command.
    """
    from m26.embedded import postgres, valkey

    home = options.load().settings.home
    database = postgres.at(home).dsn
    if options.json:
        printed: EmbeddedAddressView = {"postgres": database, "redis": valkey.at(home).url}
        dump_json(printed)
        return
    console().print(database, markup=False, soft_wrap=True)


def psql(
    *arguments: Annotated[str, Parameter(allow_leading_hyphen=True)],
    admin: Annotated[bool, Parameter(negative=())] = False,
    options: Options = Options(),
) -> int:
    """Open psql on the embedded database, to read; a server started only for it is stopped after.

    Example: ``m26 embedded psql -c "SELECT count(*) FROM m26.auction"``

    Args:
        arguments: passed on to psql.
        admin: as the superuser, who can change and delete everything.
        options: options of every command.
    """
    import anyio

    from m26.embedded.roles import ADMIN, READER

    # No log line between the answers of a shell.
    settings = options.load({} if options.debug else {"log.level": "warning"}).settings
    return anyio.run(_psql, settings.home, settings.pg_bin, ADMIN if admin else READER, arguments)


@asynccontextmanager
async def _ctrl_c_left_to_psql() -> AsyncIterator[None]:
    """Ctrl-C in a shell cancels its query; a handler, unlike SIG_IGN, is not inherited."""
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


async def _psql(home: Path, pg_bin: Path | None, role: str, arguments: tuple[str, ...]) -> int:
    from m26 import children
    from m26.embedded import postgres
    from m26.embedded.binaries import postgres_folder
    from m26.embedded.roles import OWNER

    beside = postgres_folder(pg_bin) / "psql"
    program = beside if beside.is_file() else children.look_up("psql")
    if program is None:
        raise StorageError(
            f"there is no psql beside the server's binaries ({beside.parent}) nor on PATH",
            hint="Run `apt-get install postgresql-client`.",
        )
    async with (
        signals.interrupting(signal.SIGTERM, signal.SIGHUP),
        postgres.running(home, pg_bin=pg_bin) as server,
        _ctrl_c_left_to_psql(),
        await children.shell([str(program), server.dsn_of(OWNER, role=role), *arguments]) as shell,
    ):
        code = await shell.wait()
        return 0 if code == -signal.SIGPIPE else code  # its reader has read enough


async def _start(settings: Settings, options: Options) -> None:
    import anyio

    from m26.embedded import postgres, valkey

    async with (
        postgres.running(settings.home, pg_bin=settings.pg_bin) as database,
        valkey.running(settings.home) as cache,
    ):
        urls: EmbeddedAddressView = {"postgres": database.dsn, "redis": cache.url}
        if options.json:
            dump_json(urls)
        else:
            _announce(urls, _servers(settings))
        await anyio.sleep_forever()


def _announce(urls: EmbeddedAddressView, servers: list[tuple[Server, Path | None]]) -> None:
    out = console()
    for name, url in urls.items():
        out.print(f"{name:9}{url}", markup=False)
    others = {server.name: pid for server, _ in servers if (pid := server.owner.holder())}
    others = {name: pid for name, pid in others.items() if pid != os.getpid()}
    for name, pid in others.items():
        out.print(
            f"{name} is stopped by the m26 of pid {pid}, which started it; this command starts it "
            "again then."
        )
    mine = [server.name for server, _ in servers if server.name not in others]
    out.print(f"Ctrl-C stops {' and '.join(mine) or 'neither, only this command'}.")


def _servers(settings: Settings) -> list[tuple[Server, Path | None]]:
    """Both servers, each with its program when there is one."""
    from m26.embedded import postgres, valkey
    from m26.embedded.binaries import postgres_folder, valkey_server

    def postgres_program() -> Path:
        return postgres_folder(settings.pg_bin) / "postgres"

    return [
        (postgres.server(settings.home, pg_bin=settings.pg_bin), _found(postgres_program)),
        (valkey.server(settings.home), _found(valkey_server)),
    ]


def _found(search: Callable[[], Path]) -> Path | None:
    try:
        return search()
    except StorageError:  # what runs can be seen and stopped without its program
        return None


def _view(server: Server, program: Path | None) -> EmbeddedServerView:
    from m26.embedded.folders import socket_folder

    process = server.process()
    return {
        "name": server.name,
        "running": process is not None,
        "pid": process.pid if process else None,
        "owner_pid": server.owner.holder(),
        "version": _version(program) if program else None,
        "program": str(program) if program else None,
        "folder": str(server.folder),
        "socket_folder": str(socket_folder(server.folder)) if process else None,
        "log": str(server.log),
        "data_bytes": _bytes(server.data) if server.data.exists() else None,
    }


def _plain(key: str, value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    return size(value) if key == "data_bytes" else str(value)  # a pid has no thousands


def _version(program: Path) -> str:
    """What the program says of itself, shortened to the number."""
    from m26.children import ask

    words = [word.removeprefix("v=") for word in (ask([program, "--version"]) or "").split()]
    return next((word for word in words if word[:1].isdigit()), "")


def _bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_blocks * 512
        except OSError:  # a running server removes files while we count
            continue
    return total
