"""Token refresh: the old pair goes out, the new one is in the vault before anyone uses it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import anyio
import structlog
from anyio import to_thread

from m26.auth.credentials import Credentials, Tokens
from m26.auth.vault import Vault
from m26.errors import TransportError
from m26.upstream.answers import TokenAnswer, read_tokens
from m26.upstream.client import GatewayClient
from m26.upstream.commands import refresh_form
from m26.upstream.profile import Profile
from m26.upstream.rules import verdict
from m26.upstream.secret import Secret
from m26.upstream.verdicts import Action, RefusedError, UnavailableError

_NEVER_SENT = ("unreachable", "certificate")
_FINAL = "login_again"
"""The token itself is refused; other refusals end with a corrected profile and `m26 resume`."""

log = structlog.get_logger(__name__)


async def refresh(
    *,
    account: str,
    replaced: Tokens,
    vault: Vault,
    client: GatewayClient,
    profile: Profile,
    spend: Callable[[str], Awaitable[None]],
    clock: Callable[[], float],
) -> Tokens:
    """Get a new pair in place of `replaced`, or the one that another process got meanwhile.

    Exactly one call is made. That it is under way is written down before it leaves, so that even
    a kill leaves a trace; the new pair is written down before it is returned.

    Raises:
        RefusedError: no refresh is possible until the operator logs in again.
        UnavailableError: the token service failed; the old pair stays.
        TransportError: no whole answer came.
    """
    form(await _read(vault, account), profile)  # refuse before a budget slot is spent
    await spend("token")
    async with vault.renewing(account):
        held = await _read(vault, account)
        if held.tokens is not None and held.tokens.access != replaced.access:
            return held.tokens
        fields = form(held, profile)
        # A cancelled refresh could lose the only valid token: it ends within the call's deadline.
        with anyio.CancelScope(shield=True):
            tokens = await _call(account, held, fields, vault, client, clock)
    return tokens


def form(held: Credentials, profile: Profile) -> dict[str, str]:
    """Fields of the refresh call.

    Raises:
        RefusedError: something is missing, or the token service would only refuse.
    """
    if held.tokens is None or held.tokens.refresh is None:
        raise RefusedError(verdict("no_credentials"))
    if held.refresh_dead is not None:
        raise RefusedError(verdict(held.refresh_dead))
    client_id = held.client_id or Secret(profile.oauth.client_id)
    client_secret = held.client_secret or Secret(profile.oauth.client_secret)
    if not client_id or not client_secret:
        raise RefusedError(verdict("no_client"))
    return refresh_form(
        profile,
        client_id=client_id,
        client_secret=client_secret,
        refresh_token=held.tokens.refresh,
    )


async def _call(
    account: str,
    held: Credentials,
    fields: dict[str, str],
    vault: Vault,
    client: GatewayClient,
    clock: Callable[[], float],
) -> Tokens:
    before = held.refreshes_unanswered
    await _save(vault, account, refreshes_unanswered=before + 1)
    try:
        reply = await client.token(fields)
    except TransportError as error:
        if getattr(error, "reason", "") in _NEVER_SENT:
            await _save(vault, account, refreshes_unanswered=before)
        raise
    answer = read_tokens(reply)
    if isinstance(answer, TokenAnswer):
        now = clock()
        tokens = Tokens(
            access=answer.access_token,
            refresh=answer.refresh_token,
            expires_at=now + answer.expires_in,
            obtained_at=now,
        )
        await _save(vault, account, tokens=tokens, refreshes_unanswered=0)
        log.info("tokens_renewed", account=account, seconds=round(answer.expires_in))
        return tokens
    if answer.action is Action.STOP:
        refused = answer.reason if answer.reason == _FINAL else None
        await _save(vault, account, refresh_refused=refused, refreshes_unanswered=before)
        raise RefusedError(answer)
    await _save(vault, account, refreshes_unanswered=before)
    raise UnavailableError(answer)


async def _read(vault: Vault, account: str) -> Credentials:
    return await to_thread.run_sync(vault.read, account)


async def _save(vault: Vault, account: str, **changes: object) -> None:
    await to_thread.run_sync(
        vault.change,
        account,
        lambda held: replace(held, **changes),
    )
