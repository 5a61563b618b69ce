"""``m26 market diff``: what is other on offer than it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from m26.cli.asking import Answer, Question, Table, point_of, tell
from m26.cli.options import within
from m26.cli.shown import change, moment
from m26.errors import UsageError

if TYPE_CHECKING:
    from m26.market.rows import ChangeView
    from m26.market.views import DiffView
    from m26.store.prices import Prices


async def diff(
    *,
    since: Annotated[str, Parameter(name="--from")],
    until: Annotated[str | None, Parameter(name="--to")] = None,
    limit: Annotated[int, within(1, 10_000)] = 20,
    options: Question = Question(),
) -> int:
    """What changed on offer between two moments: floors, new cards, cards that are gone.

    Both are told as m26 could have known them then. Floors that moved farthest come first.

    Example: ``m26 market diff --from 2026-11-24T12:00:00Z``

    Args:
        since: the earlier moment, ISO 8601 (UTC unless it says otherwise) or seconds since 1970.
        until: the later one; default: now.
        limit: how many cards at most.
        options: options of every question.
    """
    if options.at is not None:
        raise UsageError("--at is not known here", hint="The moments are --from and --to.")
    begin, end = point_of(since), point_of(until)
    if begin is not None and end is not None and end <= begin:
        raise UsageError("--to is not after --from", hint="Exchange them.")

    async def ask(prices: Prices, platform: str) -> Answer:
        from m26.market.diff import changes
        from m26.market.views import DiffView as Kind

        before = await prices.latest(platform, at=begin)
        after = await prices.latest(platform, at=end)
        found = changes(before["items"], after["items"])
        kinds = [each["kind"] for each in found]
        document: DiffView = {
            "platform": platform,
            "at": after["at"],
            "seq": after["seq"],
            "market_time": after["market_time"],
            "building": after["building"],
            "since": before["at"] or "",
            "moved": kinds.count("moved"),
            "new": kinds.count("new"),
            "offered": kinds.count("offered"),
            "gone": kinds.count("gone"),
            "items": found[:limit],
            "next": None,
        }
        return Answer(document, Kind, [_table(found[:limit])], [("changed", _sum(document))])

    return await tell(ask, options)


def _sum(document: DiffView) -> str:
    return (
        f"{document['moved']:,} floors moved, {document['new']:,} new cards,"
        f" {document['offered']:,} offered again, {document['gone']:,} gone;"
        f" since {moment(document['since'])}"
    )


def _table(found: list[ChangeView]) -> Table:
    columns = (
        *("card", "ovr", "pos", "", "floor", "before", "change", "asks", "before"),
        *("last sale", "before", "id"),
    )
    rows = [
        (
            *(row["name"], row["overall"], row["position"], row["kind"]),
            *(row["floor"], row["floor_before"], change(row["change"])),
            *(row["asks"], row["asks_before"]),
            *(row["last_sale"], row["last_sale_before"], str(row["card_id"])),
        )
        for row in found
    ]
    return Table(columns, rows)
