"""``m26 config show``: every setting, its value and where it came from."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from m26.cli.options import Options
from m26.cli.output import dump_json, table


def show(
    *, origin: Annotated[bool, Parameter(negative="")] = False, options: Options = Options()
) -> None:
    """Print every setting; secrets as ``***``.

    Example: ``m26 config show --origin``

    Args:
        origin: also print where each value came from.
        options: options of every command.
    """
    from m26 import config

    loaded = options.load(logs=False)
    rows = [
        {
            "key": key,
            "environment": config.environment_name(key),
            "value": config.shown(loaded.settings, key),
            "origin": loaded.origins[key],
        }
        for key in config.every_key()
    ]
    if options.json:
        dump_json(rows)
        return
    columns = ("environment", "value", "origin") if origin else ("environment", "value")
    table("", columns, ([_plain(row[column]) for column in columns] for row in rows))


def _plain(value: object) -> object:
    return value if value is None else str(value)
