"""``m26 config show``: every setting, its value and where it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from m26.cli.options import Options
from m26.cli.output import dump_json, table

if TYPE_CHECKING:
    from m26.cli.documents import SettingsView, SettingView


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
    rows: list[SettingView] = [
        {
            "key": key,
            "environment": config.environment_name(key),
            "value": config.shown(loaded.settings, key),
            "origin": loaded.origins[key],
        }
        for key in config.every_key()
    ]
    if options.json:
        printed: SettingsView = {"items": rows}
        dump_json(printed)
        return
    columns = ("environment", "value", "origin") if origin else ("environment", "value")
    plain = ({**row, "value": None if row["value"] is None else str(row["value"])} for row in rows)
    table("", columns, ([row[column] for column in columns] for row in plain))
