"""Whom credentials are for: an account and two servers in, leave to send or a refusal out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Final

from m26 import config
from m26.auth.credentials import Credentials
from m26.auth.vault import Vault
from m26.errors import ConfigError, UsageError
from m26.upstream.origin import LOOPBACK, Origins, origin
from m26.upstream.profile import Profile

SHIPPED: Final = "madden26"
"""The profile of real accounts. One that is chosen may be anybody's."""
_SIMULATED = "sim"


def asked(profile: Profile, given: config.Upstream) -> Origins:
    """Whom requests would go to.

    Raises:
        ConfigError: a base URL that secrets must not go to.
    """
    return Origins.of(
        given.oauth_url or profile.oauth.base_url, given.base_url or profile.wal.base_url
    )


def known(profile: Profile, given: config.Upstream) -> tuple[Origins, ...]:
    """Whose requests a capture may show: of those we would ask, and of the profile's."""
    return asked(profile, given), asked(profile, config.Upstream())


def bound(credentials: Credentials) -> Origins:
    """Whom credentials are for; where the vault does not say, the shipped profile's servers."""
    return credentials.origins or of_platform(credentials.platform)


def of_platform(platform: str) -> Origins:
    """Whom the credentials of a new account are for, before a capture says so."""
    if platform == _SIMULATED:
        return Origins(oauth=LOOPBACK, gateway=LOOPBACK)
    return asked(Profile.load(SHIPPED), config.Upstream())


def of_capture(
    shown: tuple[str, str], known: Sequence[Origins], base: Credentials | None
) -> Origins | None:
    """Whom an account is for that gets a capture's credentials; None where they do not mix.

    Args:
        shown: the capture's token service and gateway; empty where it shows no such call: then the
            other one tells.
        known: servers that captures may be of.
        base: what the account has; None for a new one.
    """
    allowed = base.allowed if base else ()

    def fits(whose: Origins) -> bool:
        pairs = zip(shown, (whose.oauth, whose.gateway), strict=True)
        return all(seen in ("", own, *allowed) for seen, own in pairs)

    if base is not None and (known or base.origins):
        return bound(base) if fits(bound(base)) else None
    this_machine = Origins(oauth=LOOPBACK, gateway=LOOPBACK)
    oauth, gateway = shown
    as_shown = Origins(oauth=oauth or gateway, gateway=gateway or oauth)
    return next(filter(fits, (*known, this_machine)), as_shown)


def admit(vault: Vault, account: str, to: Origins, *, allow: Collection[str] = ()) -> None:
    """Let an account's credentials go to two servers; a word for other ones than its own is kept.

    Args:
        vault: of the home.
        account: one of its accounts.
        to: whom they would be sent to.
        allow: hosts that may have them, by the operator's word.

    Raises:
        ConfigError: they are for others, and there is no word.
        UsageError: a word for a host that nothing would be sent to.
    """
    foreign = check(vault, account, to, allow=allow)
    if foreign or vault.read(account).origins is None:
        vault.change(
            account,
            lambda now: replace(now, origins=bound(now), allowed=(*now.allowed, *foreign)),
        )


def check(
    vault: Vault, account: str, to: Origins, *, allow: Collection[str] = ()
) -> Collection[str]:
    """What `admit` would add to the servers that an account's credentials may go to; errors too."""
    credentials = vault.read(account)
    foreign = refused(credentials, to)
    _have_words(account, bound(credentials), foreign, to, allow)
    return foreign


def admit_new(account: str, platform: str, to: Origins, *, allow: Collection[str] = ()) -> None:
    """Let a new account log in at two servers: the shipped profile's, this machine's, or by a word.

    Raises:
        ConfigError, UsageError: as `admit`.
    """
    own = of_platform(platform)
    foreign = [each for each in to if each not in (*own, LOOPBACK)]
    _have_words(account, own, foreign, to, allow)


def _have_words(
    account: str, own: Origins, foreign: Collection[str], to: Origins, allow: Collection[str]
) -> None:
    words = {origin(word if "://" in word else f"https://{word}"): word for word in allow}
    for said, word in words.items():
        if said not in (*to, *own):
            raise UsageError(
                f"nothing would be sent to {word}, but to {to}", hint="Correct --allow-host."
            )
    if missing := [each for each in foreign if each not in words]:
        raise not_for(account, own, missing)


def refused(credentials: Credentials, to: Origins) -> list[str]:
    """Of two servers those that credentials are not for."""
    return [each for each in to if each not in (*bound(credentials), *credentials.allowed)]


def not_for(account: str, own: Origins, others: Iterable[str]) -> ConfigError:
    """What is said where credentials would go to servers that they are not for."""
    others = [*others]
    words = " ".join(f"--allow-host {each.removeprefix('https://')}" for each in others)
    return ConfigError(
        f"the credentials of account {account!r} are for {own}, "
        f"not for {' and '.join(others)}: nothing was sent",
        hint="Check M26_PROFILE and M26_UPSTREAM__*. If those servers may have your tokens, add to "
        f"the command, once for all: {words}",
    )


def above(profile: Profile, to: Origins) -> list[str]:
    """Limits of a profile that are higher than the shipped one's, as sentences."""
    if set(to) == {LOOPBACK}:
        return []  # the simulator's are no risk to anybody
    shipped = Profile.load(SHIPPED).budget
    return [
        f"profile {profile.name!r} allows {value:,} requests {name.replace('_', ' ')}, "
        f"the shipped one {getattr(shipped, name):,}"
        for name in ("per_day", "per_minute", "burst")
        if (value := getattr(profile.budget, name)) > getattr(shipped, name)
    ]
