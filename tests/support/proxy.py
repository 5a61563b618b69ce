"""A Unix socket proxy of the tests' own: it passes bytes on until told to do harm."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

_CHUNK = 1 << 16
_BLOCKED = 0.5
_LOOK = 0.02
_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class Faults:
    """What the proxy does to traffic; may be changed at any time."""

    seed: int
    swallow_reply_to: bytes = b""
    """A request with these bytes is carried out; its reply is lost with the connection."""
    probability: float = 0.5
    """How often that happens."""
    block_at: bytes = b""
    """From a request with these bytes on nothing goes on; then, soon, the connection is lost."""
    reset_probability: float = 0.0
    """How often a piece of a request ends the connection in its place."""
    refuse: dict[bytes, bytes] = field(default_factory=dict)
    """A connection that asks for this setting at its start is refused with this SQLSTATE."""
    freeze_at: bytes = b""
    """From a request with these bytes on nothing goes on, and nobody closes the connection."""
    freeze_after: int = 0
    """So many bytes of it go on yet."""
    freeze_for: float = 3600.0
    """Seconds after which it thaws."""
    frozen: bool = False
    refused: list[bytes] = field(default_factory=list, init=False)
    latency: float = 0.0
    """Seconds by which each piece of a reply is late."""
    silent: bool = False
    """Nothing goes on either way, and nobody closes a connection: a network that is cut."""
    on_request: Callable[[bytes], None] | None = None
    """Sees each piece of a request before it goes on."""
    swallowed: int = 0
    reset: int = 0
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def none(self) -> None:
        """From now on only pass bytes on."""
        self.swallow_reply_to, self.block_at = b"", b""
        self.reset_probability, self.latency = 0.0, 0.0
        self.on_request, self.silent = None, False

    async def heard(self) -> None:
        """Return once the network is there."""
        while self.silent:
            await asyncio.sleep(_LOOK)


class Proxy:
    """Listens at one path and connects to another for each client: ``async with Proxy(…):``."""

    def __init__(self, listen: Path, target: Path, faults: Faults) -> None:
        self._listen, self._target = listen, target
        self.faults = faults
        self._server: asyncio.Server
        self._pairs: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._accept, self._listen)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for pair in self._pairs:
            pair.cancel()
        await asyncio.gather(*self._pairs, return_exceptions=True)

    async def _accept(self, *client: *_Stream) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pairs.add(task)
        try:
            with suppress(OSError, asyncio.CancelledError):
                await self._serve(client)
        finally:
            self._pairs.discard(task)
            client[1].close()

    async def _serve(self, client: _Stream) -> None:
        first = b""
        if self.faults.refuse:
            first = await client[0].read(_CHUNK)
            for setting, code in self.faults.refuse.items():
                if setting + b"\0" in first:
                    self.faults.refused.append(setting)
                    client[1].write(_error(code))
                    return
        await self.faults.heard()
        server = await asyncio.open_unix_connection(self._target)
        server[1].write(first)
        lost = asyncio.Event()
        ways = [
            asyncio.create_task(self._requests(client[0], server[1], lost)),
            asyncio.create_task(self._replies(server[0], client[1], lost)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            server[1].close()

    async def _requests(
        self, client: asyncio.StreamReader, server: asyncio.StreamWriter, lost: asyncio.Event
    ) -> None:
        faults = self.faults
        while data := await client.read(_CHUNK):
            if faults.on_request is not None:
                faults.on_request(data)
            if faults.freeze_at and faults.freeze_at in data:
                server.write(data[: faults.freeze_after])
                rest, faults.freeze_at, faults.frozen = data[faults.freeze_after :], b"", True
                await asyncio.sleep(faults.freeze_for)
                server.write(rest)
                continue
            if faults.block_at and faults.block_at in data:
                await asyncio.sleep(_BLOCKED)
                return
            if faults.reset_probability and faults.rng.random() < faults.reset_probability:
                faults.reset += 1
                return
            wanted = faults.swallow_reply_to
            if wanted and wanted in data and faults.rng.random() < faults.probability:
                lost.set()
            await faults.heard()
            server.write(data)
            await server.drain()

    async def _replies(
        self, server: asyncio.StreamReader, client: asyncio.StreamWriter, lost: asyncio.Event
    ) -> None:
        while data := await server.read(_CHUNK):
            if lost.is_set():
                self.faults.swallowed += 1
                return
            if self.faults.latency:
                await asyncio.sleep(self.faults.latency)
            await self.faults.heard()
            client.write(data)
            await client.drain()


def _error(code: bytes) -> bytes:
    """An ErrorResponse of the protocol."""
    fields = b"SFATAL\0VFATAL\0C%b\0Mno such setting here\0\0" % code
    return b"E" + (len(fields) + 4).to_bytes(4, "big") + fields
