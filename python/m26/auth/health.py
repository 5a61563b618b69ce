"""How an account's credentials are: credentials and a time in, one line each and a forecast out."""

from __future__ import annotations

from dataclasses import dataclass

from m26.auth.credentials import REFRESH_LIFE, Credentials
from m26.auth.pool import is_usable
from m26.upstream.profile import Profile
from m26.upstream.rules import RULES
from m26.upstream.signing import can_sign

_DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One credential: what it is, how it is, how old and how long it lasts (seconds)."""

    what: str
    state: str
    """``ok``, ``expired``, ``refused``, ``resting`` or ``missing``."""
    age: float | None = None
    seconds_left: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """When m26 can no longer log in by itself, and what the operator does about it."""

    seconds_left: float | None
    """None when nothing that m26 knows of will end while it runs."""
    text: str
    advice: str = ""


def lines(held: Credentials, profile: Profile, *, now: float) -> list[Line]:
    """Every credential of the account, redacted."""
    left = held.seconds_left(now)
    tokens, ticket = held.tokens, held.ticket
    usable = [b for b in held.bundles if is_usable(b, now=now)]
    age = now - tokens.obtained_at if tokens else None
    newest = max((b.captured_at for b in held.bundles), default=None)
    pool = f"{len(usable)} of {len(held.bundles)} usable" if held.bundles else ""
    return [
        _timed("access token", age, left["access_token"]),
        _refresh_line(held, age, left["refresh_token"]),
        _present("client id and secret", _has_client(held, profile), "needed to renew tokens"),
        Line(
            what="session",
            state="ok" if ticket else "missing",
            age=now - ticket.obtained_at if ticket else None,
            detail="used until it is rejected" if ticket else "opened when needed",
        ),
        _present("signing constants", can_sign(profile.signing), "bundles are used instead"),
        _present("device id", bool(held.device_id or profile.wal.device_id), "needed to sign"),
        Line(
            what="bundles",
            state="ok" if usable else ("resting" if held.bundles else "missing"),
            age=now - newest if newest is not None else None,
            detail=pool,
        ),
    ]


def forecast(held: Credentials, profile: Profile, *, now: float) -> Forecast:
    """When authentication will run out, and what to do."""
    again = "Capture a login in the app and run: m26 auth import FILE"
    signs = can_sign(profile.signing) and bool(held.device_id or profile.wal.device_id)
    if not signs and not held.bundles:
        return Forecast(
            seconds_left=0.0,
            text="no request can be signed",
            advice=RULES["no_signature"].advice,
        )
    left = held.seconds_left(now)
    access = left["access_token"] or 0.0
    refresh = left["refresh_token"] or 0.0
    if refresh and _has_client(held, profile):
        return Forecast(
            seconds_left=None,
            text="renews itself while m26 runs",
            advice=f"Switched off for {REFRESH_LIFE / _DAY:.0f} days, it needs a new login.",
        )
    if access:
        why = "no refresh token" if not refresh else "no client id and secret"
        return Forecast(seconds_left=access, text=f"{why}: works until then", advice=again)
    session = left["session"]
    if session:
        return Forecast(
            seconds_left=session, text="a captured session only: works for minutes", advice=again
        )
    return Forecast(seconds_left=0.0, text="no way to log in", advice=again)


def _has_client(held: Credentials, profile: Profile) -> bool:
    name = held.client_id or profile.oauth.client_id
    return bool(name and (held.client_secret or profile.oauth.client_secret))


def _refresh_line(held: Credentials, age: float | None, left: float | None) -> Line:
    what = "refresh token"
    if held.tokens is None or held.tokens.refresh is None:
        return Line(what=what, state="missing", detail="the access token cannot be renewed")
    if held.refresh_dead is not None:
        return Line(what=what, state="refused", age=age, detail=RULES[held.refresh_dead].message)
    unanswered = f"{held.refreshes_unanswered} answer lost" if held.refreshes_unanswered else ""
    line = _timed(what, age, left)
    return Line(
        what=what,
        state=line.state,
        age=age,
        seconds_left=left,
        detail=unanswered or "renewed by use",
    )


def _timed(what: str, age: float | None, left: float | None) -> Line:
    if left is None:
        return Line(what=what, state="missing")
    return Line(what=what, state="ok" if left > 0 else "expired", age=age, seconds_left=left)


def _present(what: str, there: bool, why: str) -> Line:
    return Line(what=what, state="ok" if there else "missing", detail="" if there else why)
