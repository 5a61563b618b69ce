"""Whom a run collects for: which profile, which accounts, and the simulator where there is none."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from m26.app import simulator
from m26.auth.intake import import_capture
from m26.auth.origins import SHIPPED, above, admit, asked, check, of_platform
from m26.auth.vault import Vault
from m26.clock import Clock
from m26.config import Settings
from m26.errors import AuthError, ConfigError
from m26.models import Account
from m26.upstream.origin import host
from m26.upstream.profile import BudgetLimits, Profile

SIMULATED = "sim"
"""Name of the simulator's profile, its platform and its account."""
_BUILT_IN = "the built-in simulator"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Assignment:
    """Whom a run collects for, and where: settled at its start."""

    profile: Profile
    accounts: tuple[Account, ...]
    oauth_url: str | None
    base_url: str | None
    is_simulator: bool = False


def hosts(profile: Profile, settings: Settings) -> list[str]:
    """Whom a profile's requests go to under the operator's settings, the token service first."""
    given = settings.upstream
    urls = given.oauth_url or profile.oauth.base_url, given.base_url or profile.wal.base_url
    return list(dict.fromkeys(map(host, urls)))


def whom(profile: Profile, settings: Settings) -> list[str]:
    """`hosts` of a run, of which the built-in simulator has none before it starts."""
    return [_BUILT_IN] if _is_built_in(profile, settings) else hosts(profile, settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Whom a run would ask, before it does."""

    hosts: list[str]
    refused: list[ConfigError]
    """Why accounts would not be used: their credentials are for others."""
    limits: list[str]
    """Which limits are above the shipped profile's."""


def outlook(
    settings: Settings, vault: Vault, *, only: str | None = None, allow: Collection[str] = ()
) -> Outlook:
    """What a run would ask whom. Errors as in `profile_name` and `Profile.load`."""
    profile, refused = _profile(settings, vault), list[ConfigError]()
    shown = whom(profile, settings)
    if _is_built_in(profile, settings):
        return Outlook(hosts=shown, refused=refused, limits=[])
    to = asked(profile, settings.upstream)
    for account in _names(vault, profile, only):
        try:
            check(vault, account, to, allow=allow)
        except ConfigError as error:
            refused.append(error)
    return Outlook(hosts=shown, refused=refused, limits=above(profile, to))


def budget_limits(profile: Profile, settings: Settings) -> BudgetLimits:
    """The profile's limits under the operator's."""
    return replace(profile.budget, **settings.budget.model_dump(exclude_none=True))


def due_seconds(profile: Profile, settings: Settings, clock: Clock) -> float:
    """Within how many seconds of the machine the next page is due to be stored."""
    return 30 + 3 * 86_400 / budget_limits(profile, settings).per_day / clock.speed


def profile_name(settings: Settings, vault: Vault) -> str:
    """The profile that a run uses.

    Raises:
        AuthError: there is no account, but servers are given: demo rows must not get into them.
    """
    if settings.profile is not None:
        return settings.profile
    if any(name != SIMULATED for name in vault.accounts()):
        return SHIPPED
    given = settings.postgres.dsn is not None or settings.redis.url is not None
    if given and not vault.accounts():
        raise AuthError(
            f"no account in the vault of {settings.home}, but a database is configured",
            hint="Run `m26 auth import capture.har`, or set M26_PROFILE=sim to store a demo there, "
            "or check M26_HOME.",
        )
    return SIMULATED


def load_profile(name: str, home: Path) -> Profile:
    """A profile by name; the operator's overlay is for the real upstream, not for the simulator."""
    return Profile.load(name, home=None if name == SIMULATED else home)


def chosen_profile(settings: Settings) -> Profile:
    """The profile of real accounts, with the operator's overlay."""
    return load_profile(settings.profile or SHIPPED, settings.home)


def admit_hosts(settings: Settings, allow: Collection[str], *, only: str | None = None) -> None:
    """Keep the operator's word that the accounts of a run may send their credentials to some hosts.

    Raises:
        AuthError, ConfigError: as `assignment`.
        UsageError: a run would send nothing to one of them.
    """
    vault = Vault.open(settings.home, settings.vault)
    profile = _profile(settings, vault)
    for account in _accounts(settings, vault, profile, only):
        admit(vault, account.name, asked(profile, settings.upstream), allow=allow)


def assignment(settings: Settings, vault: Vault, *, only: str | None = None) -> Assignment:
    """Profile and accounts of a run, as the settings and the vault have them now.

    Args:
        settings: of this process.
        vault: of its home.
        only: collect for this account alone.

    Raises:
        AuthError: there is no account, or not the one asked for.
        ConfigError: the account's platform is not one of the profile's, or the account asked for
            is not the simulator's.
    """
    profile, given = _profile(settings, vault), settings.upstream
    if not _is_built_in(profile, settings):
        accounts = _accounts(settings, vault, profile, only)
        return Assignment(profile, accounts, given.oauth_url, given.base_url)
    if only not in (None, SIMULATED):
        vault.read(only)  # is there one?
        raise ConfigError(
            f"account {only!r} is not the built-in simulator's, which profile {SIMULATED!r} uses",
            hint="Leave out --account, or set M26_PROFILE to the profile of this account.",
        )
    account = Account(SIMULATED, SIMULATED)
    return Assignment(profile, (account,), None, None, is_simulator=True)


def admit_all(assigned: Assignment, settings: Settings, vault: Vault) -> None:
    """Let the credentials of a run's accounts go to its servers, if they are for them.

    Raises:
        ConfigError: they are for others.
    """
    if assigned.is_simulator:
        return
    to = asked(assigned.profile, settings.upstream)
    for account in assigned.accounts:
        admit(vault, account.name, to)
    for sentence in above(assigned.profile, to):
        _log.warning("profile.limits", reason=sentence)


@asynccontextmanager
async def upstream(
    assigned: Assignment, settings: Settings, vault: Vault
) -> AsyncIterator[Assignment]:
    """The assignment with its upstream there to be asked: the simulator runs if it is the one.

    Raises:
        StorageError: the simulator does not start.
    """
    if not assigned.is_simulator:
        yield assigned
        return
    async with simulator.running(settings.home) as running:
        import_capture(
            vault,
            running.capture,
            account=SIMULATED,
            platform=SIMULATED,
            origins=[of_platform(SIMULATED)],
        )
        yield replace(assigned, oauth_url=running.url, base_url=running.url)


def _profile(settings: Settings, vault: Vault) -> Profile:
    return load_profile(profile_name(settings, vault), settings.home)


def _is_built_in(profile: Profile, settings: Settings) -> bool:
    return profile.name == SIMULATED and settings.upstream.base_url is None


def _names(vault: Vault, profile: Profile, only: str | None) -> tuple[str, ...]:
    if only is not None:
        return (only,)
    if profile.name == SIMULATED:
        return tuple(vault.accounts())
    return tuple(name for name in vault.accounts() if name != SIMULATED)  # left by an earlier demo


def _accounts(
    settings: Settings, vault: Vault, profile: Profile, only: str | None
) -> tuple[Account, ...]:
    names = _names(vault, profile, only)
    if not names:
        raise AuthError("no account in the vault", hint="Import one: m26 auth import capture.har")
    found = []
    for name in names:
        platform = vault.read(name).platform
        if len(names) == 1 and settings.platform is not None:
            platform = settings.platform
        if platform not in profile.platforms:
            raise ConfigError(
                f"account {name!r} is for platform {platform!r}, which profile {profile.name!r}"
                " does not have",
                hint=f"Its platforms: {', '.join(profile.platforms)}. Set M26_PROFILE, or import "
                "the account again with --platform.",
            )
        found.append(Account(name, platform))
    return tuple(found)
