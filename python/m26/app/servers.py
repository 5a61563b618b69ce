"""PostgreSQL and Redis for one command: the operator's own, or the embedded ones."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

import anyio

from m26 import isolation
from m26.config import Loaded, Settings
from m26.embedded import postgres, valkey
from m26.embedded.supervise import Report, ignore
from m26.errors import OutageError
from m26.redaction import register_secret
from m26.status.conditions import State, Status
from m26.status.views import ServerView
from m26.store.connection import session_name
from m26.store.database import Store, connect

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is: how to connect, and what may be shown of it."""

    url: str
    shown: ServerView

    def __repr__(self) -> str:
        return f"Address({self.shown['where']!r})"


@dataclass(frozen=True, slots=True)
class Servers:
    """What a run stores to and publishes by."""

    postgres: Address
    redis: Address


def addresses(settings: Settings) -> Servers:
    """Where both servers are; the embedded ones, running or not.

    Raises:
        StorageError: the folder of an embedded one cannot be made.
    """
    return Servers(_postgres(settings), _redis(settings))


@asynccontextmanager
async def database_server(settings: Settings, *, report: Report = ignore) -> AsyncIterator[Address]:
    """The PostgreSQL of M26_POSTGRES__DSN, or the embedded one.

    Raises:
        StorageError, ConfigError: the embedded one does not start.
    """
    if settings.postgres.dsn is not None:
        yield _postgres(settings)
        return
    isolation.forget_libpq()
    async with postgres.running(settings.home, pg_bin=settings.pg_bin, report=report):
        yield _postgres(settings)


@asynccontextmanager
async def redis_server(settings: Settings, *, report: Report = ignore) -> AsyncIterator[Address]:
    """The Redis of M26_REDIS__URL, or the embedded Valkey.

    Raises:
        StorageError: the embedded one does not start.
    """
    if settings.redis.url is not None:
        yield _redis(settings)
        return
    async with valkey.running(settings.home, report=report):
        yield _redis(settings)


@asynccontextmanager
async def both(settings: Settings, status: Status) -> AsyncIterator[Servers]:
    """PostgreSQL and Redis; `status` is told while an embedded one is away.

    Raises:
        StorageError, ConfigError: an embedded one does not start.
    """
    async with (
        database_server(settings, report=partial(_away, status, "postgres")) as postgres_server,
        redis_server(settings, report=partial(_away, status, "redis")) as valkey_server,
    ):
        yield Servers(postgres_server, valkey_server)


def _away(status: Status, source: str, reason: str) -> None:
    if reason:
        advice = "The embedded server is being restarted; its log is in the home."
        status.report(source, State.COLLECTING, reason=f"{source}_away: {reason}", advice=advice)
    else:
        status.report(source, State.COLLECTING)


@asynccontextmanager
async def store(
    dsn: str, *, name: str = "", patience: Patience | None = None
) -> AsyncIterator[Store]:
    """An open store; a server that is just starting is waited for.

    Args:
        dsn: the database.
        name: what its sessions call themselves.
        patience: how long; its own 30 s by default.

    Raises:
        StorageError: it is unreachable for 30 s.
        ConfigError: the DSN is malformed.
    """
    opened = await (patience or Patience())(partial(connect, dsn, name=name))
    try:
        yield opened
    finally:
        opened.close()


@asynccontextmanager
async def database(loaded: Loaded) -> AsyncIterator[Store]:
    """The store of a home, for commands that only ask; starts the embedded server if need be."""
    async with (
        database_server(loaded.settings) as server,
        store(server.url, name=session_name(loaded.settings.home)) as opened,
    ):
        yield opened


class Patience:
    """A server may be away at the start; `seconds` are for all that is asked of it."""

    def __init__(self, *, seconds: float = 30.0, pause: float = 0.5) -> None:
        self._deadline, self._pause = time.monotonic() + seconds, pause

    async def __call__(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do `work`, which may be begun anew, until the server answers.

        Raises:
            OutageError: it was away for too long.
        """
        while True:
            try:
                return await work()
            except OutageError:
                if time.monotonic() > self._deadline:
                    raise
            await anyio.sleep(self._pause)


def _postgres(settings: Settings) -> Address:
    if settings.postgres.dsn is not None:
        return _given(settings.postgres.dsn.get_secret_value())
    embedded = postgres.at(settings.home)
    return _embedded(embedded.dsn, embedded.socket_folder)


def _redis(settings: Settings) -> Address:
    if settings.redis.url is not None:
        return _given(settings.redis.url.get_secret_value())
    embedded = valkey.at(settings.home)
    return _embedded(embedded.url, embedded.socket)


def _embedded(url: str, socket: Path) -> Address:
    return Address(url, ServerView(embedded=True, where=str(socket), version=""))


def _given(url: str) -> Address:
    try:
        parts = urlsplit(url)
        if parts.password:
            for text in {parts.password, unquote(parts.password)}:
                register_secret(text)
        place = f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
    except ValueError:
        place = "as configured"  # the error of connecting says what is wrong with it
    return Address(url, ServerView(embedded=False, where=place, version=""))
