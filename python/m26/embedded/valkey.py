"""The embedded Valkey: m26's home in, a running server on a Unix socket and its URL out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import anyio

from m26.embedded import supervise
from m26.embedded.binaries import valkey_server
from m26.embedded.folders import private_folder, socket_folder

_FOLDER = "valkey"
_SOCKET = "valkey.sock"
_ANSWER_SECONDS = 5.0
_OPTIONS = {
    "port": "0",
    "unixsocketperm": "700",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    # Only keys with a time to live may go when memory is short: never the stream.
    "maxmemory-policy": "volatile-lru",
    "set-proc-title": "no",  # the arguments say whose server it is
}


@dataclass(frozen=True, slots=True)
class Valkey:
    """A running server."""

    socket: Path

    @property
    def url(self) -> str:
        """URL for redis-py."""
        return f"unix://{quote(str(self.socket), safe='/')}"


@asynccontextmanager
async def running(
    home: Path, *, report: supervise.Report = supervise.ignore
) -> AsyncIterator[Valkey]:
    """Keep the server of `home` running: start it, adopt it, or attach to another command's.

    Args:
        home: m26's home; the server lives in its folder ``valkey``.
        report: told why the server is away, and ``""`` when it is back.

    Raises:
        StorageError: there is no binary, or the server does not start.
    """
    valkey_server()  # no binary is an error even when only attaching
    kept = server(home)
    valkey = at(home)
    async with supervise.supervised(kept, report=report):
        yield valkey


def at(home: Path) -> Valkey:
    """The server of `home`, running or not; its folder is made."""
    return Valkey(private_folder(home.resolve() / _FOLDER) / _SOCKET)


def server(home: Path) -> supervise.Server:
    """The server of `home`, running or not."""
    folder = home.resolve() / _FOLDER
    data = folder / "data"

    async def prepare() -> supervise.Launch:
        binary = valkey_server()
        data.mkdir(mode=0o700, exist_ok=True)
        options = {**_OPTIONS, "dir": str(data), "unixsocket": str(socket_folder(folder) / _SOCKET)}
        command = [str(binary)]
        for name, value in options.items():
            command += [f"--{name}", value]
        return supervise.Launch(command=command)

    return supervise.Server(
        name="Valkey",
        folder=folder,
        prepare=prepare,
        answers=lambda: _answers(socket_folder(folder) / _SOCKET),
        programs=("valkey-server", "redis-server"),
        marker=("--dir", str(data)),
    )


async def _answers(socket: Path) -> bool:
    """Whether it takes commands: while it loads its data it answers PING with an error."""
    try:
        with anyio.fail_after(_ANSWER_SECONDS):
            async with await anyio.connect_unix(socket) as stream:
                await stream.send(b"PING\r\n")
                return (await stream.receive(64)).startswith(b"+PONG")
    except (OSError, anyio.EndOfStream, anyio.BrokenResourceError):
        return False
