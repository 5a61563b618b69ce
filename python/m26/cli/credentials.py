"""How ``m26 auth`` shows an account: its credentials in, a table or a document out; no secret."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from m26.cli.options import Options
from m26.cli.output import console, duration, table
from m26.clock import unix
from m26.home.stops import read_stops

if TYPE_CHECKING:
    from pathlib import Path

    from m26.auth.credentials import Credentials
    from m26.auth.report import BundleLine, Forecast, Health, Line
    from m26.auth.vault import Vault
    from m26.config import Settings
    from m26.upstream.profile import Profile

_BUNDLE_COLUMNS = ("bundle", "state", "age", "left", "command: accepted, refused")
_FEW = 10
"""So many bundles are listed without being asked for."""


def opened(options: Options) -> tuple[Settings, Vault, Profile]:
    """Settings, the home's vault, and the profile of real accounts."""
    from m26.app.accounts import chosen_profile
    from m26.auth.vault import Vault

    settings = options.load().settings
    return settings, Vault.open(settings.home, settings.vault), chosen_profile(settings)


def health(name: str, credentials: Credentials, chosen: Profile) -> Health:
    """How an account is now; its document and its tables."""
    from m26.app.upkeep import profile_of
    from m26.auth import report

    return report.health(
        name, credentials, profile_of(credentials.platform, chosen), now=time.time()
    )


def show(account: Health, *, bundles: bool = False) -> None:
    """Print an account: its credentials, its bundles where they are few or wanted, a forecast."""
    rows: Sequence[Sequence[object]] = [
        (
            line.what,
            line.state,
            _for(line.age),
            _for(line.seconds_left),
            line.used or None,
            _failure(line),
            line.detail,
        )
        for line in account.credentials
    ]
    columns = ("credential", "state", "age", "left", "used", "last failure", "")
    table(f"{account.account} ({account.platform})", columns, rows)
    console().print(f"For {' and '.join(account.origins)} alone.\n", markup=False, soft_wrap=True)
    listed = account.bundles
    if listed and (bundles or len(listed) <= _FEW):
        table("", _BUNDLE_COLUMNS, [_bundle(line) for line in listed])
    elif listed:
        console().print(f"{len(listed)} bundles: --bundles lists them", markup=False)
    say_forecast(account.forecast)


def say_forecast(forecast: Forecast, *, of: str = "") -> None:
    """Print when authentication runs out, and what to do; `of` names the account."""
    left = forecast.seconds_left
    ends = "Auth" if left is None else f"Auth runs out in {duration(left)}"
    if left == 0:
        ends = "Auth does not work"
    whose = f"{of}: " if of else ""
    text = f"{whose}{ends}: {forecast.text}. {forecast.advice.rstrip('.')}.\n"
    console().print(text, markup=False)


def stopped(home: Path) -> list[str]:
    """The reasons of every STOP that holds for a home; none when requests may go on."""
    return [stop.reason for stop in read_stops(home)]


def say_stopped(reasons: list[str]) -> None:
    """Print how requests go on, if they are stopped."""
    if reasons:
        why = ", ".join(dict.fromkeys(reasons))
        text = f"Requests are stopped ({why}). When that is dealt with: m26 resume"
        console().print(text, markup=False)


def _bundle(line: BundleLine) -> tuple[object, ...]:
    state = line.state
    if state == "resting":
        state = f"resting for {duration(line.resting or 0)}"
    fared = [
        f"{name}: {use.accepted}, {use.refused} {use.reason}".rstrip()
        for name, use in line.commands.items()
    ]
    age, left = _for(line.age), _for(line.seconds_left)
    return line.id, state, age, left, "; ".join(fared) or "not used yet"


def _failure(line: Line) -> str | None:
    if not line.failure or line.failed_at is None:
        return None
    largest = duration(time.time() - unix(line.failed_at)).split()[:2]
    return f"{line.failure} {' '.join(largest)} ago"


def _for(seconds: float | None) -> str | None:
    return None if seconds is None else duration(seconds)
