"""Sessions: an access token in, a ticket out, kept in the vault and shared through the cache."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import structlog

from m26.auth.cache import TicketCache
from m26.auth.credentials import Ticket, Tokens
from m26.auth.entry import Entry
from m26.upstream.answers import LoginAnswer, read_login
from m26.upstream.client import GatewayClient
from m26.upstream.verdicts import Action, RefusedError, UnavailableError

_log = structlog.get_logger(__name__)


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


async def keep(ticket: Ticket, *, entry: Entry, cache: TicketCache | None) -> None:
    """Write a new ticket into the vault and, where there is one, the cache.

    A vault that cannot be written now costs other processes a login, nothing else.

    Raises:
        RefusedError: the account is no longer in the vault.
    """
    try:
        await entry.change(lambda credentials: replace(credentials, ticket=ticket))
    except UnavailableError as error:
        _log.warning("auth.session_unsaved", account=entry.account, error=error.message)
    if cache is not None:
        await cache.put(entry.account, entry.credentials, ticket)
    _log.info("auth.session_opened", account=entry.account, session=ticket.id)


async def newest(
    *, entry: Entry, cache: TicketCache | None, dead: Collection[str], after: float
) -> Ticket | None:
    """The newest ticket that any process of the account has, but for what is known to be dead.

    Args:
        entry: the account; read afresh.
        cache: of other hosts.
        dead: ids of tickets that were rejected.
        after: Unix seconds; tickets from before are as dead.

    Raises:
        RefusedError: the account is no longer in the vault.
        UnavailableError: the vault cannot be used now.
    """
    credentials = (await entry.read()).ticket
    shared = await cache.get(entry.account, entry.credentials) if cache is not None else None
    tickets = [
        t for t in (credentials, shared) if t and t.obtained_at >= after and t.id not in dead
    ]
    return max(tickets, key=lambda ticket: ticket.obtained_at, default=None)
