"""Captures into the vault: a file in, what was new in it out, and what the account still lacks."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from m26.auth.credentials import Bundle, Credentials, Ticket, Tokens
from m26.auth.extract import Found, read_credentials
from m26.auth.missing import Missing, missing
from m26.auth.origins import bound, of_capture
from m26.auth.vault import Vault
from m26.clock import iso
from m26.errors import AuthError, UsageError
from m26.upstream.origin import Origins
from m26.upstream.profile import Profile
from m26.upstream.secret import Secret

__all__ = ["Fact", "Found", "Imported", "Missing", "import_capture", "read_credentials"]

_SESSION_WORTH_TRYING = 3_600.0
"""Seconds; an older captured session would only cost a request that is refused."""
_SKEW = 60.0
"""Seconds by which clocks of two machines may differ without a word."""
_MOST_REASONS = 3
"""Why a capture was of no use is told by so many of its requests."""
_MOST_REMEMBERED = 1_000
_MOST_BUNDLES = 500
"""Bundles that are kept, the newest: more are of no use, and each is a secret to mask in logs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing found in a capture, redacted."""

    what: str
    id: str
    """Short hash that names it without telling it."""
    state: str
    """``new``; ``known``: the vault had it; ``older`` than the vault's or too old to be of use, not
    taken; ``retired``: a bundle that was dropped before, not taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import came to. No secret in it is shown by its repr."""

    account: str
    found: Found
    """What the capture holds, nothing of it later than now."""
    facts: tuple[Fact, ...]
    missing: tuple[Missing, ...]
    ahead: str = ""
    """What is to be said of a capture that comes from later than now."""
    is_taken: bool = False
    """All that it holds was read, and its tokens are the account's, or were before a renewal."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What of the capture could not be read, or was not believed."""
        return (*filter(None, [self.ahead]), *self.found.problems)

    def bundles(self, state: str) -> int:
        """How many of the capture's bundles are ``new``, ``known`` or ``retired``."""
        return sum(fact.what == "bundle" and fact.state == state for fact in self.facts)


def import_capture(  # noqa: PLR0913 - a vault, a file, and what is known of both beforehand
    vault: Vault,
    path: Path,
    *,
    account: str = "main",
    platform: str | None = None,
    platforms: Collection[str] = (),
    profile: Profile | None = None,
    origins: Sequence[Origins] = (),
    replaces: bool = False,
    now: float | None = None,
) -> Imported:
    """Take the credentials of a capture over into the vault.

    Of tokens and sessions those that were obtained later stay. None is taken for later than now:
    a capture of a wrong clock would go before all that come after it.

    Args:
        vault: where they go.
        path: the capture.
        account: name of the account; a new one is added.
        platform: what of the capture is taken, where it shows several, and what it is taken for,
            where it shows none. Default: the account's.
        platforms: those of the profile; another one is refused. Empty: any.
        profile: what it knows is not missing. Without it nothing is said of signing constants.
        origins: whose requests count, as in `read_credentials`; first of all those that are asked.
        replaces: the capture's tokens and session go before the vault's, whatever their times.
        now: Unix seconds, in place of the clock.

    Raises:
        AuthError: the capture holds neither a token nor a signature; the message says why.
        UsageError: no capture, its platform is unknown, or it is another one than asked for or
            than the account's; or it is of other servers than the account's.
    """
    at = time.time() if now is None else now
    preferred = vault.read(account).platform if account in vault.accounts() else None
    read = read_credentials(path, origins=origins, platform=platform, preferred=preferred)
    found, ahead = _not_after(read, now=at)
    if found.is_empty:
        why = (*found.problems, *found.gaps)[:_MOST_REASONS]
        raise AuthError(
            f"{path.name}: neither a token nor a signature in {found.requests} requests: "
            + ("; ".join(why) or "none of them logs in or asks for auctions"),
            hint="Capture the app's start: its login and one auction search, bodies included.",
        )
    if platforms and found.platform not in (None, *platforms):
        raise UsageError(
            f"the profile has no platform {found.platform!r}, only {', '.join(platforms)}",
            hint="Correct --platform, or choose the capture's profile by M26_PROFILE.",
        )
    facts: list[Fact] = []

    def lay_over(credentials: Credentials | None) -> Credentials:
        base = credentials or Credentials(platform=_platform(found))
        if found.platform not in (None, base.platform):
            raise UsageError(
                f"account {account!r} is of platform {base.platform}, the capture is of "
                f"{found.platform}",
                hint="Give each platform its own account: --account NAME",
            )
        whose = of_capture(found.origins, origins, credentials)
        if whose is None:
            shown = " and ".join(dict.fromkeys(filter(None, found.origins)))
            raise UsageError(
                f"account {account!r} is for {bound(base)}, the capture is of {shown}",
                hint="Give the accounts of other servers names of their own: --account NAME",
            )
        is_newer = (
            _is_newer_pair(base, found.tokens, replaces=replaces, now=at),
            _is_newer_session(base.ticket, found.ticket, replaces=replaces, now=at),
        )
        facts[:] = _facts(base, found, *is_newer)
        return replace(_laid_over(base, found, *is_newer), origins=whose)

    credentials = vault.update(account, lay_over)
    pairs = (*credentials.imported_pairs, credentials.tokens and credentials.tokens.access.id)
    return Imported(
        account=account,
        found=found,
        facts=tuple(facts),
        missing=tuple(missing(credentials, profile, now=at)),
        ahead=f"{path}: {ahead}" if ahead else "",
        is_taken=found.is_whole
        and not found.problems
        and (found.tokens is None or found.tokens.access.id in pairs),
    )


def _not_after(found: Found, *, now: float) -> tuple[Found, str]:
    """What was found with times that can be, and what is to be said if they were others."""
    tokens, ticket = found.tokens, found.ticket
    times = [bundle.captured_at for bundle in found.bundles]
    times += [each.obtained_at for each in (tokens, ticket) if each is not None]
    latest = max(times, default=now)
    if latest <= now:
        return found, ""
    if tokens is not None and tokens.obtained_at > now:
        ends = now + tokens.expires_at - tokens.obtained_at
        tokens = replace(tokens, obtained_at=now, expires_at=ends)
    if ticket is not None:
        ticket = replace(ticket, obtained_at=min(ticket.obtained_at, now))
    bundles = tuple(replace(b, captured_at=min(b.captured_at, now)) for b in found.bundles)
    possible = replace(found, tokens=tokens, ticket=ticket, bundles=bundles)
    said = f"it is dated {iso(latest)}, which is later than now: taken as captured now"
    return possible, said if latest > now + _SKEW else ""


def _platform(found: Found) -> str:
    if found.platform is None:
        raise UsageError("the capture does not tell its platform", hint="Add --platform ps5")
    return found.platform


def _laid_over(
    base: Credentials, found: Found, is_newer_pair: bool, is_newer_session: bool
) -> Credentials:
    known = {bundle.id: bundle for bundle in base.bundles}
    fresh = {bundle.id: bundle for bundle in found.bundles if bundle.id not in base.retired_bundles}
    changed = replace(
        base,
        client_id=found.client_id or base.client_id,
        client_secret=found.client_secret or base.client_secret,
        device_id=found.device_id or base.device_id,
        bundles=_newest((fresh | known).values()),  # of one that was known the health is kept
    )
    if is_newer_pair:
        changed = replace(
            changed,
            tokens=found.tokens,
            imported_pairs=_remembered(base, found.tokens),
            refreshes_unanswered=0,
            refresh_refused=None,
        )
    if is_newer_session:
        changed = replace(changed, ticket=found.ticket)
    return changed


def _is_newer_pair(base: Credentials, found: Tokens | None, *, replaces: bool, now: float) -> bool:
    """Whether the capture's tokens go before the vault's, which m26 may have renewed since."""
    if found is None or base.tokens is None:
        return found is not None
    if found.access == base.tokens.access:
        return found.refresh is not None and found.refresh != base.tokens.refresh
    if replaces:
        return True
    if found.access.id in base.imported_pairs:
        return False  # times of two machines tell nothing here: it was replaced since
    # Where the vault's is later than now, a clock was wrong when it was written: it tells nothing.
    return found.obtained_at > base.tokens.obtained_at or base.tokens.obtained_at > now + _SKEW


def _newest(bundles: Collection[Bundle]) -> tuple[Bundle, ...]:
    newest = sorted(bundles, key=lambda bundle: bundle.captured_at)[-_MOST_BUNDLES:]
    kept = {bundle.id for bundle in newest}
    return tuple(bundle for bundle in bundles if bundle.id in kept)


def _remembered(base: Credentials, found: Tokens | None) -> tuple[str, ...]:
    taken = dict.fromkeys((*base.imported_pairs, *([found.access.id] if found else ())))
    return tuple(taken)[-_MOST_REMEMBERED:]


def _is_newer_session(
    base: Ticket | None, found: Ticket | None, *, replaces: bool, now: float
) -> bool:
    if found is None or replaces:
        return found is not None
    if now - found.obtained_at > _SESSION_WORTH_TRYING:
        return False
    return (
        base is None
        or found.obtained_at > base.obtained_at
        or base.obtained_at > now + _SKEW  # as of a pair
    )


def _facts(
    base: Credentials, found: Found, is_newer_pair: bool, is_newer_session: bool
) -> Iterator[Fact]:
    """Every credential of the capture beside what the vault has."""
    pair = "new" if is_newer_pair else "older"
    session = "new" if is_newer_session else "older"
    states = {"access token": pair, "refresh token": pair, "session": session}
    before = _secrets(base)
    for what, secret in _secrets(found).items():
        if secret is not None:
            state = "known" if secret == before[what] else states.get(what, "new")
            yield Fact(what=what, id=secret.id, state=state)
    known = {bundle.id for bundle in base.bundles}
    for bundle in found.bundles:
        retired = "retired" if bundle.id in base.retired_bundles else "new"
        yield Fact(what="bundle", id=bundle.id, state="known" if bundle.id in known else retired)


def _secrets(of: Credentials | Found) -> dict[str, Secret | None]:
    tokens, ticket = of.tokens, of.ticket
    return {
        "client id": of.client_id,
        "client secret": of.client_secret,
        "device id": of.device_id,
        "access token": tokens.access if tokens else None,
        "refresh token": tokens.refresh if tokens else None,
        "session": ticket.session_key if ticket else None,
    }
