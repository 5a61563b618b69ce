"""``m26 auth``: captures into the vault, and the health of what is in it."""

from __future__ import annotations

import re
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from m26.cli.credentials import health, opened, say_stopped, show, stopped
from m26.cli.options import Options, check_platform
from m26.cli.output import console, dump_json, say, table

if TYPE_CHECKING:
    from m26.auth import intake
    from m26.cli.auth_documents import (
        AccountsView,
        AddonView,
        CaptureView,
        FoundView,
        ImportView,
    )

_MITMPROXY = "mitmproxy@11.0.2"
"""The version that the addon was tried with: what comes from a registry unpinned is anybody's."""


def import_(
    captures: Annotated[list[Path], Parameter(negative="")],
    /,
    *,
    account: str = "main",
    platform: str | None = None,
    replace: Annotated[bool, Parameter(negative="")] = False,
    options: Options = Options(),
) -> None:
    """Read tokens, sessions and message-auth bundles from captures into the vault.

    Nothing else of a capture is kept. What was found is shown, never its value.

    Example: ``m26 auth import capture.har --account main --platform ps5``

    With ``--json``: {"captures": [{"file", "found", "facts", "missing", "problems"}], "account",
    "stopped"}. A fact is {"what", "id", "state"}, its id a hash; what is missing {"what", "means"}.

    Args:
        captures: HAR or mitmproxy flow files of the app's start, bodies included; folders of
            them, whose names end in .har, .mitm or .flow.
        account: the account they belong to; a new name adds one.
        platform: ps5, xbsx, pc, ps4 or xone; read from the capture when not given.
        replace: take the tokens and the session of these captures also where those in the vault
            are newer, or seem to be.
        options: options of every command.
    """
    from m26.app.upkeep import profile_of
    from m26.auth.folder import captures_in
    from m26.auth.intake import import_capture
    from m26.auth.origins import known
    from m26.errors import UsageError

    files = [file for given in captures for file in captures_in(given)]
    if not files:
        raise UsageError("no capture was given", hint="m26 auth import capture.har")
    settings, vault, chosen = opened(options)
    wanted = platform or settings.platform
    check_platform(wanted, chosen)
    profile = profile_of(wanted, chosen)
    done = [
        import_capture(
            vault,
            file,
            account=account,
            platform=wanted,
            platforms=profile.platforms,
            profile=profile,
            origins=known(profile, settings.upstream),
            replaces=replace,
        )
        for file in files
    ]
    shown, stop = health(account, vault.read(account), chosen), stopped(settings.home)
    if options.json:
        printed: ImportView = {
            "captures": [_capture(file, part) for file, part in zip(files, done, strict=True)],
            "account": shown,
            "stopped": stop,
        }
        dump_json(printed)
        return
    for file, part in zip(files, done, strict=True):
        _show(file, part)
    missing = [(lack.what, lack.means) for lack in done[-1].missing]
    if missing:
        table("", ("missing", "what that means"), missing)
        console().print()
    show(shown)
    say_stopped(stop)


def status(
    *, bundles: Annotated[bool, Parameter(negative="")] = False, options: Options = Options()
) -> None:
    """Every credential of every account: state, age, time left, uses, last failure; a forecast.

    Example: ``m26 auth status --json``

    With ``--json``: {"items", "captures"}: of each account {"account", "platform", "origins",
    "credentials", "bundles", "forecast"}, and captures that still hold a login in the clear.

    Args:
        bundles: list each captured bundle, however many there are.
        options: options of every command.
    """
    from m26.auth.folder import leftovers

    settings, vault, profile = opened(options)
    accounts = [health(name, vault.read(name), profile) for name in vault.accounts()]
    left = [str(path) for path in leftovers(settings.home)]
    if options.json:
        printed: AccountsView = {"items": accounts, "captures": left}
        dump_json(printed)
        return
    if not accounts:
        text = "The vault is empty. Run: m26 auth login, or: m26 auth import FILE"
        console().print(text, markup=False)
    for account in accounts:
        show(account, bundles=bundles)
    for path in left:
        text = f"{path} holds a login in the clear: m26 auth rebuild takes it over and deletes it"
        say(f"warning: {text}\n", stderr=True)


def addon(*, options: Options = Options()) -> None:
    """The path of the mitmproxy addon that writes down what m26 needs of a capture, and no more.

    Example: ``m26 auth addon``

    With ``--json``: {"path", "folder", "command"}.

    Args:
        options: options of every command.
    """
    from importlib.resources import files

    from m26.app.accounts import chosen_profile, hosts
    from m26.auth.folder import CAPTURES

    settings = options.load().settings
    profile, folder = chosen_profile(settings), settings.home / CAPTURES
    path = files("m26") / "captures" / "addon.py"
    named = hosts(profile, settings)
    words = ["uvx", _MITMPROXY, "-s", str(path), "--set", f"m26_folder={folder}"]
    if profile.wal.legacy_tls:
        words += ["--set", f"m26_legacy={named[-1]}"]
    whole = [re.escape(name if ":" in name else f"{name}:443") for name in named]
    words += ["--allow-hosts", f"^({'|'.join(whole)})$"]
    command = join(words)
    if options.json:
        printed: AddonView = {"path": str(path), "folder": str(folder), "command": command}
        dump_json(printed)
        return
    console().print(f"{path}\n\n{command}", markup=False, soft_wrap=True)


def _summary(found: intake.Found) -> FoundView:
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


def _capture(file: Path, part: intake.Imported) -> CaptureView:
    return {
        "file": str(file),
        "found": _summary(part.found),
        "facts": part.facts,
        "missing": part.missing,
        "problems": part.problems,
    }


def _show(file: Path, part: intake.Imported) -> None:
    counts = ", ".join(f"{what}: {_shown(value)}" for what, value in _summary(part.found).items())
    console().print(f"{file.name}: {counts}", markup=False)
    facts = [(f.what, f.id, f.state) for f in part.facts if f.what != "bundle"]
    bundles = {state: part.bundles(state) for state in ("new", "known", "retired")}
    facts += [("bundles", str(count), state) for state, count in bundles.items() if count]
    table("", ("found", "id or count", "state"), facts)
    for problem in part.problems:
        say(f"warning: {problem}\n", stderr=True)
    console().print()


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "unknown" if value is None else str(value)
