"""The rebuild of an account: captures in, dead bundles out, tokens renewed, a report back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import structlog
from anyio import to_thread

from m26.auth.credentials import Credentials
from m26.auth.folder import Import, import_all
from m26.auth.origins import asked
from m26.auth.report import Forecast, bundle_state, forecast
from m26.auth.tokens import refresh
from m26.auth.vault import Vault
from m26.config import Upstream
from m26.errors import M26Error, TransportError
from m26.upstream.client import GatewayClient
from m26.upstream.profile import Profile
from m26.upstream.verdicts import RefusedError, UnavailableError

_MOST_RETIRED = 1_000
_YOUNG = 86_400.0
"""Seconds: a pair younger than that was renewed by a running m26, or comes from a new login."""

_log = structlog.get_logger(__name__)


async def _ignore(_failure: M26Error) -> None:
    """The default: a renewal that failed is only in the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What a rebuild did for one account."""

    account: str
    platform: str | None
    """None when there is no such account and no capture made it."""
    captures: tuple[Import, ...]
    changes: tuple[str, ...] = ()
    """What the captures brought that was not known, in words; free of secrets."""
    bundles_added: int = 0
    bundles_dropped: int = 0
    bundles_usable: int = 0
    tokens: str = "none"
    """``renewed``, ``young``, ``kept`` (not asked for), ``refused``, ``failed`` or ``none``."""
    tokens_detail: str = ""
    forecast: Forecast | None = None


async def rebuild(  # noqa: PLR0913 - a connection, what holds it back and how it is told
    account: str,
    files: Iterable[Path],
    *,
    vault: Vault,
    profile: Profile,
    client: GatewayClient,
    spend: Callable[[str], Awaitable[None]],
    clock: Callable[[], float],
    renew: bool | None = None,
    stopped: str | None = None,
    keep: bool = False,
    on_failure: Callable[[M26Error], Awaitable[None]] = _ignore,
) -> Rebuilt:
    """Import an account's captures, drop its dead bundles, renew its tokens.

    Safe beside a collector of the same home: the vault's lock guards each step, the renewal's
    lock the one request, and both spend from the same book.

    Args:
        account: its name; one that the vault does not have is made by a capture.
        files: captures.
        vault: of the home.
        profile: of the account's upstream.
        client: carries the refresh call.
        spend: waits for a slot of the account's budget.
        clock: Unix seconds.
        renew: whether tokens are renewed; None: when they are older than a day.
        stopped: why nothing may be asked now, if that is so.
        keep: leave the captures that were taken over where they are.
        on_failure: told why tokens could not be renewed, when that was tried.

    Raises:
        StorageError: the vault could not be written; it is as it was after the last step.
    """
    before = vault.read(account) if account in vault.accounts() else None
    origins = (client.origins, asked(profile, Upstream()))
    captures = await import_all(
        account, files, vault=vault, profile=profile, origins=origins, keep=keep, now=clock()
    )
    if account not in vault.accounts():
        return Rebuilt(account=account, platform=None, captures=captures)
    imported = await to_thread.run_sync(vault.read, account)
    changes = _changes(before, imported)
    credentials = await to_thread.run_sync(
        vault.change, account, lambda credentials: without_dead(credentials, now=clock())
    )
    dropped = {b.id for b in imported.bundles} - {b.id for b in credentials.bundles}
    known = {b.id for b in before.bundles} if before else set()
    tokens, detail = await _renewed(
        account,
        credentials,
        renew=renew,
        stopped=stopped,
        now=clock(),
        on_failure=on_failure,
        ask=partial(
            refresh,
            account=account,
            vault=vault,
            client=client,
            profile=profile,
            spend=spend,
            clock=clock,
        ),
    )
    credentials = await to_thread.run_sync(vault.read, account)
    states = [bundle_state(bundle, credentials, now=clock()) for bundle in credentials.bundles]
    return Rebuilt(
        account=account,
        platform=credentials.platform,
        captures=captures,
        changes=changes,
        bundles_added=len({b.id for b in credentials.bundles} - known),
        bundles_dropped=len(dropped & known),
        bundles_usable=states.count("ok"),
        tokens=tokens,
        tokens_detail=detail,
        forecast=forecast(credentials, profile, now=clock()),
    )


def without_dead(credentials: Credentials, *, now: float) -> Credentials:
    """The credentials without bundles that are over, or were dropped before.

    When bundles end is an estimate: where none would be left, the newest that is not dead stays.
    """
    states = {b.id: bundle_state(b, credentials, now=now) for b in credentials.bundles}
    dropped = {b.id for b in credentials.bundles if b.id in credentials.retired_bundles}
    over = dropped | {id_ for id_, state in states.items() if state in ("dead", "expired")}
    if len(over) == len(states):
        expired = [
            b for b in credentials.bundles if states[b.id] == "expired" and b.id not in dropped
        ]
        over -= {b.id for b in sorted(expired, key=lambda bundle: bundle.captured_at)[-1:]}
    return without(credentials, over) if over else credentials


def without(credentials: Credentials, ids: Collection[str]) -> Credentials:
    """The credentials without these bundles; an old capture does not bring them back."""
    retired = dict.fromkeys((*credentials.retired_bundles, *ids))
    return replace(
        credentials,
        bundles=tuple(bundle for bundle in credentials.bundles if bundle.id not in ids),
        retired_bundles=tuple(retired)[-_MOST_RETIRED:],
    )


async def _renewed(
    account: str,
    credentials: Credentials,
    *,
    renew: bool | None,
    stopped: str | None,
    now: float,
    on_failure: Callable[[M26Error], Awaitable[None]],
    ask: Callable[..., Awaitable[object]],
) -> tuple[str, str]:
    """What became of the tokens, and why."""
    tokens = credentials.tokens
    if tokens is None or tokens.refresh is None:
        return "none", "there is no refresh token"
    if renew is None and 0 <= now - tokens.obtained_at < _YOUNG:
        return "young", "renewed within the last day"
    if renew is False or stopped is not None:
        return "kept", stopped or "not asked to renew them"
    try:
        await ask(replaced=tokens)
    except (RefusedError, UnavailableError, TransportError) as error:
        _log.warning("rebuild.tokens_not_renewed", account=account, error=error.message)
        await on_failure(error)
        return "refused" if isinstance(error, RefusedError) else "failed", error.message
    return "renewed", ""


def _changes(before: Credentials | None, after: Credentials) -> tuple[str, ...]:
    old = before or Credentials(platform=after.platform)
    parts: Mapping[str, tuple[object, object]] = {
        "client id": (old.client_id, after.client_id),
        "client secret": (old.client_secret, after.client_secret),
        "device id": (old.device_id, after.device_id),
        "tokens": (old.tokens, after.tokens),
        "session": (old.ticket, after.ticket),
    }
    return tuple(
        f"{what}: {'changed' if earlier else 'new'}"
        for what, (earlier, later) in parts.items()
        if later is not None and earlier != later
    )
