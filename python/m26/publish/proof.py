"""Whether the stream still tells what history tells; a restored database may tell otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

import orjson

from m26.publish.stream import Stream, number

_IDENTITY = (
    "seq",
    "platform",
    "auction_id",
    "kind",
    "status",
    "bids",
    "current_bid",
    "next_bid",
    "buyout_price",
)
"""What tells an event from another one that got the same number. A member that a later version
adds to the JSON makes no other event of it."""


class History(Protocol):
    """Where committed events are read from (`m26.store.database.Store`)."""

    async def database_id(self) -> str: ...  # noqa: D102
    async def head(self) -> int: ...  # noqa: D102
    async def first_seq(self) -> int: ...  # noqa: D102
    async def events(self, after: int, limit: int) -> list[tuple[int, str]]: ...  # noqa: D102


def same_event(entry: str, row: str) -> bool:
    """Whether an entry of the stream tells the event of history's row, both JSON.

    History may date it sooner: what was late may show that its state was seen before.
    """
    if entry == row:
        return True
    try:
        a, b = orjson.loads(entry), orjson.loads(row)
    except ValueError:
        return False
    if not isinstance(a, dict) or not isinstance(b, dict):
        return False
    return all(a.get(name) == b.get(name) for name in _IDENTITY) and _not_later(b, a)


def _not_later(one: dict[str, Any], other: dict[str, Any]) -> bool:
    times = [each.get("observed_at") for each in (one, other)]
    try:
        a, b = (datetime.fromisoformat(str(time)) for time in times)
        later = a > b
    except (TypeError, ValueError):  # no times, or one of them without its zone
        later = times[0] != times[1]
    return not later


async def newest_agree(stream: Stream, history: History, *, head: int, count: int) -> bool:
    """Whether the last `count` entries are what history has under their numbers."""
    entries = await stream.newest(count)
    if not entries:
        return True
    top = number(entries[-1][0])  # a consumer may have deleted entries: take what is in reach
    entries = [entry for entry in entries if number(entry[0]) > top - count]
    low = number(entries[0][0])
    _, other = _compared(entries, await history.events(low - 1, count), head)
    return other is None


async def agreement(
    stream: Stream, history: History, *, head: int, chunk: int
) -> tuple[int, tuple[str, str] | None]:
    """How far the two tell the same: the last seq (0: nowhere), and the first entry that differs.

    From the first entry on: after a restore several collectors may have stored again in another
    order, so that what follows a difference may agree by chance.
    """
    agreed, start = 0, ""
    while entries := await stream.after(start, chunk):
        low = number(entries[0][0])  # as above, from the other end
        entries = [entry for entry in entries if number(entry[0]) < low + chunk]
        # Others may have written there under numbers that no history can have.
        rows = await history.events(low - 1, chunk) if low <= head else []
        reached, other = _compared(entries, rows, head)
        agreed = reached or agreed
        if other is not None:
            return agreed, other
        start = entries[-1][0]
    return agreed, None


def _compared(
    entries: Iterable[tuple[str, str]], rows: Iterable[tuple[int, str]], head: int
) -> tuple[int, tuple[str, str] | None]:
    known: Mapping[int, str] = dict(rows)
    oldest, agreed = min(known, default=head + 1), 0
    for entry, data in entries:
        seq = number(entry)
        if seq < oldest:
            continue  # history does not keep it any more
        if seq not in known or entry != f"{seq}-0" or not same_event(data, known[seq]):
            return agreed, (entry, data)
        agreed = seq
    return agreed, None
