"""Bytes of a reply onto a connection: whole, cut, lost, reset half-way or drop by drop."""

from __future__ import annotations

import asyncio
import math
import socket
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from m26.httpserver import Bounded
from m26.sim.replies import Delivery, Reply

_DRIP_PAUSE = 0.5
_LEAST_GZIP = 1_000
_GZIP = 31  # zlib's window bits for the gzip form


@dataclass(frozen=True, slots=True)
class Connection:
    """One TCP connection; a later request on it shows that the reply before it arrived."""

    number: int
    transport: asyncio.Transport

    def reset(self) -> None:
        """End it the hard way: the peer gets an RST, what is still buffered is lost."""
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


def counted(reserve: Callable[[], int]) -> type[Bounded]:
    """A protocol class that puts a numbered `Connection` into each request's state."""

    class Counted(Bounded):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            connection = Connection(reserve(), transport)
            self.app_state = {**self.app_state, "connection": connection}

    return Counted


def dated(app: ASGIApp, clock: Callable[[], float]) -> ASGIApp:
    """The application with a ``Date`` of our own clock on every reply that says nothing of it."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if not headers.setdefault("date", formatdate(clock(), usegmt=True)):
                    del headers["date"]
            await send(message)

        await app(scope, receive, send_dated)

    return wrapped


class Delivered(Response):
    """A reply on its way over one connection.

    Args:
        reply: what is to be said.
        way: how the bytes travel.
        connection: the way's other end.
        gzip: whether the client takes it compressed.
        seconds: how long a drip lasts.
    """

    def __init__(
        self,
        reply: Reply,
        way: Delivery,
        connection: Connection,
        *,
        gzip: bool,
        seconds: float = 0.0,
    ) -> None:
        body, headers = reply.body, dict(reply.headers)
        packed = reply.plain or "content-encoding" in headers
        wanted = gzip and not packed and len(body) >= _LEAST_GZIP
        if way == "half_gzip" or wanted:
            body = _compress(body)
            headers["content-encoding"] = "gzip"
        if way == "half_gzip":
            body = body[: len(body) // 2]
        super().__init__(body, reply.status, headers, reply.content_type)
        self._way, self._connection, self._seconds = way, connection, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        if self._way in {"whole", "half_gzip"}:
            await super().__call__(scope, receive, send)
            return
        gone = asyncio.create_task(_gone(receive))
        if self._way in {"reset", "short", "drip"}:
            start = {"type": "http.response.start", "status": self.status_code}
            await send({**start, "headers": self.raw_headers})
        if self._way == "drip":
            await self._drip(send, gone)
            return
        if self._way in {"reset", "short"}:
            await send(_part(self.body[: len(self.body) // 2], more=True))
        if self._way == "short":
            self._connection.transport.close()  # once what is buffered has left
        elif self._way in {"reset", "lost"}:
            self._connection.reset()
        await gone

    async def _drip(self, send: Send, gone: asyncio.Task[None]) -> None:
        pieces = max(1.0, self._seconds / _DRIP_PAUSE)
        size = max(1, math.ceil(len(self.body) / pieces))
        pause = self._seconds * size / max(1, len(self.body))
        for start in range(0, len(self.body), size):
            await send(_part(self.body[start : start + size], more=True))
            await asyncio.wait({gone}, timeout=pause)
            if gone.done():
                return
        gone.cancel()
        await send(_part(b"", more=False))


def _part(body: bytes | memoryview, *, more: bool) -> dict[str, object]:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _compress(body: bytes) -> bytes:
    compressor = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
    return compressor.compress(body) + compressor.flush()
