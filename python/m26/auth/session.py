"""A signed, authenticated client of one account: a command in, its reply out, renewals unseen."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial

import anyio
import structlog

from m26.auth import tickets
from m26.auth.cache import TicketCache
from m26.auth.credentials import Ticket, Tokens
from m26.auth.entry import Entry
from m26.auth.signer import Signer, ignore
from m26.auth.single_flight import SingleFlight
from m26.auth.tokens import renew
from m26.errors import ConfigError, TransportError
from m26.upstream.client import GatewayClient
from m26.upstream.profile import Profile
from m26.upstream.replies import Reply
from m26.upstream.rules import verdict
from m26.upstream.secret import Secret
from m26.upstream.verdicts import Action, RefusedError, UnavailableError, Verdict

_MARGIN = 120.0
"""Seconds before its end at which an access token is renewed rather than used."""
_REJECTIONS = frozenset(("session_rejected", "token_rejected", "token_expired"))
_REMEMBERED = 64
"""Rejected sessions that are remembered: vault or cache may still have one of them."""

_log = structlog.get_logger(__name__)


class Session:
    """Requests of one account. Tickets are renewed when they are rejected, never on a timer.

    Renewals are single-flight: who asks while one is under way gets its outcome, good or bad; of
    several processes one renews, and the others take over what it got. `aclose` it at the end.

    Args:
        entry: the account's credentials; read afresh before each renewal.
        client: the account's connection.
        profile: commands, signing constants, client id and secret where the vault has none.
        cache: shares the ticket with other hosts; None leaves it to the vault.
        spend: waits for a budget slot; called with ``token``, ``login`` or the command's wire
            name before every request.
        clock: Unix seconds.
        on_strategy: told why requests are no longer signed but use captured bundles, and an empty
            text when signing works again.
        on_login: told the outcome of a login that goes unseen otherwise: ``ok``, or the reason why
            its access token is dead.
    """

    def __init__(  # nine: whose, with what (each a seam of its tests), and two listeners
        self,
        *,
        entry: Entry,
        client: GatewayClient,
        profile: Profile,
        cache: TicketCache | None = None,
        spend: Callable[[str], Awaitable[None]],
        clock: Callable[[], float] = time.time,
        on_strategy: Callable[[str], None] = ignore,
        on_login: Callable[[str], None] = ignore,
    ) -> None:
        self._client = client
        self._profile = profile
        self._cache = cache
        self._spend = spend
        self._clock = clock
        self._on_login = on_login
        self._entry = entry
        self._refresh = partial(
            renew, self._entry, client=client, profile=profile, spend=spend, clock=clock
        )
        self._signer = Signer(
            entry=self._entry, profile=profile, clock=clock, on_strategy=on_strategy
        )
        self._ticket: Ticket | None = None
        self._dead: deque[str] = deque(maxlen=_REMEMBERED)
        self._dead_before = 0.0
        self._rejected: Secret | None = None
        """An access token that must not be used again, even if its renewal fails."""
        self._doubted = False
        """What is believed of the server's clock is left out: it may be why one was refused."""
        self._sending = anyio.Lock()
        self._renewals = SingleFlight()

    @property
    def ticket_id(self) -> str:
        """Names the session in use without telling its key; empty before the first request."""
        return self._ticket.id if self._ticket else ""

    @property
    def platform(self) -> str:
        """Platform of the account."""
        return self._entry.credentials.platform

    @property
    def strategy(self) -> str:
        """How requests prove who they are: ``signed`` or ``bundles``."""
        return self._signer.strategy

    def seconds_left(self) -> dict[str, float | None]:
        """Life left in ``session``, ``access_token``, ``refresh_token``, ``bundles``."""
        pool = self._signer.pool
        credentials = replace(
            self._entry.credentials,
            ticket=self._ticket,
            bundles=pool.bundles,
            bundle_life=pool.life,
        )
        return credentials.seconds_left(self._clock())

    async def ready(self) -> None:
        """Have a ticket: without one, log in. Errors as of `request`."""
        await self._ensure()

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
            UnavailableError: a ticket or a signature could not be had now.
            TransportError: no whole reply came.
        """
        wire = self._profile.commands.get(command)
        if wire is None:
            raise ConfigError(
                f"the profile has no command {command!r}", hint="Add it to [commands]."
            )
        ticket = await self._ensure()
        signature = await self._signer.sign(ticket, command=wire.name)
        await self._spend(wire.name)
        while True:
            current = await self._ensure()
            if current is not ticket:  # it was replaced while we waited for the slot
                ticket, signature = current, await self._signer.sign(current, command=wire.name)
            async with self._sending:
                if self._ticket is not ticket:
                    continue  # or while a login was on the wire
                return await self._client.process(
                    session_key=ticket.session_key,
                    command=wire,
                    payload=payload,
                    signature=signature.auth,
                    device_id=signature.device_id,
                    server_time=self._client.server.stamp(doubted=self._doubted),
                    params=params,
                )

    async def judged(self, verdict: Verdict) -> None:
        """Tell what the last reply meant: for health, use counts, and the time of the next one."""
        if verdict.action is not Action.OK:
            self._doubted = not self._doubted  # each way until it is refused
        if verdict.action is Action.OK:
            self._entry.tally.accept("session", self._clock())
        elif verdict.reason in _REJECTIONS:
            self._entry.tally.refuse("session", verdict.reason, self._clock())
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
        async with self._renewals.one():
            if self._ticket is not None and self._ticket.id != dead:
                return
            self._retire()
            async with self._entry.renewing():
                if await self._adopt():  # another process was faster
                    return
                rejected = await self._login(await self._living_tokens())
                if rejected is not None:
                    rejected = await self._login(await self._refresh(self._tokens()))
            if rejected is not None:
                raise RefusedError(replace(rejected, action=Action.STOP))

    async def renew_tokens(self) -> None:
        """Action T: one token refresh, saved before use; the next request logs in with it.

        Raises:
            RefusedError: no refresh is possible until the operator logs in again.
            UnavailableError: the token service failed; the old pair stays.
            TransportError: no whole answer came.
        """
        seen = self._entry.credentials.tokens
        async with self._renewals.one():
            if seen is not None and self._tokens().access != seen.access:
                return
            self._rejected = self._tokens().access
            self._retire()
            async with self._entry.renewing():
                await self._refresh(self._tokens())

    async def aclose(self) -> None:
        """Write down what is not yet: use counts, or a token pair that could not be saved."""
        await self._entry.aclose()

    async def _ensure(self) -> Ticket:
        if await self._entry.look():
            self._take_over()
        while self._ticket is None:
            await self.renew_session(dead="")
        return self._ticket

    def _take_over(self) -> None:
        """Go on with the session of another process: its login may have ended ours."""
        newer, ours = self._entry.credentials.ticket, self._ticket
        if ours is None or newer is None or newer.blaze_id is None or newer.id in self._dead:
            return
        if newer.obtained_at > min(ours.obtained_at, self._clock()):
            self._retire()
            self._ticket = newer
            _log.info("auth.session_taken_over", account=self._entry.account, session=newer.id)

    def _retire(self) -> None:
        """Forget the ticket; an older one found anywhere later is dead too."""
        if self._ticket is not None:
            self._dead.append(self._ticket.id)
            # A clock that ran ahead must not make every later session an older one.
            ended = min(self._ticket.obtained_at, self._clock())
            self._dead_before = max(self._dead_before, ended)
            self._ticket = None

    async def _adopt(self) -> bool:
        """Take over a newer ticket that another process of the account got."""
        self._ticket = await tickets.newest(
            entry=self._entry, cache=self._cache, dead=self._dead, after=self._dead_before
        )
        return self._ticket is not None

    async def _login(self, tokens: Tokens) -> Verdict | None:
        """One login; the verdict when the access token is dead."""
        await self._spend("login")
        if await self._adopt():  # another host was faster, while we waited for the slot
            return None
        tally = self._entry.tally
        async with self._sending:  # no request with the dead key is behind us in the queue
            try:
                ticket = await tickets.login(self._client, tokens, clock=self._clock)
            except (RefusedError, UnavailableError) as error:
                tally.refuse("access_token", error.verdict.reason, self._clock())
                if error.verdict.action is not Action.NEW_TOKEN:
                    raise
                self._rejected = tokens.access
                reason = error.verdict.reason
                _log.warning("auth.login_refused", account=self._entry.account, reason=reason)
                self._on_login(reason)
                return error.verdict
            tally.accept("access_token", self._clock())
            self._on_login("ok")
            self._ticket = ticket
        await tickets.keep(ticket, entry=self._entry, cache=self._cache)
        return None

    def _tokens(self) -> Tokens:
        if self._entry.credentials.tokens is None:
            raise RefusedError(verdict("no_credentials"))
        return self._entry.credentials.tokens

    async def _living_tokens(self) -> Tokens:
        tokens = self._tokens()
        if tokens.access == self._rejected:
            return await self._refresh(tokens)
        if tokens.expires_at - _MARGIN > self._clock():
            return tokens
        try:
            return await self._refresh(tokens)
        except (RefusedError, UnavailableError, TransportError) as error:
            if tokens.expires_at <= self._clock():
                raise
            _log.warning("auth.refresh_failed", account=self._entry.account, error=error.message)
            return tokens  # good until its end
