"""``m26 auth``: captures into the vault, and the health of what is in it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from m26.cli.options import Options
from m26.cli.output import console, dump_json, duration, table

if TYPE_CHECKING:
    from m26.auth.captures import Found
    from m26.auth.credentials import Credentials
    from m26.auth.vault import Vault
    from m26.config import Settings
    from m26.upstream.profile import Profile


def import_(
    files: Annotated[list[Path], Parameter(negative="")],
    /,
    *,
    account: str = "main",
    platform: str | None = None,
    options: Options = Options(),
) -> None:
    """Read tokens, sessions and message-auth bundles from captures into the vault.

    Nothing else of a capture is kept. What was found is shown, never its value.

    Example: ``m26 auth import capture.har --account main --platform ps5``

    Args:
        files: HAR or mitmproxy flow files of the app's start, bodies included.
        account: the account they belong to; a new name adds one.
        platform: ps5, xbsx, pc, ps4 or xone; read from the capture when not given.
        options: options of every command.
    """
    from m26.auth.captures import import_capture
    from m26.errors import UsageError

    if not files:
        raise UsageError("no capture was given", hint="m26 auth import capture.har")
    settings, vault, profile = _open(options)
    wanted, known = platform or settings.platform, profile.platforms
    found = [
        (file, import_capture(vault, file, account=account, platform=wanted, platforms=known))
        for file in files
    ]
    held = vault.read(account)
    if options.json:
        captures = [{"file": str(file), "found": _summary(part)} for file, part in found]
        dump_json({"captures": captures, "account": _document(account, held, profile)})
        return
    for file, part in found:
        counts = ", ".join(f"{what}: {_shown(value)}" for what, value in _summary(part).items())
        console().print(f"{file.name}: {counts}", markup=False)
    _print(account, held, profile)


def status(*, options: Options = Options()) -> None:
    """Every credential of every account: its state, its age, the time left, and a forecast.

    Example: ``m26 auth status --json``

    Args:
        options: options of every command.
    """
    _, vault, profile = _open(options)
    accounts = [(name, vault.read(name)) for name in vault.accounts()]
    if options.json:
        dump_json([_document(name, held, _profile_of(held, profile)) for name, held in accounts])
        return
    if not accounts:
        console().print("The vault is empty. Import a capture: m26 auth import FILE", markup=False)
    for name, held in accounts:
        _print(name, held, _profile_of(held, profile))


def _open(options: Options) -> tuple[Settings, Vault, Profile]:
    from m26.auth.vault import Vault
    from m26.upstream.profile import Profile

    settings = options.load().settings
    vault = Vault.open(settings.home, settings.vault)
    return settings, vault, Profile.load(settings.profile or "madden26", home=settings.home)


def _profile_of(held: Credentials, chosen: Profile) -> Profile:
    """The profile an account is for: the simulator's account is of no real one."""
    from m26.accounts import SIMULATED, load_profile

    return load_profile(SIMULATED, Path()) if held.platform == SIMULATED else chosen


def _document(name: str, held: Credentials, profile: Profile) -> dict[str, Any]:
    from m26.auth import health

    now = time.time()
    return {
        "account": name,
        "platform": held.platform,
        "credentials": [asdict(line) for line in health.lines(held, profile, now=now)],
        "forecast": asdict(health.forecast(held, profile, now=now)),
    }


def _summary(found: Found) -> dict[str, object]:
    tokens = found.tokens
    return {
        "requests": found.requests,
        "platform": found.platform,
        "access token": tokens is not None,
        "refresh token": tokens is not None and tokens.refresh is not None,
        "client id": found.client_id is not None,
        "client secret": found.client_secret is not None,
        "device id": found.device_id is not None,
        "session": found.ticket is not None,
        "bundles": len(found.bundles),
    }


def _print(name: str, held: Credentials, profile: Profile) -> None:
    document = _document(name, held, profile)
    rows: Sequence[Sequence[object]] = [
        (line["what"], line["state"], _for(line["age"]), _for(line["seconds_left"]), line["detail"])
        for line in document["credentials"]
    ]
    table(f"{name} ({held.platform})", ("credential", "state", "age", "left", ""), rows)
    forecast = document["forecast"]
    left = forecast["seconds_left"]
    ends = "Auth" if left is None else f"Auth runs out in {duration(left)}"
    console().print(f"{ends}: {forecast['text']}. {forecast['advice']}\n", markup=False)


def _for(seconds: float | None) -> str | None:
    return None if seconds is None else duration(seconds)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "unknown" if value is None else str(value)
