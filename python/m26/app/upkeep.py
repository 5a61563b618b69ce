"""Upkeep of credentials outside a run: settings in; logins and rebuilds by each account's book."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog
from anyio.to_thread import run_sync

from m26.app.accounts import SIMULATED, chosen_profile, load_profile
from m26.app.outgoing import budget_of, gateway, written_down
from m26.auth.credentials import Credentials
from m26.auth.folder import CAPTURES, captures_of
from m26.auth.login import Grant, Login, redeem
from m26.auth.origins import admit
from m26.auth.rebuild import Rebuilt, rebuild
from m26.auth.vault import Vault
from m26.clock import Clock, iso
from m26.config import Settings
from m26.errors import AuthError, M26Error, TransportError, UpstreamError, UsageError
from m26.home.stops import read_stops
from m26.limits.budget import Budget
from m26.limits.halt import Halt, StoppedError
from m26.limits.standing import Standing
from m26.status.conditions import Status
from m26.upstream.client import GatewayClient
from m26.upstream.profile import Profile
from m26.upstream.replies import classify_transport
from m26.upstream.verdicts import Action, RefusedError, UnavailableError

_PATIENCE = 900.0
"""Longest wait for one request that a person is asked to accept, seconds."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """What a rebuild of a home did."""

    accounts: tuple[Rebuilt, ...]
    problems: tuple[str, ...]
    """What is wrong with the folder of captures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What asks for an account: it spends by the same book as a collector, and is as careful."""

    account: str
    client: GatewayClient
    vault: Vault
    allow: Collection[str]
    """Hosts that may have its credentials, by the operator's word."""
    budget: Budget
    halt: Halt
    clock: Clock

    async def spend(self, call: str) -> None:
        """Wait for a slot of the budget.

        Raises:
            ConfigError: the account's credentials are for other servers than it would go to.
        """
        to = partial(admit, self.vault, self.account, self.client.origins, allow=self.allow)
        await run_sync(to)
        await self.budget.spend(call)

    async def failed(self, error: M26Error) -> None:
        """What a failure means for all: its pause into the book, its STOP into ``stop.json``.

        A STOP of this account's own credentials is left to the collector, which may go on with
        the session that it has.

        Raises:
            StorageError: it cannot be written down.
        """
        if isinstance(error, TransportError):
            verdict = classify_transport(error)
        elif isinstance(error, RefusedError | UnavailableError):
            verdict = error.verdict
        else:
            return
        left_alone = isinstance(error, StoppedError) or verdict.scope == "account"
        if left_alone or verdict.action not in (Action.PAUSE, Action.STOP):
            return
        standing = Standing(self.budget.book, clock=self.clock.time)
        step = await standing.step(verdict)
        if verdict.slow_down:
            await run_sync(self.budget.slow_down, verdict.slow_down)
        if step.action is Action.STOP:
            await self.halt.stop(self.account, verdict)
            await standing.stopped(verdict.reason)


def profile_of(platform: str | None, chosen: Profile) -> Profile:
    """The profile that a platform is for: the simulator's is of no real one."""
    return load_profile(SIMULATED, Path()) if platform == SIMULATED else chosen


@asynccontextmanager
async def asking(
    settings: Settings,
    *,
    account: str,
    platform: str,
    profile: Profile,
    allow: Collection[str] = (),
    clock: Clock,
) -> AsyncIterator[Desk]:
    """A connection of an account, with its budget and what holds it back."""
    budget = _budget(account, profile, settings, clock)
    given = settings.upstream
    outgoing = gateway(
        profile, platform, oauth_url=given.oauth_url, base_url=given.base_url, clock=clock
    )
    async with outgoing as client, written_down(budget, account=account):
        halt = Halt(settings.home, Status(clock=clock.time), ends=True, clock=clock.time)
        vault = Vault.open(settings.home, settings.vault)
        yield Desk(
            account=account,
            client=client,
            vault=vault,
            allow=allow,
            budget=budget,
            halt=halt,
            clock=clock,
        )


def check_room(settings: Settings, login: Login, clock: Clock) -> None:
    """Whether a login can be ended soon; asked before a person begins one.

    Raises:
        UpstreamError: the account's budget has no room for it for a long time.
    """
    profile = profile_of(login.platform, chosen_profile(settings))
    full = _full(_budget(login.account, profile, settings, clock), clock)
    if full is not None:
        raise UpstreamError(f"not now: {full}", hint="See: m26 status. Log in after that.")


async def log_in(
    grant: Grant, login: Login, *, settings: Settings, vault: Vault, clock: Clock
) -> Credentials:
    """Trade the code of a login for tokens that are in the vault; errors as in `auth.login`."""
    profile = profile_of(login.platform, chosen_profile(settings))
    async with asking(
        settings, account=login.account, platform=login.platform, profile=profile, clock=clock
    ) as desk:
        try:
            return await redeem(
                grant,
                login,
                profile=profile,
                client=desk.client,
                vault=vault,
                spend=desk.budget.spend,  # a STOP does not keep a person from logging in
                clock=clock.time,
            )
        except M26Error as error:
            await desk.failed(error)
            raise


async def rebuild_home(
    settings: Settings,
    vault: Vault,
    *,
    captures: Path | None = None,
    only: str | None = None,
    renew: bool | None = None,
    allow: Collection[str] = (),
    keep: bool = False,
    clock: Clock | None = None,
) -> Upkeep:
    """Rebuild the credentials of every account, one account after the other.

    While a STOP holds nothing is asked: captures are imported and dead bundles dropped.

    Args:
        settings: of this process.
        vault: of the home.
        captures: folder to import; None: the home's, which is made when it is not there.
        only: this account alone.
        renew: whether tokens are renewed; None: when they are older than a day.
        allow: hosts that may have credentials, by the operator's word; it is remembered.
        keep: leave the captures that were taken over where they are.
        clock: in place of the machine's.

    Raises:
        UsageError: there is no such folder.
        AuthError: there is no account, or not the one asked for.
        ConfigError: tokens would be sent to servers that they are not for.
        StorageError: the vault or a budget could not be written.
    """
    clock = clock or Clock()
    folder = captures or settings.home / CAPTURES
    chosen = chosen_profile(settings)
    async with vault.rebuilding(lambda: _log.warning("rebuild.waits", reason="another one is on")):
        accounts = [n for n in vault.accounts() if n != SIMULATED or chosen.name == SIMULATED]
        try:
            if captures is None:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found, problems = captures_of(folder, accounts, only=only)
        except OSError as error:
            raise UsageError(
                f"cannot read {folder}: {error.strerror}",
                hint="Give the folder that captures are put in: --captures FOLDER",
            ) from None
        if only is not None and not found:
            vault.read(only)  # says that there is no such account, and which there are
        if not found:
            raise AuthError(
                f"no account in the vault and no capture in {folder}",
                hint="Put a capture there, or run: m26 auth import FILE",
            )
        done = [
            await _rebuild(
                name, files, settings, vault, renew=renew, allow=allow, keep=keep, clock=clock
            )
            for name, files in found.items()
        ]
    return Upkeep(accounts=tuple(done), problems=problems)


async def _rebuild(
    account: str,
    files: tuple[Path, ...],
    settings: Settings,
    vault: Vault,
    *,
    renew: bool | None,
    allow: Collection[str],
    keep: bool,
    clock: Clock,
) -> Rebuilt:
    platform = vault.read(account).platform if account in vault.accounts() else None
    profile = profile_of(platform, chosen_profile(settings))
    async with asking(
        settings,
        account=account,
        platform=platform or profile.platforms[0],
        profile=profile,
        allow=allow,
        clock=clock,
    ) as desk:
        stops = [stop for stop in read_stops(settings.home) if stop.holds_for(account)]
        stopped = f"requests are stopped: {stops[0].reason}" if stops else _full(desk.budget, clock)
        return await rebuild(
            account,
            files,
            vault=vault,
            profile=profile,
            client=desk.client,
            spend=desk.halt.guarded(account, desk.spend),
            clock=clock.time,
            renew=renew,
            stopped=stopped,
            keep=keep,
            on_failure=desk.failed,
        )


def _budget(account: str, profile: Profile, settings: Settings, clock: Clock) -> Budget:
    return budget_of(account, profile, settings, clock=clock, on_wait=partial(_waiting, account))


def _full(budget: Budget, clock: Clock) -> str | None:
    """Why a request would have to wait too long for a person; None when it would not."""
    next_at = budget.outlook().next_at
    if next_at - clock.time() <= _PATIENCE:
        return None
    return f"the account's budget has no room before {iso(next_at)}"


def _waiting(account: str, reason: str, until: float) -> None:
    if reason:
        _log.warning("budget.waits", account=account, reason=reason, until=iso(until))
