"""``m26 market``: what the record says of the market, and how far to believe it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from m26.cli.options import Options
from m26.cli.output import dump_json, table
from m26.errors import ShapeError

if TYPE_CHECKING:
    from m26.cli.market_documents import CalibrationView, ClaimsView, ValuesView

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


async def value(
    trace: str,
    /,
    *,
    at: str,
    options: Options = Options(),
) -> int:
    """What the cards of a market trace were worth at a moment, by what it shows up to then.

    No database is needed. A price is a local level on log price, beside what the whole market did;
    docs/PRICES.md says how. The range holds a card's value in four cases of five.

    Example: ``m26 market value trace.ndjson --at 2026-09-03T12:00:00Z``

    Args:
        trace: a file of NDJSON, compressed or not. Its form is in docs/PRICES.md, Traces.
        at: a moment, ISO 8601 (UTC unless it says otherwise) or seconds since 1970.
        options: options of every command.
    """
    from m26.captures.source import open_source
    from m26.cli.asking import moment_of
    from m26.market.trace import known_at
    from m26.market.value import values

    moment = moment_of(at)
    try:
        with open_source(trace) as lines:
            known = known_at(lines, moment)
    except EOFError as error:
        problem = f"{trace} is compressed and damaged or cut off: {error}"
        raise ShapeError(problem, hint="restore the file, or write the trace anew") from error
    found = list(values(known))
    if options.json:
        printed: ValuesView = {"items": found}
        dump_json(printed)
        return 0
    rows = (
        (
            each["card_id"],
            known.names.get(each["card_id"], ""),
            each["fair"],
            f"{each['fair_low']:,} to {each['fair_high']:,}",
            each["n"],
            each["n_copies"],
            each["method"],
            " ".join(each["flags"]),
        )
        for each in found
    )
    table("", ("card", "name", "fair", "range (80 %)", "sales", "copies", "method", "flags"), rows)
    return 0


def _shown(value: object) -> object:
    return f"{value:.1%}" if isinstance(value, float) else value
