"""One kept HTTP/1.1 connection: a request goes out, the bytes of its own reply come in."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Final

import h11
import httpx
import structlog

_KEEPALIVE: Final = 600.0
"""Seconds of silence: requests are 21 s apart by default; routers forget a silent connection."""
_MAX_HEAD: Final = 100 * 2**10
"""Bytes that may come before a head ends."""
_STAGGER = 0.25
"""Seconds before the next address of a name is tried beside the first (RFC 8305)."""
_NO_RENEGOTIATION = "UNSAFE_LEGACY_RENEGOTIATION_DISABLED"
"""How OpenSSL calls its refusal of a server that lacks RFC 5746."""
_PORTS = {"https": 443, "http": 80}

_log = structlog.get_logger(__name__)


class Connection(httpx.AsyncBaseTransport):
    """Carries one call after the other to one origin, over a connection that is kept.

    What arrives when no reply is due, or lies behind the one that is, nobody asked for: it closes
    the connection. httpx's own transport would take it for the reply to the next call.

    Args:
        tls: what an https origin has to prove.
        legacy: the same of one without secure renegotiation. It is used when OpenSSL refused that
            for the lack of it, and never again once the origin was seen to have it.
    """

    def __init__(self, tls: ssl.SSLContext, *, legacy: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._legacy = legacy
        self._told = False
        """That legacy TLS is in use."""
        self._wire: _Wire | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read the head of its reply; the body is read from the response.

        Raises:
            httpx.ConnectError: no connection; its cause tells why.
            httpx.TransportError: the connection broke, or speaks no HTTP/1.1.
        """
        content = await request.aread()
        wire = self._wire = await self._ready(request.url)
        try:
            wire.send(request, content)
            head = await wire.head()
        except h11.LocalProtocolError as error:
            wire.close()
            raise httpx.LocalProtocolError(type(error).__name__) from error
        except BaseException:
            wire.close()
            raise
        return httpx.Response(head.status_code, headers=head.headers.raw_items(), stream=wire)

    async def aclose(self) -> None:
        """Close the connection, if there is one."""
        if self._wire is not None:
            self._wire.close()
            await asyncio.sleep(0)  # in which the loop closes the socket

    async def _ready(self, url: httpx.URL) -> _Wire:
        # What has arrived by now is seen first: the loop looks in one turn and reads in the next.
        for _ in range(2):
            await asyncio.sleep(0)
        if self._wire is not None:
            if self._wire.is_fit:
                return self._wire
            self._wire.close()
        if url.scheme != "https":
            return await _connect(url, None)
        try:
            wire = await _connect(url, self._tls)
        except httpx.ConnectError as error:
            if self._legacy is None or getattr(error.__cause__, "reason", "") != _NO_RENEGOTIATION:
                raise
            if not self._told:
                _log.warning("gateway.legacy_tls", host=url.host, reason=_NO_RENEGOTIATION)
            self._told = True
            return await _connect(url, self._legacy)
        self._legacy = None
        return wire


async def _connect(url: httpx.URL, tls: ssl.SSLContext | None) -> _Wire:
    try:
        _, wire = await asyncio.get_running_loop().create_connection(
            _Wire,
            url.raw_host.decode("ascii"),
            url.port or _PORTS[url.scheme],
            ssl=tls,
            happy_eyeballs_delay=_STAGGER,
        )
    except (OSError, UnicodeError) as error:  # of TLS, too; or the name can be none
        raise httpx.ConnectError(type(error).__name__) from error
    return wire


class _Wire(asyncio.Protocol, httpx.AsyncByteStream):
    """The connection itself, and the body of the reply that is being read from it."""

    def __init__(self) -> None:
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD)
        self._transport: asyncio.Transport | None = None
        self._due = False
        """A request has left, and its reply is not read to its end."""
        self._lost = False
        self._error: Exception | None = None
        self._news = asyncio.Event()
        self._silent_since = 0.0

    # What the loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._silent_since = asyncio.get_running_loop().time()

    def data_received(self, data: bytes) -> None:
        if self._due:
            self._http.receive_data(data)
            self._news.set()
        else:
            self._refuse(len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost, self._error = True, exc
        self._news.set()

    # What a call does.

    @property
    def is_fit(self) -> bool:
        """A request may be sent on it."""
        silent = asyncio.get_running_loop().time() - self._silent_since
        return not self._due and not self._lost and silent < _KEEPALIVE

    def send(self, request: httpx.Request, content: bytes) -> None:
        """Send a request; from now on bytes are welcome."""
        assert self._transport is not None
        self._due = True
        events: tuple[h11.Event, ...] = (
            h11.Request(
                method=request.method, target=request.url.raw_path, headers=request.headers.raw
            ),
            h11.Data(data=content),
            h11.EndOfMessage(),
        )
        self._transport.write(b"".join(self._http.send(event) or b"" for event in events))

    async def head(self) -> h11.Response:
        """Head of the final response."""
        while True:
            event = await self._next()
            if isinstance(event, h11.Response):
                return event

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while isinstance(event := await self._next(), h11.Data):
            yield bytes(event.data)

    async def aclose(self) -> None:
        """The call is over: keep the connection if the reply came whole and nothing behind it."""
        whole = {self._http.our_state, self._http.their_state} == {h11.DONE}
        behind, _ = self._http.trailing_data
        if not whole or self._lost:
            self.close()
        elif behind:
            self._refuse(len(behind))
        else:
            self._http.start_next_cycle()
            self._due = False
            self._silent_since = asyncio.get_running_loop().time()

    def close(self) -> None:
        """Close it at once."""
        self._lost = True
        if self._transport is not None:
            self._transport.abort()

    def _refuse(self, size: int) -> None:
        _log.warning("gateway.unread_bytes", size=size)
        self.close()

    async def _next(self) -> h11.Event:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                if self._error is not None:
                    raise httpx.ReadError(type(self._error).__name__)
                if self._lost:
                    self._http.receive_data(b"")  # what is missing to a whole reply is its to tell
                self._news.clear()
                if not self._lost:
                    await self._news.wait()
        except h11.ProtocolError as error:
            raise httpx.RemoteProtocolError(str(error)) from error
        assert isinstance(event, h11.Event)  # PAUSED is behind the end, where nobody reads
        return event
