"""The servers that tests share: the product's own supervisors in a temporary home."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import anyio
import asyncpg
import redis
from anyio.from_thread import BlockingPortal

from m26.embedded import postgres, valkey
from m26.embedded.roles import ADMIN, OWNER

_numbers = count(1)


@contextmanager
def postgres_server(portal: BlockingPortal, home: Path) -> Iterator[postgres.Postgres]:
    """A running PostgreSQL that does not wait for the disk."""
    settings = {"fsync": "off", "full_page_writes": "off"}
    server = postgres.running(home, settings=settings)
    with portal.wrap_async_context_manager(server) as running:
        yield running


@contextmanager
def valkey_server(portal: BlockingPortal, home: Path) -> Iterator[valkey.Valkey]:
    """A running Valkey."""
    with portal.wrap_async_context_manager(valkey.running(home)) as running:
        yield running


def admin(server: postgres.Postgres) -> str:
    """DSN of the superuser: what tests do with m26's own is done without rights it lacks."""
    return server.dsn_of(OWNER, role=ADMIN)


@contextmanager
def fresh_database(
    portal: BlockingPortal, server: postgres.Postgres, *, template: str = "template1"
) -> Iterator[str]:
    """DSN of a new database, empty or like `template`, dropped with whoever is still connected."""
    name = f"test_{next(_numbers)}"
    portal.call(_execute, admin(server), f"CREATE DATABASE {name} OWNER m26 TEMPLATE {template}")
    try:
        yield server.dsn_of(name)
    finally:
        portal.call(_execute, admin(server), f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def keep_copy(portal: BlockingPortal, server: postgres.Postgres, name: str) -> None:
    """Keep a database as it is now, for `restore`. Who is connected to it is no longer."""
    others = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    portal.call(_execute, admin(server), others)
    portal.call(_execute, admin(server), f"CREATE DATABASE {name}_kept OWNER m26 TEMPLATE {name}")


def restore(portal: BlockingPortal, server: postgres.Postgres, name: str) -> None:
    """Put the copy that was kept in a database's place."""
    portal.call(_execute, admin(server), f"DROP DATABASE {name} WITH (FORCE)")
    portal.call(_execute, admin(server), f"ALTER DATABASE {name}_kept RENAME TO {name}")


def flush(server: valkey.Valkey) -> None:
    """Empty every database of a Valkey."""
    with redis.Redis.from_url(server.url) as client:
        client.flushall()


async def until(condition: Callable[[], object], *, seconds: float = 20) -> None:
    """Return once `condition` holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        await anyio.sleep(0.02)


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
