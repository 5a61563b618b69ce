"""``m26 resume``: the operator's word that a STOP was dealt with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from m26.cli.options import Options
from m26.cli.output import dump_json, print_rows
from m26.cli.status import stop_rows, stop_views
from m26.home.runfile import read_run
from m26.home.stops import clear_stop, read_stops

if TYPE_CHECKING:
    from m26.cli.documents import ResumeView


def resume(*, options: Options = Options()) -> int:
    """Show why requests were stopped, and let them go on: every STOP of the home is cleared.

    A pause is none: it ends by itself.

    Example: ``m26 resume``

    Args:
        options: options of every command.
    """
    home = options.load(logs=False).settings.home
    stops, run = read_stops(home), read_run(home)
    if stops:
        clear_stop(home, stops)
    if options.json:
        cleared = stop_views(stops)
        printed: ResumeView = {
            "cleared": cleared[0] if cleared else None,
            "all_cleared": cleared,
            "running": run is not None,
        }
        dump_json(printed)
        return 0
    if not stops:
        print_rows([("state", f"nothing is stopped in {home}")])
        return 0
    following = f"m26 (pid {run.pid}) goes on" if run else "start it with: m26 run"
    shown = [row for row in stop_rows(stops) if row[0] != "do"]
    print_rows([*shown, ("cleared", following)])
    return 0
