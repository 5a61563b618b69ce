"""``m26 doctor``: runs every check and prints a line each; failures name the command that helps."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from m26.cli import checks, server_checks
from m26.cli.checks import Check, DoctorView
from m26.cli.database_checks import database
from m26.cli.options import Options
from m26.cli.output import console, dump_json, text
from m26.errors import ConfigError, M26Error
from m26.redaction import redact

if TYPE_CHECKING:
    from m26.config import Loaded

_CHECKS: dict[str, Callable[[Loaded], Check]] = {
    "python": checks.python,
    "packages": checks.packages,
    "native module": checks.native,
    "clock": checks.clock,
    "disk": checks.disk,
    "home": checks.home,
    "collector": checks.other_copy,
    "stop": checks.stopped,
    "vault": checks.vault,
    "captures": checks.captures,
    "upstream": checks.upstream,
    "port": checks.port,
    "PostgreSQL": server_checks.postgres,
    "Redis": server_checks.redis,
}
_COLOR = {"ok": "green", "warn": "yellow", "fail": "red"}


async def doctor(*, options: Options = Options()) -> int:
    """Look at everything a run needs. Exit code 0: nothing fails; 1: something does.

    It starts no server and sends no request to the gateway.

    Example: ``m26 doctor``

    Args:
        options: options of every command.
    """
    try:
        loaded = options.load()
    except ConfigError as error:
        found = [_failed("config", error)]
    else:
        found = [Check("config", "ok", "every setting is valid"), *await examine(loaded)]
    if options.json:
        printed: DoctorView = {"checks": found}
        dump_json(printed)
    else:
        for check in found:
            _print(check)
    return 1 if any(check.result == "fail" for check in found) else 0


async def examine(loaded: Loaded) -> list[Check]:
    """Every check, in order; one that raises fails and the next ones go on."""
    found = []
    for name, check in _CHECKS.items():
        try:
            found.append(check(loaded))
        except (M26Error, OSError, ValueError) as error:
            found.append(_failed(name, error))
    reachable = all(check.result != "fail" for check in found if check.name == "PostgreSQL")
    try:
        found += await database(loaded, reachable=reachable)
    except (M26Error, OSError, ValueError) as error:
        found.append(_failed("schema", error))
    return found


def _failed(name: str, error: Exception) -> Check:
    if isinstance(error, M26Error):
        return Check(name, "fail", redact(error.message), redact(error.hint))
    return Check(name, "fail", redact(f"{type(error).__name__}: {error}"))


def _print(check: Check) -> None:
    from rich.text import Text

    line = Text(f"{check.result:5}", style=_COLOR[check.result])
    line.append(f"{check.name:14} {text(check.found)}", style="default")
    console().print(line, soft_wrap=True)
    if check.fix:
        console().print(Text(f"     {'':14} fix: {text(check.fix)}"), soft_wrap=True)
