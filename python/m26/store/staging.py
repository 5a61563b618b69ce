"""A batch from far away: staged first, so that the stream head is locked for one round trip.

The rows are those of `Transaction`, by the same derivation. Between taking the lock and the end of
COMMIT the server is waited for once; near by, COPY straight into the tables is the faster way.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import asyncpg
import orjson

from m26 import _native
from m26.store import closings, coverage, late, partitions, sweeps
from m26.store import statements as sql
from m26.store.batch import Stored
from m26.store.copying import copy
from m26.store.knowledge import Head
from m26.store.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from m26._native import CopyBuffer, Delta

_STAGED = {
    "card": _native.CARD_COLUMNS,
    "auction_event": _native.EVENT_COLUMNS,
    "auction": _native.AUCTION_ROW_COLUMNS,
    "sighting": _native.SIGHTING_COLUMNS,
}


def _stage_of(table: str) -> str:
    """A stage's name; a pooler may keep it over an upgrade: it says how many columns it has."""
    return f"m26_stage_of_{table}_{len(_STAGED[table])}"


_BEGIN = "\n".join(
    [
        "BEGIN;",
        *(
            f"CREATE TEMP TABLE IF NOT EXISTS {_stage_of(table)} (LIKE m26.{table})"
            " ON COMMIT DELETE ROWS;"
            for table in _STAGED
        ),
        f"{sql.CREATE_STAGE};",
    ]
)
# $1: what is no COPY. It goes with the transaction, as does the name of the writer: who wrote the
# stream head last, as soon as this is committed.
_KEEP = "SELECT set_config('m26.batch', $1, true), pg_current_xact_id()::xid::text AS writer"


def _insert(table: str) -> str:
    # no user text: names of the tables above and of native columns
    names = ", ".join(name for name, _ in _STAGED[table])
    stage = f"pg_temp.{_stage_of(table)}"
    return f"INSERT INTO m26.{table} ({names}) SELECT {names} FROM {stage};"  # noqa: S608


_FINISH = f"""
{_insert("card")}
{sql.NOTE_VERSIONS.format(stage=_stage_of("card"))};
{_insert("auction_event")}
{closings.STAGED}
{_insert("auction")}
{sql.REWRITE_AUCTIONS};
{_insert("sighting")}
{late.STAGED}
{sql.NOTE_DRIFTS};
{sweeps.COUNT_STAGED};
{sweeps.CLOSE_STAGED};
{coverage.STAGED}
UPDATE m26.stream_head SET seq = (current_setting('m26.batch')::jsonb ->> 'seq')::bigint;
COMMIT;"""  # noqa: S608 - as above


class NotStagedError(Exception):
    """Nothing was stored: this batch has to go the usual way."""


class Staged(Transaction):
    """Stores one batch, or nothing of it, by a lock that is held for one round trip."""

    async def run(self) -> Stored:
        """Store the batch and commit.

        Raises:
            NotStagedError: there is something to quarantine, a partition is to be made, or another
                writer came between the look and the lock.
        """
        connection = self._connection
        rows, looked = self._batch.counts["auctions"], await self._look()
        stored = Stored(self._prepared.end, seq=looked.seq, pages=len(self._pages), rows=rows)
        missing: Sequence[tuple[int, int]] = ()
        delta: Delta | None = None
        if rows or self._inferred:
            # Read in no transaction: who waits for the stream head has a lock on nothing else.
            missing = await self._missing_cards()
            await self._known.read_back(connection, (self._batch, 0, rows), self._inferred)
            delta = await self._derive(0, rows, self._inferred, stored)
        began = time.perf_counter()
        await connection.execute(_BEGIN)
        self.round_trip = time.perf_counter() - began
        try:
            if missing:
                await self._stage("card", self._known.normalizer.cards(self._batch))
            if delta is not None:
                await self._stage_rows(delta, stored)
            ((_, writer),) = await connection.fetch(_KEEP, self._rest(delta, stored))
            await self._open()
            self._still(looked)
            await connection.execute(_FINISH)
        except BaseException:
            with suppress(asyncpg.InterfaceError, asyncpg.PostgresError, OSError):
                await connection.execute("ROLLBACK")  # who cannot be told has done so by himself
            raise
        self.head = Head(stored.seq, writer, looked.since)
        return stored

    async def _look(self) -> Head:
        """The stream head, before anybody is kept from moving it."""
        self._collect_rejects()
        if self._rejects:
            raise NotStagedError
        (row,) = await self._connection.fetch(sql.LOOK)
        looked = self.head = Head(*row)
        if looked != self._known.head:
            self._known.forget()
            self._known.head = looked  # what is read now holds as long as that does
        self.partition = await partitions.newest(
            self._connection,
            looked.seq + self._most_events,
            known=self._known.partition,
        )
        if self.partition < 0:
            raise NotStagedError
        return looked

    def _still(self, looked: Head) -> None:
        if self.head != looked:
            raise NotStagedError

    async def _stage_rows(self, delta: Delta, stored: Stored) -> None:
        await self._stage("auction_event", delta.events)
        await self._stage("auction", delta.listed)
        await copy(
            self._connection, sql.STAGE, _native.AUCTION_ROW_COLUMNS, delta.rewritten, "pg_temp"
        )
        await self._stage("sighting", delta.sightings)
        self._known.states.accept(delta)
        self._count(delta, stored)

    async def _stage(self, table: str, buffer: CopyBuffer) -> None:
        await copy(self._connection, _stage_of(table), _STAGED[table], buffer, "pg_temp")

    def _rest(self, delta: Delta | None, stored: Stored) -> str:
        """What is no COPY, for the end of the transaction."""
        records = self._prepared.records
        pages = [record.page for record in records if record.page is not None]
        counted, closed = sweeps.rows(pages, stored.sweeps)
        names = ("path", "kind", "count", "sample")
        drift = [dict(zip(names, row, strict=True)) for row in self._drift(stored)]
        rest = {"seq": stored.seq, "drift": drift, "counted": counted, "closed": closed}
        rest["amends"] = late.amends(delta) if delta is not None else {}
        rest["seen"] = coverage.rows(self._prepared)
        rest["closings"] = delta.closed if delta is not None else []
        return orjson.dumps(rest).decode()
