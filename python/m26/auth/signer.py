"""Message auth of each request: signed by the profile's constants, else by a captured bundle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from m26.auth.credentials import Credentials, Ticket
from m26.auth.entry import Entry
from m26.auth.pool import Pool
from m26.upstream.profile import Profile
from m26.upstream.rules import verdict
from m26.upstream.secret import Secret
from m26.upstream.signing import MessageAuth, can_sign, sign
from m26.upstream.verdicts import Action, RefusedError, UnavailableError, Verdict

_BLOCK = 256
"""Request numbers reserved at a time: a restart skips the rest, no request waits for a disk."""
_GUILTY = "signature_rejected"
_SUSPECT = frozenset(
    ("session_rejected", "token_rejected", "unknown_error", "not_success", "unexpected_status")
)
"""Reasons that may be a bundle's fault; `_GUILTY` always is."""
_FALL_BACK, _DEAD = 2, 6
"""Refused signatures in a row after which bundles are used first, and signing is given up."""
_REST, _LONGEST_REST = 900.0, 86_400.0
"""Seconds until signing is tried again, doubled with each refusal."""
_AUTH = 4

_log = structlog.get_logger(__name__)


def ignore(_reason: str) -> None:
    """The default: changes are not reported."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Proof that a message is ours, and the device that it belongs to."""

    auth: MessageAuth
    device_id: Secret


class Strategy(Protocol):
    """One way to come by a signature."""

    name: str

    async def sign(self, ticket: Ticket, command: str, /) -> Signature | None:
        """A signature for one request of a session; None when there is none to be had now."""

    def judged(self, verdict: Verdict) -> bool:
        """Learn how the request signed last fared; whether its health changed."""


class Signed:
    """Signs with the profile's constants and a device id, in the name of the session's persona."""

    name = "signed"

    def __init__(self, entry: Entry, profile: Profile, clock: Callable[[], float]) -> None:
        self._entry = entry
        self._profile = profile
        self._clock = clock
        self._next_number = self._reserved = 0
        self._refused = 0
        self._retry_at = 0.0

    @property
    def is_able(self) -> bool:
        """Whether all that it needs of the operator is there."""
        return can_sign(self._profile.signing) and bool(self._device_id)

    @property
    def is_refused(self) -> bool:
        """Whether the upstream refuses what it signs."""
        return self._refused >= _FALL_BACK

    @property
    def is_dead(self) -> bool:
        """Whether it was refused too often to be tried again."""
        return not self.is_able or self._refused >= _DEAD

    async def sign(
        self, ticket: Ticket, _command: str, /, *, even_so: bool = False
    ) -> Signature | None:
        """See `Strategy`; `even_so`: also while it rests.

        Raises:
            UnavailableError: request numbers cannot be reserved now.
        """
        resting = self.is_refused and self._clock() < self._retry_at and not even_so
        if ticket.blaze_id is None or not self.is_able or resting:
            return None
        number = await self._number()
        auth = sign(self._profile.signing, request_id=number, blaze_id=ticket.blaze_id)
        return Signature(auth, self._device_id)

    def judged(self, verdict: Verdict) -> bool:
        """See `Strategy`."""
        now = self._clock()
        if verdict.action is Action.OK:
            self._entry.tally.accept("signing", now)
            changed, self._refused = self._refused > 0, 0
            return changed
        if verdict.reason != _GUILTY:
            return False
        self._entry.tally.refuse("signing", verdict.reason, now)
        self._refused += 1
        rest = _REST * 2.0 ** max(0, self._refused - _FALL_BACK)
        self._retry_at = now + min(rest, _LONGEST_REST)
        return True

    @property
    def _device_id(self) -> Secret:
        return self._entry.credentials.device_id or Secret(self._profile.wal.device_id)

    async def _number(self) -> int:
        if self._next_number >= self._reserved:
            credentials = await self._entry.change(
                lambda credentials: replace(
                    credentials, next_request_id=credentials.next_request_id + _BLOCK
                )
            )
            self._reserved = credentials.next_request_id
            self._next_number = self._reserved - _BLOCK
        number = self._next_number
        self._next_number += 1
        return number


class Bundles:
    """Takes the message auth of captured requests, in turn."""

    name = "bundles"

    def __init__(self, entry: Entry, clock: Callable[[], float]) -> None:
        self._entry = entry
        self._clock = clock
        self._loaded: Credentials = entry.credentials
        self._pool = Pool(entry.credentials, entry.tally)
        self._last: tuple[str, str, Ticket] | None = None

    def pool(self) -> Pool:
        """The bundles as the vault and this process know them."""
        if self._loaded is not self._entry.credentials:
            self._loaded = self._entry.credentials
            self._pool.load(self._loaded)
        return self._pool

    async def sign(self, ticket: Ticket, command: str, /) -> Signature | None:
        """See `Strategy`."""
        bundle = self.pool().pick(ticket, now=self._clock())
        if bundle is None:
            return None
        self._last = bundle.id, command, ticket
        auth = MessageAuth(bundle.auth_code.reveal(), bundle.auth_data.reveal(), bundle.auth_type)
        return Signature(auth, bundle.device_id)

    def judged(self, verdict: Verdict) -> bool:
        """See `Strategy`."""
        if self._last is None:
            return False
        (bundle, command, ticket), pool, now = self._last, self.pool(), self._clock()
        if verdict.action is Action.OK:
            return pool.accepted(bundle, command, ticket, now=now)
        if verdict.reason == _GUILTY:
            pool.refused(bundle, command, reason=verdict.reason, now=now)
        elif verdict.reason not in _SUSPECT or not pool.rejected(
            bundle, command, ticket, reason=verdict.reason, now=now
        ):
            return False
        _log.warning(
            "auth.bundle_rests", account=self._entry.account, bundle=bundle, reason=verdict.reason
        )
        return True


class Signer:
    """Picks the strategy of each request: signed, as long as the upstream takes it.

    Refused twice in a row for its signature, it gives way to bundles, is tried again after a rest
    of 15 minutes, doubled up to a day, and comes back when it is accepted.

    Args:
        entry: the account's credentials.
        profile: signing constants.
        clock: Unix seconds.
        on_strategy: told why bundles are used in place of signing, and "" when it works again.
    """

    def __init__(
        self,
        *,
        entry: Entry,
        profile: Profile,
        clock: Callable[[], float],
        on_strategy: Callable[[str], None],
    ) -> None:
        self._entry = entry
        self._signed = Signed(entry, profile, clock)
        self._bundles = Bundles(entry, clock)
        self._on_strategy = on_strategy
        self._used: Strategy | None = None
        self._told = ""

    @property
    def strategy(self) -> str:
        """``signed`` or ``bundles``: what the last request used, or the next would try first."""
        if self._used is not None:
            return self._used.name
        return (self._signed if self._signed.is_able else self._bundles).name

    @property
    def pool(self) -> Pool:
        """The account's bundles."""
        return self._bundles.pool()

    async def sign(self, ticket: Ticket, *, command: str) -> Signature:
        """Message auth for one request of a session.

        Args:
            ticket: the session.
            command: wire name of what is asked.

        Raises:
            RefusedError: no strategy is left.
            UnavailableError: not now; a login or time will help.
        """
        for strategy in (self._signed, self._bundles):
            if (signature := await strategy.sign(ticket, command)) is not None:
                return self._using(strategy, signature)
        resting = self._bundles.pool().has_resting(ticket)
        if self._signed.is_able and ticket.blaze_id is None:
            # A captured session does not tell its persona; a login does.
            raise UnavailableError(verdict("session_rejected", "its persona is not known"))
        if resting:
            raise UnavailableError(verdict("bundles_resting"))
        if not self._signed.is_dead:  # refused, but all there is
            signature = await self._signed.sign(ticket, command, even_so=True)
            assert signature is not None
            return self._using(self._signed, signature)
        if self._signed.is_able:
            both = "the signing constants are refused, and no captured bundle is usable"
            message = f"no request can be signed: {both}"
            raise RefusedError(verdict("no_signature", message=message, exit_code=_AUTH))
        raise RefusedError(verdict("no_signature"))

    async def judged(self, verdict: Verdict) -> None:
        """Learn what the last reply meant; changed health is written down."""
        if self._used is None:
            return
        changed = self._used.judged(verdict)
        if self._used is self._signed and not self._signed.is_refused:
            self._tell("")
        await self._entry.record(now=changed)

    def _using(self, strategy: Strategy, signature: Signature) -> Signature:
        self._used = strategy
        if strategy is self._bundles and self._signed.is_refused:
            self._tell("the signing constants are refused; captured bundles are used")
        return signature

    def _tell(self, reason: str) -> None:
        if reason == self._told:
            return
        self._told = reason
        _log.warning(
            "auth.strategy_changed",
            account=self._entry.account,
            strategy=self.strategy,
            reason=reason or "signing is accepted again",
        )
        self._on_strategy(reason)
