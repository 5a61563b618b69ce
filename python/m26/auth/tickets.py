"""Sessions: an access token in, a ticket out, kept in the vault and shared through the cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import structlog
from anyio import to_thread

from m26.auth.cache import TicketCache
from m26.auth.credentials import Ticket, Tokens
from m26.auth.vault import Vault
from m26.upstream.answers import LoginAnswer, read_login
from m26.upstream.client import GatewayClient
from m26.upstream.verdicts import Action, RefusedError, UnavailableError

log = structlog.get_logger(__name__)


async def login(client: GatewayClient, tokens: Tokens, *, clock: Callable[[], float]) -> Ticket:
    """Open a session with one call.

    Raises:
        RefusedError: the account is refused until the operator acts.
        UnavailableError: the login failed in a way that may pass, or the token is dead
            (`NEW_TOKEN`).
        TransportError: no whole answer came.
    """
    answer = read_login(await client.login(tokens.access))
    if isinstance(answer, LoginAnswer):
        return Ticket(session_key=answer.session_key, blaze_id=answer.blaze_id, obtained_at=clock())
    raise (RefusedError if answer.action is Action.STOP else UnavailableError)(answer)


async def keep(
    ticket: Ticket, *, account: str, platform: str, vault: Vault, cache: TicketCache | None
) -> None:
    """Write a new ticket into the vault and, where there is one, the cache."""
    await to_thread.run_sync(vault.change, account, lambda held: replace(held, ticket=ticket))
    if cache is not None:
        await cache.put(account, platform, ticket)
    log.info("session_opened", account=account, session=ticket.id)


async def newest(
    *, account: str, platform: str, vault: Vault, cache: TicketCache | None, after: float
) -> Ticket | None:
    """The newest ticket that any process of the account got after `after` (Unix seconds)."""
    held = (await to_thread.run_sync(vault.read, account)).ticket
    shared = await cache.get(account, platform) if cache is not None else None
    tickets = [ticket for ticket in (held, shared) if ticket and ticket.obtained_at > after]
    return max(tickets, key=lambda ticket: ticket.obtained_at, default=None)
