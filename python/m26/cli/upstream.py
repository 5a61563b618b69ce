"""``m26 upstream``: what was found out of the upstream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from m26.cli.options import Options
from m26.cli.output import dump_json, say, table
from m26.cli.plan import NOTHING

if TYPE_CHECKING:
    from m26.cli.plan_documents import UpstreamView


def show(*, options: Options = Options()) -> None:
    """What the upstream does one way or the other: pinned or learned, since when, and by what.

    It is read from the home, whether m26 runs or not. Pins stand in the profile's ``[upstream]``.

    Example: ``m26 upstream show``

    Args:
        options: options of every command.
    """
    from m26.collect.outlook import capabilities, spelled
    from m26.collect.plan import kept

    planners = kept(options.load(logs=False).settings.home)
    printed: UpstreamView = {
        "markets": [
            {"platform": platform, "capabilities": capabilities(planner)}
            for platform, planner in planners.items()
        ]
    }
    if options.json:
        dump_json(printed)
        return
    for market in printed["markets"]:
        rows = [
            (each["flag"], spelled(each), each["origin"], each["since"], each["evidence"])
            for each in market["capabilities"]
        ]
        table(market["platform"], ("capability", "value", "", "since", "by what"), rows)
    if not planners:
        say(NOTHING)
