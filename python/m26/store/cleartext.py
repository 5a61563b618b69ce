"""Connections without TLS to another machine: what the driver connects by in and out.

What comes out never answers a request for the password itself, wherever the driver has it from.
Digests of it (SCRAM, MD5) are given.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import asyncpg

_HEAD = struct.Struct("!ci")
"""Of each message: its kind, and how long it is without that."""
_ASKED = struct.pack("!i", 3)
"""In a message R: AuthenticationCleartextPassword."""


class CleartextError(ConnectionError):
    """The server asked for the password itself, over a connection that anybody can read."""

    def __init__(self) -> None:
        super().__init__("the server asks for the password itself, and there is no TLS; not sent")


async def connect(
    *args: Any,  # noqa: ANN401 - the driver's own
    try_tls: bool,
    **options: Any,  # noqa: ANN401
) -> asyncpg.Connection[Any]:
    """`asyncpg.connect` where TLS is not asked for: with `try_tls` if there is some, or without.

    Raises:
        CleartextError: the server asked for the password itself; it has not got it.
        OSError, asyncpg.PostgresError: as from the driver.
    """
    made: asyncpg.Connection[Any]
    if try_tls:
        # Not the driver's own `prefer`, which goes on without TLS on a connection that began with
        # the question for it.
        with suppress(OSError, asyncpg.InvalidAuthorizationSpecificationError):
            made = await asyncpg.connect(*args, **{**options, "ssl": "require"})
            return made
    loop = _Loop(asyncio.get_running_loop())
    try:
        made = await asyncpg.connect(*args, **{**options, "loop": loop, "ssl": "disable"})
    except Exception:
        if loop.is_asked:
            raise CleartextError from None
        raise
    return made


class _Loop:
    """The running loop, as the driver is given it: it watches how connections begin."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self.is_asked = loop, False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - all else is the loop's
        return getattr(self._loop, name)

    def __eq__(self, other: object) -> bool:
        return other == self._loop

    def __hash__(self) -> int:
        return hash(self._loop)

    async def create_connection(
        self, made: Callable[[], asyncio.Protocol], host: str, port: int
    ) -> tuple[asyncio.BaseTransport, asyncio.Protocol]:
        transport, start = await self._loop.create_connection(
            lambda: _Start(made(), self._refuse), host, port
        )
        return transport, start.driver

    def _refuse(self) -> None:
        self.is_asked = True


class _Start(asyncio.Protocol):
    """Hands on what the server says, up to its first "ready", but for what must not be answered."""

    def __init__(self, driver: asyncio.Protocol, refuse: Callable[[], None]) -> None:
        self.driver, self._refuse = driver, refuse
        self._held, self._inside = b"", 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "of a socket"
        self._transport = transport
        self.driver.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        data, at = self._held + data, self._inside
        while len(data) >= at + _HEAD.size:
            kind, length = _HEAD.unpack_from(data, at)
            body = at + _HEAD.size
            if kind == b"R" and len(data) < body + len(_ASKED):
                break
            if kind == b"R" and data.startswith(_ASKED, body):
                self._refuse()
                self._transport.abort()
                return
            if kind == b"Z":  # from here on the driver takes no request for a password
                self._transport.set_protocol(self.driver)
                self.driver.data_received(data)
                return
            at += 1 + max(length, 4)  # the driver refuses less by itself
        # The head of a message that is not whole yet waits here.
        self._held, self._inside = data[at:], max(at - len(data), 0)
        self.driver.data_received(data[: len(data) - len(self._held)])

    def pause_writing(self) -> None:
        self.driver.pause_writing()

    def resume_writing(self) -> None:
        self.driver.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        self.driver.connection_lost(error)
