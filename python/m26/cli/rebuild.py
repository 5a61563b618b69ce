"""``m26 auth rebuild``: the weekly care of the pool, from a timer or by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio
from cyclopts import Parameter

from m26.cli.credentials import say_forecast, say_stopped, stopped
from m26.cli.options import AllowHost, Options
from m26.cli.output import dump_json, say, table

if TYPE_CHECKING:
    from m26.app.upkeep import Upkeep
    from m26.cli.auth_documents import RebuildView

_USAGE, _AUTH = 2, 4


def rebuild(
    *,
    captures: Path | None = None,
    account: str | None = None,
    renew: bool | None = None,
    allow_host: AllowHost = None,
    keep: Annotated[bool, Parameter(negative="")] = False,
    options: Options = Options(),
) -> int:
    """Import new captures, drop bundles that are over, renew tokens; safe beside `m26 run`.

    Captures (.har, .mitm, .flow) lie in the home's folder captures, those of account NAME in its
    subfolder NAME. One that is in the vault whole is deleted, for it holds a login in the clear;
    one that others can read, or that is still being written, stays and is told. Exit code 4 when
    afterwards an account has no way to authenticate, 2 when not one capture could be read.

    Example: ``m26 auth rebuild --no-renew``

    With ``--json``: {"accounts": [{"account", "platform", "captures", "changes", "bundles_added",
    "bundles_dropped", "bundles_usable", "tokens", "tokens_detail", "forecast"}], "problems",
    "stopped"}.

    Args:
        captures: folder to import, in place of the home's.
        account: this account alone.
        renew: renew tokens now, or not at all; default: when they are older than a day.
        allow_host: a server that may have credentials though they are for others; it is remembered.
        keep: delete no capture.
        options: options of every command.
    """
    from m26.app.upkeep import rebuild_home
    from m26.auth.vault import Vault

    settings = options.load().settings
    vault = Vault.open(settings.home, settings.vault)
    allow = allow_host or ()
    done = anyio.run(
        lambda: rebuild_home(
            settings, vault, captures=captures, only=account, renew=renew, allow=allow, keep=keep
        )
    )
    stop = stopped(settings.home)
    if options.json:
        printed: RebuildView = {
            "accounts": done.accounts,
            "problems": done.problems,
            "stopped": stop,
        }
        dump_json(printed)
    else:
        _show(done)
        say_stopped(stop)
    return _code(done)


def _code(done: Upkeep) -> int:
    forecasts = [each.forecast for each in done.accounts if each.forecast is not None]
    if not forecasts or any(each.seconds_left == 0 for each in forecasts):
        return _AUTH
    states = {capture.state for each in done.accounts for capture in each.captures}
    return _USAGE if states == {"unreadable"} else 0


def _show(done: Upkeep) -> None:
    rows = [
        (
            each.account,
            sum(capture.state == "imported" for capture in each.captures),
            each.bundles_added,
            each.bundles_dropped,
            each.bundles_usable,
            each.tokens,
            ", ".join(each.changes) or "nothing new",
        )
        for each in done.accounts
    ]
    columns = ("account", "captures", "bundles +", "bundles -", "usable", "tokens", "")
    table("", columns, rows)
    problems = [*done.problems]
    for each in done.accounts:
        problems += [f"{c.file}: {c.problem}" for c in each.captures if c.problem]
        if each.tokens in ("refused", "failed"):
            problems.append(f"tokens of {each.account}: {each.tokens_detail}")
        if each.platform is None:
            name = each.account
            problems.append(f"there is no account {name}, and none of its captures made one")
    for problem in problems:
        say(f"warning: {problem}\n", stderr=True)
    for each in done.accounts:
        if each.forecast is not None:
            say_forecast(each.forecast, of=each.account)
