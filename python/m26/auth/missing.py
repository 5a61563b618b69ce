"""Credentials and a profile in; what an account lacks after an import, and what that means, out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from m26.auth.credentials import Credentials
from m26.upstream.profile import Profile
from m26.upstream.signing import can_sign


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Something the account lacks after the import, and what follows from it."""

    what: str
    means: str


def missing(credentials: Credentials, profile: Profile | None, *, now: float) -> Iterator[Missing]:
    """What the account lacks, and what follows from it. Without a profile its part is left out."""
    oauth = profile.oauth if profile else None
    client = {
        "client id": credentials.client_id or (oauth and oauth.client_id),
        "client secret": credentials.client_secret or (oauth and oauth.client_secret),
    }
    lacking = " and ".join(what for what, value in client.items() if not value)
    until = _until(credentials, now=now)
    if credentials.tokens is None:
        yield Missing(what="access and refresh token", means=until)
    elif credentials.tokens.refresh is None:
        yield Missing(what="refresh token", means=until)
    elif credentials.refresh_dead is not None:
        yield Missing(what="refresh token that is accepted", means=until)
    elif lacking:
        yield Missing(what=lacking, means=f"tokens cannot be renewed: {until}")
    if credentials.ticket is None:
        yield Missing(what="session", means="fine: one is opened when it is needed")
    yield from _missing_signature(credentials, profile)


def _missing_signature(credentials: Credentials, profile: Profile | None) -> Iterator[Missing]:
    signs = profile is not None and can_sign(profile.signing)
    device = credentials.device_id or (profile and profile.wal.device_id)
    if signs and not device:
        yield Missing(
            what="device id",
            means="requests cannot be signed with the profile's constants: "
            "capture one auction search",
        )
    if signs and device:
        return
    count = sum(not bundle.is_dead for bundle in credentials.bundles)
    if not count:
        means = "no request can be signed: capture one auction search"
        yield Missing(what="signed request", means=means)
    if profile is not None and not signs and count:
        these = f"the {count} captured signatures are" if count > 1 else "the captured signature is"
        yield Missing(
            what="signing constants",
            means=f"{these} used for as long as the upstream accepts that",
        )


def _until(credentials: Credentials, *, now: float) -> str:
    """How long an account works whose tokens are not renewed."""
    left = credentials.seconds_left(now)
    seconds = max(left["access_token"] or 0.0, left["session"] or 0.0)
    if seconds:
        return f"this works for {_span(seconds)}, then a new capture is needed"
    return "this cannot log in: a new capture is needed, with its login"


def _span(seconds: float) -> str:
    hours, minutes = divmod(int(seconds) // 60, 60)
    return f"{hours} h {minutes} m" if hours else f"{minutes} m"
