"""Settings in; what a run needs before it starts any server out: home, port, accounts.

What cannot be used is told here, at once, and what will be used is known.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from m26.app import servers
from m26.app.accounts import Assignment, admit_all, assignment, whom
from m26.auth.vault import Vault
from m26.config import Settings
from m26.embedded import postgres
from m26.errors import StorageError
from m26.home.lock import HomeLock
from m26.journal.files import Files
from m26.status.snapshot import versions
from m26.status.views import SetupView
from m26.store.connection import session_name
from m26.web import guard
from m26.web.server import listening, url_of

_MIB = 2**20
_NEW_DATABASE = 128 * _MIB
"""An empty one and its first segments of WAL, with what the journal keeps free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What is held from a run's first moment to its last."""

    vault: Vault
    assigned: Assignment
    listener: socket.socket
    session: str
    """What its sessions in PostgreSQL call themselves."""
    setup: SetupView
    """What the run uses, to be shown."""


@asynccontextmanager
async def opening(settings: Settings, *, account: str | None) -> AsyncIterator[Opened]:
    """Hold the home and the port for the length of the block; settle whom it is for.

    Raises:
        HomeLockedError: another process collects for this home.
        StorageError: the home cannot be written.
        ConfigError: the address cannot be listened on, or an account is of another profile
            or for other servers.
        AuthError: there is no account, or not the one asked for.
    """
    web = settings.web
    guard.check_binding(web)
    with HomeLock.acquire(settings.home):
        check_room(settings)
        async with listening(web.host, web.port) as listener:
            vault = Vault.open(settings.home, settings.vault)
            assigned = assignment(settings, vault, only=account)
            admit_all(assigned, settings, vault)
            used = servers.addresses(settings)
            setup = SetupView(
                url=url_of(listener),
                home=str(settings.home),
                simulator=assigned.is_simulator,
                profile=assigned.profile.name,
                upstream=whom(assigned.profile, settings),
                database=used.postgres.shown,
                redis=used.redis.shown,
                versions=versions(),
            )
            session = session_name(settings.home, [each.name for each in assigned.accounts])
            yield Opened(
                vault=vault, assigned=assigned, listener=listener, session=session, setup=setup
            )


def check_room(settings: Settings, *, files: Files | None = None) -> None:
    """Whether the disk has room for the embedded database, where it is still to be made.

    Raises:
        StorageError: it has not.
    """
    home = settings.home
    if settings.postgres.dsn is not None or postgres.server(home).data.exists():
        return
    left = (files or Files()).free(home)
    if left < _NEW_DATABASE:
        raise StorageError(
            f"{left // _MIB} MiB are free on the disk of {home}, and a new database takes "
            f"{_NEW_DATABASE // _MIB} MiB",
            hint="Free some space, choose another home by --home or M26_HOME, or use a running "
            "server by M26_POSTGRES__DSN.",
        )
