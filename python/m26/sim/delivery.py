"""Bytes of a reply onto a connection: whole, cut, reset half-way or drop by drop."""

from __future__ import annotations

import asyncio
import socket
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from m26.sim.replies import Delivery, Reply

_DRIP_BYTES, _DRIP_PAUSE = 64, 0.5
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


def counted(reserve: Callable[[], int]) -> type[H11Protocol]:
    """A protocol class that puts a numbered `Connection` into each request's state."""

    class Counted(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            connection = Connection(reserve(), transport)
            self.app_state = {**self.app_state, "connection": connection}

    return Counted


class Delivered(Response):
    """A reply on its way over one connection."""

    def __init__(self, reply: Reply, way: Delivery, connection: Connection, *, gzip: bool) -> None:
        body, headers = reply.body, dict(reply.headers)
        if way == "half_gzip" or (gzip and len(body) >= _LEAST_GZIP):
            body = _compress(body)
            headers["content-encoding"] = "gzip"
        if way == "half_gzip":
            body = body[: len(body) // 2]
        super().__init__(body, reply.status, headers, reply.content_type)
        self._way, self._connection = way, connection

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        if self._way in {"whole", "half_gzip"}:
            await super().__call__(scope, receive, send)
            return
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        gone = asyncio.create_task(_gone(receive))
        if self._way == "reset":
            await send(_part(self.body[: len(self.body) // 2], more=True))
            self._connection.reset()
            await gone
            return
        for start in range(0, len(self.body), _DRIP_BYTES):
            await send(_part(self.body[start : start + _DRIP_BYTES], more=True))
            await asyncio.wait({gone}, timeout=_DRIP_PAUSE)
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
