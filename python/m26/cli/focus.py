"""``m26 plan focus``: weights in, kept in the home; what they give and cost the rest out."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from m26.cli.options import Options
from m26.cli.output import dump_json, say, table
from m26.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from m26.cli.plan_documents import FocusView
    from m26.config import Loaded

_KEY = "plan.focus"
_WRITE = "Write for example: m26 plan focus --card 13522975=5 --overall 85-99=2 --position QB=3"
_Weights = Annotated[list[str] | None, Parameter(negative="")]


def focus(
    *,
    card: _Weights = None,
    overall: _Weights = None,
    position: _Weights = None,
    program: _Weights = None,
    clear: Annotated[bool, Parameter(negative="")] = False,
    options: Options = Options(),
) -> None:
    """What matters more, and what that gives and costs the rest; with weights: set them.

    A weight is over 0 up to 100, that of what is named nowhere is 1. Weights are kept in the home,
    beside those set before; a running m26 takes them up within half a minute.

    Example: ``m26 plan focus --position QB=3 --overall 85-99=2 --program "Core=1.5"``

    Args:
        card: CARD_ID=WEIGHT.
        overall: a rating or a range of them: 90=WEIGHT, 85-99=WEIGHT.
        position: POSITION=WEIGHT.
        program: PROGRAM=WEIGHT.
        clear: forget the weights set before, first.
        options: options of every command.
    """
    loaded = options.load(logs=False)
    lists = {"cards": card, "overall": overall, "position": position, "program": program}
    given = {kind: dict(map(_weight, of)) for kind, of in lists.items() if of}
    if given or clear:
        loaded = _keep(loaded.settings.home, given, clear=clear, options=options)
    _show(loaded, options)


def _weight(text: str) -> tuple[str, float]:
    name, _, weight = text.rpartition("=")
    try:
        found = float(weight)
    except ValueError:
        found = math.nan
    if not name or not name.isprintable() or math.isnan(found):
        raise UsageError(
            f"{text!r} is no weight: it is a name, = and a number",
            hint=_WRITE,
        )
    return name, found


def _keep(
    home: Path, given: dict[str, dict[str, float]], *, clear: bool, options: Options
) -> Loaded:
    from pydantic import ValidationError

    from m26.config import FOCUS, Plan
    from m26.home.files import cannot, write_private
    from m26.home.lock import turn
    from m26.tomlfile import parse_toml

    path = home / FOCUS
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with turn(home / ".focus.lock"):
            loaded = options.load(logs=False)
            origin = loaded.origins[_KEY]
            if origin != "default" and not origin.startswith(f"{path}:"):
                raise ConfigError(
                    f"the focus is set by {origin}, which counts before what this command keeps",
                    hint="Change it there; or unset it, restart m26, and use this command.",
                )
            before = {} if clear else loaded.settings.plan.focus
            weights = {
                kind: {**before.get(kind, {}), **given.get(kind, {})}
                for kind in {**before, **given}
            }
            text = _toml(Plan(focus=weights).focus)
            parse_toml(path, text)  # what could not be read again is not written
            if weights:
                write_private(path, text)
            else:
                path.unlink(missing_ok=True)
            return options.load(logs=False)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        what = " ".join(str(part) for part in first["loc"][1:]) or "a weight"
        why = first["msg"].removeprefix("Value error, ")
        raise UsageError(
            f"{what} cannot be set: {why}",
            hint=_WRITE,
        ) from None
    except OSError as error:
        raise cannot("write", path, error) from None


def _toml(weights: dict[str, dict[str, float]]) -> bytes:
    """As in config.toml; of printable names JSON's strings are TOML's."""
    lines = ["# Written by `m26 plan focus`. A [plan.focus] of config.toml counts before it."]
    for kind, of in weights.items():
        lines.append(f"[{_KEY}.{kind}]")
        lines += [f"{json.dumps(name, ensure_ascii=False)} = {of[name]}" for name in of]
    return "\n".join([*lines, ""]).encode()


def _show(loaded: Loaded, options: Options) -> None:
    from m26.collect.plan import kept

    weights = loaded.settings.plan.focus
    printed: FocusView = {
        "weights": weights,
        "origin": loaded.origins[_KEY],
        "markets": [
            {
                "platform": platform,
                "groups": [
                    {"weight": weight, "auctions": lots, "ended": over, "told": told}
                    for weight, lots, over, told in reversed(planner.by_weight())
                ],
            }
            for platform, planner in kept(loaded.settings.home).items()
        ],
    }
    if options.json:
        dump_json(printed)
        return
    given = ((kind, name, weight) for kind, of in weights.items() for name, weight in of.items())
    say(f"What weighs otherwise than 1, by {printed['origin']}:\n")
    table("", ("kind", "which", "weight"), given)
    rows = [
        (
            market["platform"],
            group["weight"],
            group["auctions"],
            group["ended"],
            f"{group['told'] / group['ended']:.1%}" if group["ended"] else "-",
        )
        for market in printed["markets"]
        for group in market["groups"]
    ]
    table("", ("platform", "weight", "auctions", "ended", "told"), rows)
