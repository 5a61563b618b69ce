"""Message auth for one request: signed by the profile's constants, else from a captured bundle."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import structlog
from anyio import to_thread

from m26.auth.credentials import Bundle, Credentials, Ticket
from m26.auth.pool import Pool, merged
from m26.auth.vault import Vault
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
"""Reasons that may be the bundle's fault; `_GUILTY` is."""

log = structlog.get_logger(__name__)


class Signer:
    """Picks the strategy of each request and remembers which bundle the last one used.

    Args:
        account: its name in the vault.
        vault: keeps request numbers and the bundles' health.
        profile: signing constants.
        held: the account's credentials.
        clock: Unix seconds.
    """

    def __init__(
        self,
        *,
        account: str,
        vault: Vault,
        profile: Profile,
        held: Credentials,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._account = account
        self._vault = vault
        self._profile = profile
        self._clock = clock
        self._device_id = held.device_id or Secret(profile.wal.device_id)
        self._pool = Pool(held.bundles)
        self._bundle: Bundle | None = None
        self._next_number = self._reserved = 0

    def reload(self, held: Credentials) -> None:
        """Take what the vault holds now: an import may have brought bundles or a device id."""
        self._device_id = held.device_id or Secret(self._profile.wal.device_id)
        if {b.id for b in held.bundles} != {b.id for b in self._pool.bundles}:
            self._pool = Pool(held.bundles)

    async def sign(self, ticket: Ticket) -> tuple[MessageAuth, Secret]:
        """Message auth for one request of a session, and the device id that belongs to it.

        Raises:
            RefusedError: neither strategy can be used.
            UnavailableError: not now; a login or time will help.
        """
        self._bundle = None
        able = can_sign(self._profile.signing) and bool(self._device_id)
        if able and ticket.blaze_id is not None:
            number = await self._request_number()
            signature = sign(self._profile.signing, request_id=number, blaze_id=ticket.blaze_id)
            return signature, self._device_id
        bundle = self._pool.pick(now=self._clock(), blaze_id=ticket.blaze_id)
        if bundle is not None:
            self._bundle = bundle
            code, data = bundle.auth_code.reveal(), bundle.auth_data.reveal()
            return MessageAuth(code, data, bundle.auth_type), bundle.device_id
        if able:  # a captured session does not tell its persona; a login does
            raise UnavailableError(verdict("session_rejected", "its persona is not known"))
        if self._pool.has_resting:
            raise UnavailableError(verdict("bundles_resting"))
        raise RefusedError(verdict("no_signature"))

    async def judged(self, verdict: Verdict) -> None:
        """Note how the last request's bundle fared, if it used one."""
        bundle, self._bundle = self._bundle, None
        if bundle is None:
            return
        if verdict.action is Action.OK:
            changed = self._pool.succeeded(bundle)
        elif verdict.reason in _SUSPECT or verdict.reason == _GUILTY:
            surely = verdict.reason == _GUILTY
            changed = self._pool.failed(bundle, now=self._clock(), surely=surely)
            log.warning("bundle_suspect", account=self._account, reason=verdict.reason)
        else:
            return
        if changed:
            await self._update(lambda held: replace(held, bundles=merged(held, self._pool)))

    async def _request_number(self) -> int:
        if self._next_number >= self._reserved:
            held = await self._update(
                lambda held: replace(held, next_request_id=held.next_request_id + _BLOCK)
            )
            self._reserved = held.next_request_id
            self._next_number = self._reserved - _BLOCK
        number = self._next_number
        self._next_number += 1
        return number

    async def _update(self, change: Callable[[Credentials], Credentials]) -> Credentials:
        return await to_thread.run_sync(self._vault.change, self._account, change)
