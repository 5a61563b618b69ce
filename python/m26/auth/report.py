"""How an account's credentials are: credentials and a time in, one line each and a forecast out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from m26.auth.credentials import REFRESH_LIFE, Bundle, Credentials, Use
from m26.auth.origins import bound
from m26.clock import iso
from m26.models import Time
from m26.upstream.profile import Profile
from m26.upstream.rules import RULES
from m26.upstream.signing import can_sign

_DAY = 86_400.0
_AGAIN = (
    "Run: m26 auth login --account NAME, or capture a login in the app and run: m26 auth import "
    "FILE --account NAME"
)
_CAPTURE = "Capture an auction search in the app and run: m26 auth import FILE --account NAME"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One credential: what it is, how it is, how old and how long it lasts (seconds)."""

    what: str
    state: str
    """``ok``, ``expired``, ``refused``, ``resting`` or ``missing``."""
    age: float | None = None
    seconds_left: float | None = None
    detail: str = ""
    used: int = 0
    """Requests with it whose outcome is known."""
    failure: str | None = None
    """Reason code of the last request with it that was refused."""
    failed_at: Time | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleLine:
    """One captured bundle; `id` is a hash of it."""

    id: str
    state: str
    """``ok``, ``resting``, ``expired`` or ``dead``."""
    age: float
    seconds_left: float | None
    """Until its end, where the life of bundles is known."""
    resting: float | None
    """Seconds until it is used again."""
    commands: Mapping[str, Use] = field(default_factory=dict)
    """How it fared, by the command's wire name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """When m26 can no longer authenticate by itself, and what the operator does about it."""

    seconds_left: float | None
    """None when nothing that m26 knows of will end while it runs."""
    text: str
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How an account can authenticate, without a secret."""

    account: str
    platform: str
    origins: list[str]
    """Servers that they may be sent to: the two they were made for, and others by a word."""
    credentials: list[Line]
    bundles: list[BundleLine]
    forecast: Forecast


def health(account: str, credentials: Credentials, profile: Profile, *, now: float) -> Health:
    """How an account's credentials are."""
    return Health(
        account=account,
        platform=credentials.platform,
        origins=list(dict.fromkeys((*bound(credentials), *credentials.allowed))),
        credentials=lines(credentials, profile, now=now),
        bundles=bundle_lines(credentials, now=now),
        forecast=forecast(credentials, profile, now=now),
    )


def lines(credentials: Credentials, profile: Profile, *, now: float) -> list[Line]:
    """Every credential of the account, redacted."""
    left, uses = credentials.seconds_left(now), credentials.uses
    tokens, ticket = credentials.tokens, credentials.ticket
    age = now - tokens.obtained_at if tokens else None
    return [
        _access_line(credentials, age, left["access_token"]),
        _refresh_line(credentials, age, left["refresh_token"]),
        _present(
            "client id and secret", _has_client(credentials, profile), "needed to renew tokens"
        ),
        _session_line(credentials, age=now - ticket.obtained_at if ticket else None),
        _present(
            "signing constants",
            can_sign(profile.signing),
            "bundles are used instead",
            uses.get("signing"),
        ),
        _present("device id", _has_device(credentials, profile), "needed to sign"),
        _pool_line(credentials, now=now),
    ]


def bundle_lines(credentials: Credentials, *, now: float) -> list[BundleLine]:
    """Every bundle, the newest first."""
    newest_first = sorted(credentials.bundles, key=lambda bundle: -bundle.captured_at)
    return [
        BundleLine(
            id=bundle.id,
            state=bundle_state(bundle, credentials, now=now),
            age=now - bundle.captured_at,
            seconds_left=_life_left(bundle, credentials, now=now),
            resting=bundle.retry_at - now if bundle.retry_at > now else None,
            commands=bundle.uses,
        )
        for bundle in newest_first
    ]


def bundle_state(bundle: Bundle, credentials: Credentials, *, now: float) -> str:
    """``ok``, ``resting``, ``expired`` (older than bundles live), ``dead`` (refused too often)."""
    if bundle.is_dead:
        return "dead"
    if _life_left(bundle, credentials, now=now) == 0:
        return "expired"
    return "ok" if bundle.is_usable(now) else "resting"


def forecast(credentials: Credentials, profile: Profile, *, now: float) -> Forecast:
    """When authentication will run out: requests need a signature and a way to log in."""
    signs, logs_in = _signing(credentials, profile, now=now), _login(credentials, profile, now=now)
    for need in (signs, logs_in):
        if need.seconds_left == 0:
            return need
    ends = [n for n in (signs, logs_in) if n.seconds_left not in (None, math.inf)]
    if ends:
        return min(ends, key=lambda need: need.seconds_left or 0.0)
    if signs.seconds_left is None:
        return signs
    return Forecast(seconds_left=None, text=logs_in.text, advice=logs_in.advice)


def _signing(credentials: Credentials, profile: Profile, *, now: float) -> Forecast:
    """How long requests can be signed; None when not known, infinite when there is no end."""
    if can_sign(profile.signing) and _has_device(credentials, profile):
        return Forecast(seconds_left=math.inf, text="signs by itself")
    states = {b.id: bundle_state(b, credentials, now=now) for b in credentials.bundles}
    living = [b for b in credentials.bundles if states[b.id] in ("ok", "resting")]
    if not living:
        what = (
            "every captured signature has ended"
            if credentials.bundles
            else "no request can be signed"
        )
        return Forecast(seconds_left=0.0, text=what, advice=RULES["no_signature"].advice)
    newest = max(living, key=lambda bundle: bundle.captured_at)
    left = _life_left(newest, credentials, now=now)
    life = "whose life is not known yet" if left is None else "which end then"
    return Forecast(
        seconds_left=left,
        text=f"signs with captured signatures only, {life}",
        advice=f"{_CAPTURE}; or set [signing] in profile.toml: it does not end.",
    )


def _login(credentials: Credentials, profile: Profile, *, now: float) -> Forecast:
    """How long sessions can be opened; infinite when tokens renew themselves."""
    left = credentials.seconds_left(now)
    access, refresh, session = (
        left[what] or 0.0 for what in ("access_token", "refresh_token", "session")
    )
    if refresh and _has_client(credentials, profile):
        return Forecast(
            seconds_left=math.inf,
            text="renews itself while m26 runs",
            advice=f"Switched off for {REFRESH_LIFE / _DAY:.0f} days, it needs a new login.",
        )
    if access:
        why = "no client id and secret" if refresh else "no refresh token that works"
        # The session that is open then goes on for minutes.
        return Forecast(
            seconds_left=max(access, session), text=f"{why}, so nothing is renewed", advice=_AGAIN
        )
    if session:
        text = "a captured session only: works for minutes"
        return Forecast(seconds_left=session, text=text, advice=_AGAIN)
    return Forecast(seconds_left=0.0, text="no way to log in", advice=_AGAIN)


def _life_left(bundle: Bundle, credentials: Credentials, *, now: float) -> float | None:
    if credentials.bundle_life is None:
        return None
    return max(0.0, bundle.captured_at + credentials.bundle_life - now)


def _has_client(credentials: Credentials, profile: Profile) -> bool:
    name = credentials.client_id or profile.oauth.client_id
    return bool(name and (credentials.client_secret or profile.oauth.client_secret))


def _has_device(credentials: Credentials, profile: Profile) -> bool:
    return bool(credentials.device_id or profile.wal.device_id)


def _pool_line(credentials: Credentials, *, now: float) -> Line:
    states = [bundle_state(bundle, credentials, now=now) for bundle in credentials.bundles]
    best = next((s for s in ("ok", "resting", "expired", "dead") if s in states), "missing")
    newest = max((bundle.captured_at for bundle in credentials.bundles), default=None)
    return Line(
        what="bundles",
        state="refused" if best == "dead" else best,
        age=None if newest is None else now - newest,
        seconds_left=credentials.seconds_left(now)["bundles"],
        detail=f"{states.count('ok')} of {len(states)} usable" if states else "",
        **_fared(*(use for bundle in credentials.bundles for use in bundle.uses.values())),
    )


def _refresh_line(credentials: Credentials, age: float | None, left: float | None) -> Line:
    what, fared = "refresh token", _fared(credentials.uses.get("refresh_token"))
    if credentials.tokens is None or credentials.tokens.refresh is None:
        return Line(what=what, state="missing", detail="tokens cannot be renewed")
    if credentials.refresh_dead is not None:
        return Line(what=what, state="refused", age=age, detail="log in again", **fared)
    unanswered = (
        f"{credentials.refreshes_unanswered} answer lost"
        if credentials.refreshes_unanswered
        else ""
    )
    return Line(
        what=what,
        state="ok" if left else "expired",
        age=age,
        seconds_left=left,
        detail=unanswered or "renewed by use",
        **fared,
    )


def _access_line(credentials: Credentials, age: float | None, left: float | None) -> Line:
    what = "access token"
    if left is None:
        return Line(what=what, state="missing")
    fared = _fared(credentials.uses.get("access_token"))
    if credentials.access_refused:
        return Line(what=what, state="refused", age=age, **fared)
    return Line(what=what, state="ok" if left else "expired", age=age, seconds_left=left, **fared)


def _session_line(credentials: Credentials, *, age: float | None) -> Line:
    state, detail = "ok", "until rejected"
    if credentials.ticket is None:
        state, detail = "missing", "opened when needed"
    elif credentials.session_refused:
        state, detail = "refused", "replaced when needed"
    fared = _fared(credentials.uses.get("session"))
    return Line(what="session", state=state, age=age, detail=detail, **fared)


def _present(what: str, there: bool, why: str, use: Use | None = None) -> Line:
    return Line(
        what=what, state="ok" if there else "missing", detail="" if there else why, **_fared(use)
    )


def _fared(*uses: Use | None) -> dict[str, Any]:
    """Members of a line that tell of uses: how many, and the last refusal."""
    known: Iterable[Use] = [use for use in uses if use is not None]
    last = max((use for use in known if use.refused), key=lambda use: use.refused_at, default=None)
    return {
        "used": sum(use.count for use in known),
        "failure": last.reason if last else None,
        "failed_at": iso(last.refused_at) if last else None,
    }
