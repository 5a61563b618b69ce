"""uvicorn as a server of ours uses it: within a running loop, its connections bounded.

Invariant: whoever connects can take neither the process's descriptors nor the place of a client
that asks for something.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

_BATCH = 4
"""Connections that are accepted in one turn of the loop: several turns go by until the first bytes
of a connection are read, and meanwhile it counts as waiting."""
_QUEUE = 1024
"""Connections that the system holds until they are accepted."""


class Bounds:
    """How many connections a server holds, and how long one may stay without a complete request.

    Where there are too many, the one that has been without a request for longest is closed: a
    client that asks at once gets its answer, however many others are silent.

    Args:
        most: connections in all.
        waiting: of these, connections without a complete request.
        seconds: for a request to come, and for an answer that its client does not read to move.
    """

    def __init__(self, *, most: int, waiting: int = 32, seconds: float = 10.0) -> None:
        self.seconds = seconds
        self._most, self._most_waiting = most, waiting
        self._open: set[Bounded] = set()
        self._waiting: dict[Bounded, None] = {}

    def waits(self, connection: Bounded) -> None:
        """It is open and has no complete request."""
        self._open.add(connection)
        self._waiting.setdefault(connection)
        while self._waiting and (
            len(self._waiting) > self._most_waiting or len(self._open) > self._most
        ):
            longest = next(iter(self._waiting))
            self.gone(longest)
            longest.transport.abort()

    def answers(self, connection: Bounded) -> None:
        """Its request is complete and is being answered."""
        self._waiting.pop(connection, None)

    def gone(self, connection: Bounded) -> None:
        """It is closed."""
        self._open.discard(connection)
        self._waiting.pop(connection, None)


class Config(uvicorn.Config):
    """Settings of uvicorn that all our servers share.

    Args:
        app: the ASGI application.
        bounds: of its connections.
        options: further ones of uvicorn.
    """

    def __init__(self, app: ASGIApp, *, bounds: Bounds, **options: Any) -> None:  # noqa: ANN401 - uvicorn's
        shared: dict[str, Any] = {
            "http": Bounded,
            "lifespan": "off",
            "ws": "none",
            "log_config": None,
            "access_log": False,
            "server_header": False,
            "backlog": _BATCH,
        }
        super().__init__(app, **(shared | options))
        self.bounds = bounds


class Bounded(H11Protocol):
    """One connection, which `Bounds` may close.

    It is *waiting* without a complete request, *stalled* while its client does not read the
    answer, else *answering*. The first two end in time, whatever bytes drip in.
    """

    def __init__(self, config: uvicorn.Config, *args: Any, **options: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(config, *args, **options)
        assert isinstance(config, Config)
        self._bounds = config.bounds
        self._state = ""
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._settle()

    def data_received(self, data: bytes) -> None:
        """Bytes of a request, be it its last ones."""
        super().data_received(data)
        self._settle()

    def on_response_complete(self) -> None:
        """The next request is waited for."""
        super().on_response_complete()
        self._settle()

    def pause_writing(self) -> None:
        """The client does not read."""
        super().pause_writing()
        self._settle()

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        self._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed."""
        super().connection_lost(exc)
        self._bounds.gone(self)
        if self._deadline is not None:
            self._deadline.cancel()

    def _settle(self) -> None:
        cycle = self.cycle
        if cycle is None or cycle.more_body or cycle.response_complete:
            state = "waiting"
        else:
            state = "stalled" if self.flow.write_paused else "answering"
        if state == self._state:
            return
        self._state = state
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if state != "answering":
            # Not `close`: it would wait for the client to read what is buffered.
            self._deadline = self.loop.call_later(self._bounds.seconds, self.transport.abort)
        if state == "waiting":
            self._bounds.waits(self)
        else:
            self._bounds.answers(self)


class Server(uvicorn.Server):
    """uvicorn, with the signals left to the program that runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them: uvicorn would raise them again after its own end."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept a few at a time, but have more than that wait in the system's queue."""
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(_QUEUE)
