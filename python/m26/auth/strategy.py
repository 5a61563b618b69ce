"""A signed, authenticated client of one account: a command in, its reply out, renewals unseen."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
import structlog
from anyio import to_thread

from m26.auth import tickets
from m26.auth.cache import TicketCache
from m26.auth.credentials import Ticket, Tokens
from m26.auth.signer import Signer
from m26.auth.tokens import refresh
from m26.auth.vault import Vault
from m26.errors import ConfigError, M26Error, TransportError
from m26.upstream.client import GatewayClient
from m26.upstream.profile import Profile
from m26.upstream.replies import Reply
from m26.upstream.rules import verdict
from m26.upstream.verdicts import Action, RefusedError, UnavailableError, Verdict

_MARGIN = 120.0
"""Seconds before its end at which an access token is renewed rather than used."""

log = structlog.get_logger(__name__)


class Session:
    """Requests of one account. Tickets are renewed when they are rejected, never on a timer.

    Renewals are single-flight: who asks while one is under way gets its outcome, good or bad.

    Args:
        account: its name in the vault.
        vault: holds the credentials; read afresh before each renewal.
        client: the account's connection.
        profile: commands, signing constants, client id and secret where the vault has none.
        cache: shares the ticket with other processes; None leaves it to the vault.
        spend: waits for a budget slot; called with ``token``, ``login`` or the command's wire
            name before every request.
        clock: Unix seconds.

    Raises:
        AuthError: the vault has no such account or cannot be used.
    """

    def __init__(
        self,
        *,
        account: str,
        vault: Vault,
        client: GatewayClient,
        profile: Profile,
        cache: TicketCache | None = None,
        spend: Callable[[str], Awaitable[None]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._account = account
        self._vault = vault
        self._client = client
        self._profile = profile
        self._cache = cache
        self._spend = spend
        self._clock = clock
        self._held = vault.read(account)
        self._signer = Signer(
            account=account, vault=vault, profile=profile, held=self._held, clock=clock
        )
        self._ticket: Ticket | None = None
        self._dead_before = 0.0
        self._skew: float | None = None
        self._renewing = anyio.Lock()
        self._renewals = 0
        self._failure: M26Error | None = None

    @property
    def ticket_id(self) -> str:
        """Names the session in use without telling its key; empty before the first request."""
        return self._ticket.id if self._ticket else ""

    @property
    def platform(self) -> str:
        """Platform of the account."""
        return self._held.platform

    def seconds_left(self) -> dict[str, float | None]:
        """Life left in ``session``, ``access_token``, ``refresh_token``, ``bundles``."""
        return replace(self._held, ticket=self._ticket).seconds_left(self._clock())

    def observe_server_time(self, response_time: int, *, fetched_at: int) -> None:
        """Tell the server's clock as a reply's body showed it; both in microseconds."""
        self._skew = (response_time - fetched_at) / 1e6

    async def request(
        self, command: str, payload: str, *, params: Mapping[str, str] | None = None
    ) -> Reply:
        """Send one command, after a ticket and a budget slot are there.

        Args:
            command: its key in the profile's ``[commands]``.
            payload: its arguments as JSON text.
            params: URL parameters.

        Raises:
            RefusedError: no request makes sense until the operator acts.
            UnavailableError: a ticket could not be had now.
            TransportError: no whole reply came.
        """
        wire = self._profile.commands.get(command)
        if wire is None:
            raise ConfigError(
                f"the profile has no command {command!r}", hint="Add it to [commands]."
            )
        signature, device_id = await self._signer.sign(await self._ensure())
        await self._spend(wire.name)
        ticket = await self._ensure()  # it may have been replaced while we waited for the slot
        return await self._client.process(
            session_key=ticket.session_key,
            command=wire,
            payload=payload,
            signature=signature,
            device_id=device_id,
            server_time=self._clock() + (self._client.skew if self._skew is None else self._skew),
            params=params,
        )

    async def judged(self, verdict: Verdict) -> None:
        """Tell what the last reply meant, so that the pool knows how its bundle is."""
        await self._signer.judged(verdict)

    async def renew_session(self, *, dead: str) -> None:
        """Action S: one login, unless the session `dead` was already replaced.

        A login that finds the access token dead refreshes it once and logs in once more.

        Args:
            dead: `ticket_id` of the session that was rejected.

        Raises:
            RefusedError: no login is possible until the operator acts.
            UnavailableError: the login failed in a way that may pass.
            TransportError: no whole answer came.
        """
        async with self._renewal():
            if self._ticket is not None and self._ticket.id != dead:
                return
            self._retire()
            self._held = await to_thread.run_sync(self._vault.read, self._account)
            self._signer.reload(self._held)  # another process may have imported a capture
            if await self._adopt():
                return
            rejected = await self._login()
            if rejected is not None:
                await self._refresh(self._tokens())
                rejected = await self._login()
            if rejected is not None:
                raise RefusedError(replace(rejected, action=Action.STOP))

    async def renew_tokens(self) -> None:
        """Action T: one token refresh, saved before use; the next request logs in with it.

        Raises:
            RefusedError: no refresh is possible until the operator logs in again.
            UnavailableError: the token service failed; the old pair stays.
            TransportError: no whole answer came.
        """
        seen = self._held.tokens
        async with self._renewal():
            if self._held.tokens is seen:
                await self._refresh(self._tokens())
                self._retire()

    @asynccontextmanager
    async def _renewal(self) -> AsyncIterator[None]:
        ended = self._renewals
        async with self._renewing:
            if self._failure is not None and self._renewals != ended:
                raise self._failure  # it failed while we waited: its outcome is ours
            self._failure = None
            try:
                yield
            except M26Error as error:
                self._failure = error
                raise
            finally:
                self._renewals += 1

    async def _ensure(self) -> Ticket:
        if self._ticket is None:
            await self.renew_session(dead="")
        assert self._ticket is not None
        return self._ticket

    def _retire(self) -> None:
        """Forget the ticket; an older one found anywhere later is dead too."""
        if self._ticket is not None:
            self._dead_before = max(self._dead_before, self._ticket.obtained_at)
            self._ticket = None

    async def _adopt(self) -> bool:
        """Take over a newer ticket that another process of the account got."""
        self._ticket = await tickets.newest(
            account=self._account,
            platform=self.platform,
            vault=self._vault,
            cache=self._cache,
            after=self._dead_before,
        )
        return self._ticket is not None

    async def _login(self) -> Verdict | None:
        """One login; the verdict when the access token is dead."""
        tokens = await self._living_tokens()
        await self._spend("login")
        async with self._vault.renewing(self._account):
            if await self._adopt():  # another process was faster
                return None
            try:
                ticket = await tickets.login(self._client, tokens, clock=self._clock)
            except UnavailableError as error:
                if error.verdict.action is Action.NEW_TOKEN:
                    return error.verdict
                raise
            await tickets.keep(
                ticket,
                account=self._account,
                platform=self.platform,
                vault=self._vault,
                cache=self._cache,
            )
        self._ticket = ticket
        return None

    def _tokens(self) -> Tokens:
        if self._held.tokens is None:
            raise RefusedError(verdict("no_credentials"))
        return self._held.tokens

    async def _living_tokens(self) -> Tokens:
        tokens = self._tokens()
        if tokens.expires_at - _MARGIN > self._clock():
            return tokens
        try:
            return await self._refresh(tokens)
        except (RefusedError, UnavailableError, TransportError) as error:
            if tokens.expires_at <= self._clock():
                raise
            log.warning("refresh_failed", account=self._account, error=error.message)
            return tokens  # good until its end

    async def _refresh(self, replaced: Tokens) -> Tokens:
        tokens = await refresh(
            account=self._account,
            replaced=replaced,
            vault=self._vault,
            client=self._client,
            profile=self._profile,
            spend=self._spend,
            clock=self._clock,
        )
        self._held = replace(self._held, tokens=tokens)
        return tokens
