"""Chosen rejects in, read by today's rules; what they hold is stored by the one transaction.

A reject is `new` until the transaction that stores what it holds makes it `retried`: whatever is
killed, lost or done twice at once, it is stored once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import asyncpg
import orjson
from anyio.to_thread import run_sync

from m26 import _native
from m26.errors import StorageError
from m26.models import Page, Record
from m26.normalizer import Normalizer
from m26.store import connection as connections
from m26.store import quarantine, rejects
from m26.store.batch import CursorMovedError, Prepared, Stored
from m26.store.database import Store
from m26.store.knowledge import Knowledge
from m26.store.quarantine import DEADLINE, Choice
from m26.store.transaction import MENDED, Transaction

PART = "rejects"
"""The part of all that is stored by a retry: never taken for the order of a journal."""

_SETTLE = """
UPDATE m26.reject SET state = 'retried' WHERE id = ANY ($1::bigint[]) AND state = 'new'
RETURNING id"""
_REFUSED = "UPDATE m26.reject SET state = 'new', reason = $2, detail = $3 WHERE id = $1"


@dataclass(slots=True, kw_only=True)
class Retried:
    """What a retry came to."""

    chosen: int = 0
    stored: int = 0
    """Rejects that hold nothing more to store: they are `retried` now."""
    refused: Counter[str] = field(default_factory=Counter)
    """Rejects that were refused again, by the reason that they have now."""
    unreadable: Counter[str] = field(default_factory=Counter)
    """Rejects that cannot be read again, by why."""
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    late: int = 0
    events: int = 0

    @property
    def settled_before(self) -> int:
        """Rejects that were retried or dropped already, or are so meanwhile."""
        return self.chosen - self.stored - self.refused.total() - self.unreadable.total()


@dataclass(frozen=True, slots=True)
class _Row:
    """A reject that is to be read again."""

    id: int
    part: str
    pos: int
    item: int | None
    page: Page


class _SettledError(Exception):
    """Someone else has retried or dropped one of the rejects since they were looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Again(Prepared):
    """Rejects as one batch; the position of a record is the number of its reject."""

    at: int
    """The part's cursor: batches of rejects that are stored."""
    rows: Mapping[int, _Row]

    @property
    def begin(self) -> int:
        return self.at

    @property
    def end(self) -> int:
        return self.at + 1


class _Retry(Transaction):
    """Stores what rejects hold, and settles them."""

    _prepared: _Again

    async def _open(self) -> None:
        await super()._open()
        rows = self._prepared.rows
        if len(await self._connection.fetch(_SETTLE, list(rows))) != len(rows):
            raise _SettledError

    async def _write_rejects(self, stored: Stored) -> None:
        self._collect_rejects()
        again: dict[int, tuple[str, str]] = {}
        items: list[tuple[str, rejects.Reject]] = []
        for reject in self._rejects:
            row = self._prepared.rows[reject.pos]
            if reject.reason == MENDED or (row.item is None and reject.item is not None):
                # Beside what is stored by now: a card as it was served, an item that is not.
                item = reject.item if row.item is None else row.item
                items.append((row.part, replace(reject, pos=row.pos, item=item)))
            else:
                again[row.id] = (reject.reason, reject.detail)
        await self._connection.executemany(_REFUSED, [(id_, *why) for id_, why in again.items()])
        for part, group in groupby(sorted(items, key=lambda each: each[0]), lambda each: each[0]):
            await rejects.write(self._connection, part, [reject for _, reject in group])
        stored.rejects = Counter(reason for reason, _ in again.values())


async def retry(
    store: Store,
    choice: Choice,
    *,
    normalizer: Callable[[], Normalizer],
    find: Callable[[str, int], Page | None],
) -> Retried:
    """Read chosen rejects once more, oldest first, and store what they hold.

    Args:
        store: the database.
        choice: which ones; those that are not new are passed.
        normalizer: makes a new one.
        find: page of a part at a position, for rejects that do not know theirs; it may block.

    Raises:
        UsageError: there is no reject of a chosen number.
        StorageError: the database does not answer. What was stored before stays so.
    """
    result = Retried()
    try:
        result.chosen, top = await quarantine.chosen(store, choice)
        after = 0
        while rows := await quarantine.following(store, choice, after, top):
            kept, unreadable = await run_sync(_readable, rows, find)
            try:
                if kept:
                    await _store(store, kept, normalizer(), result)
            except (CursorMovedError, _SettledError):  # someone else is at it: look again
                continue
            result.unreadable.update(unreadable)
            after = rows[-1]["id"]
    except connections.OUTAGES as error:
        raise StorageError(
            f"PostgreSQL does not answer: {connections.plain(error)}; {result.stored} of "
            f"{result.chosen} rejects are stored for certain",
            hint="Run the same command again: what is stored is not stored again.",
        ) from error
    return result


def _readable(
    rows: Sequence[Mapping[str, Any]], find: Callable[[str, int], Page | None]
) -> tuple[list[_Row], Counter[str]]:
    """Rejects that can be read again, and how many cannot, by why."""
    kept, unreadable = [], Counter[str]()
    for row in rows:
        page = None
        if row["reason"] == "journal_damaged":
            why = "its record is gone: there is nothing to read"
        elif (page := _page(row, find)) is None:
            why = (
                "an older m26 kept nothing but its bytes, and its record is not in the journal of "
                "this home"
            )
        elif not rejects.may_list_auctions(page):
            why, page = "it is no whole reply of the market: there is nothing to store", None
        if page is None:
            unreadable[why] += 1
        else:
            kept.append(_Row(row["id"], row["part"], row["pos"], row["item"], page))
    return kept, unreadable


def _page(row: Mapping[str, Any], find: Callable[[str, int], Page | None]) -> Page | None:
    """The page of a reject, or of its one auction; as it was received then."""
    origin, raw = row["origin"], bytes(row["raw"])
    if origin is None:
        found = find(row["part"], row["pos"])
        if found is None or found.body[row["byte_from"] : row["byte_to"]] != raw:
            return None
        origin = rejects.origin_of(found)
    known = orjson.loads(origin)
    if row["item"] is not None:
        raw = _alone(raw, known["response_time"], row["byte_from"])
    kept = {name: known[name] for name in rejects.ORIGIN if name in known}
    # In no sweep: the page was counted in its own when it came.
    return Page(**kept, query="{}", content_type="", body=raw)


def _alone(raw: bytes, response_time: int | None, start: int) -> bytes:
    """A reply that lists one auction, which begins where it did: faults are told by their byte."""
    data = {} if response_time is None else {"responseTime": response_time}
    head = b'{"responseInfo":{"value":{"responseData":%b,"details":[' % orjson.dumps(data)
    return b"%b%b]}}}" % (head.ljust(start), raw)


async def _store(store: Store, rows: Sequence[_Row], reader: Normalizer, result: Retried) -> None:
    """Store rejects in one transaction, and count what they came to."""
    batch = await reader.normalize([row.page for row in rows])
    again = _Again(
        PART,
        [Record(row.id, row.page) for row in rows],
        [(row.id, row.page) for row in rows],
        batch,
        at=await store.cursor(PART),
        rows={row.id: row for row in rows},
    )
    try:
        stored = await _attempt(store, again, reader, careful=False)
    except asyncpg.PostgresError as error:
        if not connections.is_data(error):
            raise
        stored = await _attempt(store, again, reader, careful=True)
    result.stored += len(rows) - stored.rejects.total()
    result.refused.update(stored.rejects)
    result.new += stored.new
    result.changed += stored.changed
    result.unchanged += stored.unchanged
    result.late += stored.late
    result.events += stored.kinds.total()


async def _attempt(store: Store, again: _Again, reader: Normalizer, *, careful: bool) -> Stored:
    # Nothing is known beforehand, and nothing is kept for a next batch.
    known = Knowledge(reader, _native.States())
    async with store.acquire(timeout=DEADLINE) as connection:
        retrying = _Retry(connection, known, again, careful=careful)
        return await connections.within(DEADLINE, connection, retrying.run())
