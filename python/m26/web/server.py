"""Serves the application inside the running event loop: a host and a port in, a real URL out.

The port is taken long before there is anything to serve: who connects meanwhile waits.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator

import anyio
from anyio.abc import TaskStatus
from starlette.types import ASGIApp

from m26 import descriptors
from m26.errors import ConfigError
from m26.httpserver import Bounds, Config, Server
from m26.web.guard import unbound

_GRACE = 2
"""Seconds that open answers get at the end."""


@contextlib.asynccontextmanager
async def listening(host: str, port: int) -> AsyncIterator[socket.socket]:
    """Listen for the length of the block; nobody else can take the port from its first line on.

    Args:
        host: address or name to listen on.
        port: 0 lets the system choose; `url_of` has the real one.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    with await _listen(host, port) as listener:
        yield listener


async def serve(
    app: ASGIApp,
    listener: socket.socket,
    *,
    bounds: Bounds | None = None,
    task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled: ``await group.start(serve, app, listener)``.

    Args:
        app: the ASGI application.
        listener: where, see `listening`.
        bounds: of connections; by default 32 without a complete request, 10 s for that, and in
            all as many as the descriptor limit leaves beside `descriptors.RESERVED`.
        task_status: told before the first request is answered.
    """
    config = Config(
        app,
        bounds=bounds or Bounds(most=descriptors.for_connections()),
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE,
    )
    server = Server(config)
    try:
        task_status.started()
        await server.serve(sockets=[listener])
    finally:
        # A cancelled uvicorn leaves its connections open; its own shutdown closes them in order.
        with anyio.CancelScope(shield=True):
            if server.started:
                await server.shutdown(sockets=[listener])


def url_of(listener: socket.socket) -> str:
    """Where a browser on this machine finds the listener."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound, read
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _listen(host: str, port: int) -> socket.socket:
    try:
        found = await anyio.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen()  # now, so that whoever learns the URL can connect at once
            listener.settimeout(0)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        raise ConfigError(
            f"cannot serve HTTP on {host} port {port}: {error.strerror or error}",
            hint=unbound(error),
        ) from None
    return listener
