"""The session ticket in Redis, encrypted, with a time to live: one process puts, others get."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import orjson
import structlog
from redis.exceptions import RedisError

from m26.auth.credentials import SESSION_LIFE, Credentials, Ticket, dump
from m26.auth.origins import bound
from m26.auth.vault import Vault
from m26.redisclient import connect

_log = structlog.get_logger(__name__)

_PATIENCE = 1.0
"""Seconds for one call: the vault has the ticket too, so no call waits long for Redis."""


class TicketCache:
    """Tickets under ``m26:ticket:<account>``. Redis away means the vault alone, said once.

    A value opens for its account, platform and servers alone, and while Redis would keep it:
    whoever can write there can neither exchange values nor bring an old one back.

    Args:
        url: ``redis://`` or ``unix://``.
        vault: encrypts and decrypts.
        clock: Unix seconds.
    """

    def __init__(self, url: str, *, vault: Vault, clock: Callable[[], float] = time.time) -> None:
        self._vault = vault
        self._clock = clock
        self._away = False
        self._redis = connect(url, timeout=_PATIENCE, as_text=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._redis.aclose()

    async def put(self, account: str, credentials: Credentials, ticket: Ticket) -> None:
        """Store a ticket for other processes of the account."""
        content = dump({"at": self._clock(), "ticket": ticket})
        data = self._vault.encrypt(content, "ticket", *_whose(account, credentials))
        try:
            await self._redis.set(_key(account), data, ex=int(SESSION_LIFE))
        except (RedisError, OSError) as error:
            self._tell(error)
        else:
            self._away = False

    async def get(self, account: str, credentials: Credentials) -> Ticket | None:
        """The ticket some process of the account stored last; None when there is none to use."""
        try:
            data: bytes | None = await self._redis.get(_key(account))  # type: ignore[assignment]
        except (RedisError, OSError) as error:
            self._tell(error)
            return None
        self._away = False
        whose = _whose(account, credentials)
        plain = self._vault.decrypt(data, "ticket", *whose) if data else None
        if plain is None:  # none, or of another account, or of another home's key: not ours
            return None
        content: dict[str, Any] = orjson.loads(plain)
        is_old = self._clock() - content["at"] > SESSION_LIFE
        return None if is_old else Ticket.from_json(content["ticket"])

    def _tell(self, error: Exception) -> None:
        if not self._away:
            _log.warning("auth.cache_away", error=type(error).__name__, use="the vault alone")
        self._away = True


def _whose(account: str, credentials: Credentials) -> tuple[str, ...]:
    servers = bound(credentials)
    return account, credentials.platform, servers.oauth, servers.gateway


def _key(account: str) -> str:
    return f"m26:ticket:{account}"
