"""Options that every command takes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter, validators

from m26.errors import UsageError

if TYPE_CHECKING:
    from m26.config import Loaded
    from m26.upstream.profile import Profile


_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
LARGEST = 2**63 - 1
"""Of the numbers that PostgreSQL keeps as bigint."""


def within(least: float, most: float = LARGEST) -> Parameter:
    """A number that is refused outside of `least` to `most`; NaN is nowhere."""
    return Parameter(validator=validators.Number(gte=least, lte=most))


def seconds_of(option: str, text: str) -> float:
    """A duration: a number, and s (or nothing), ms, m, h or d.

    Raises:
        UsageError: it is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    unit = (match[2] or "s") if match else ""
    if match is None or unit not in _UNITS:
        raise UsageError(f"{option} {text!r} is not a duration", hint="Write 30s, 10m, 2h or 90d.")
    return float(match[1]) * _UNITS[unit]


def check_platform(platform: str | None, profile: Profile) -> None:
    """Refuse a platform that is none of the profile's, nor the simulator's.

    Raises:
        UsageError: with those that there are.
    """
    known = dict.fromkeys((*profile.platforms, "sim"))
    if platform is not None and platform not in known:
        raise UsageError(f"unknown platform {platform!r}", hint=f"Known: {', '.join(known)}.")


AllowHost = Annotated[list[str] | None, Parameter(name="--allow-host", negative="")]
"""Of what sends credentials: servers that may have them by the operator's word."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Taken by every command."""

    json: Annotated[bool, Parameter(name="--json", negative="")] = False
    """Print one stable JSON document (or one per line) instead of text."""
    home: Annotated[Path | None, Parameter(name="--home")] = None
    """Folder for vault, journal, embedded servers and config.toml (M26_HOME)."""
    debug: Annotated[bool, Parameter(name="--debug", negative="")] = False
    """Show tracebacks and debug log lines."""

    def load(self, overrides: dict[str, Any] | None = None, *, logs: bool = True) -> Loaded:
        """Read the settings, and set up logging by them where the command logs.

        A command of which nothing logs says so: logging takes long to import.
        """
        from m26 import config

        loaded = config.load(
            {"home": self.home, "log.level": "debug" if self.debug else None, **(overrides or {})}
        )
        if not logs:
            return loaded
        from m26 import log

        settings = loaded.settings
        log.configure(
            level=settings.log.level,
            fmt=settings.log.format,
            debug=self.debug,
            color=config.color_allowed(),
        )
        return loaded
