"""``m26 market``: what the record says of the market, and how far to believe it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from m26.cli.options import Options
from m26.cli.output import dump_json, table

if TYPE_CHECKING:
    from m26.cli.market_documents import CalibrationView, ClaimsView

_COLUMNS = ("platform", "evidence", "band", "asked", "said", "right", "price_said", "price_right")


async def calibration(*, options: Options = Options()) -> int:
    """How sure inferred outcomes were said to be, and how often later proof agreed.

    One line for each rule and band of buyout price against the median: of so many outcomes that
    were asked of later (older ones count less), the share that was said to be right and the share
    that was; the last two columns say the same of outcome and price together.

    Example: ``m26 market calibration``

    Args:
        options: options of every command.
    """
    from m26.app.servers import database
    from m26.clock import iso

    async with database(options.load()) as store:
        found = await store.calibration()
    if options.json:
        since = [{**row, "applies_from": iso(row["applies_from"].timestamp())} for row in found]
        printed: CalibrationView = {"items": cast("list[ClaimsView]", since)}
        dump_json(printed)
        return 0
    rows = ([_shown(row[column]) for column in _COLUMNS] for row in found)
    table("", _COLUMNS, rows)
    return 0


def _shown(value: object) -> object:
    return f"{value:.1%}" if isinstance(value, float) else value
