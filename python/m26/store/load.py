"""The one transaction that stores a batch: cursor, cards, events, current state, rejects."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import asyncpg

from m26.models import Page, Record
from m26.normalize import Normalizer
from m26.store import merge, partitions, rejects, sweeps
from m26.store.connection import is_data, plain, within
from m26.store.rejects import Reject, may_list_auctions

if TYPE_CHECKING:
    from asyncpg.pool import Pool, PoolConnectionProxy

    from m26._native import Batch, CopyBuffer

_SLICE = 256 << 10  # one CopyData message; the driver waits for the socket between two
# A batch touches thousands of rows of maybe millions: always by index. Left to itself the planner
# reads all of `auction` for every batch until the table has some hundred thousand rows.
SESSION = """
SELECT set_config('lock_timeout', '20s', true),
    set_config('idle_in_transaction_session_timeout', '60s', true),
    set_config('timezone', 'UTC', true),
    set_config('enable_seqscan', 'off', true),
    set_config('enable_hashjoin', 'off', true),
    set_config('enable_mergejoin', 'off', true)"""
"""Settings of the transaction that stores a batch."""


class CursorMovedError(Exception):
    """The cursor is not where this batch begins: a lost COMMIT reply, or a rival."""

    def __init__(self, pos: int) -> None:
        super().__init__(f"the cursor stands at {pos}")
        self.pos = pos


@dataclass(slots=True)
class Stored:
    """What one committed batch came to."""

    pos: int
    """The cursor: records of this part that are stored."""
    seq: int = 0
    """The stream head."""
    pages: int = 0
    rows: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    late: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    drift: int = 0
    seconds: float = 0.0
    sweeps: dict[sweeps.Key, Counter[str]] = field(default_factory=dict)


class Loader:
    """Writes batches of one process. Not for concurrent use."""

    def __init__(
        self, pool: Callable[[], Pool[Any]], normalizer: Normalizer, *, deadline: float = 60
    ) -> None:
        self._pool = pool
        self._normalizer = normalizer
        self._deadline = deadline

    async def store(self, part: str, records: Sequence[Record]) -> Stored:
        """Store consecutive records of one part, exactly once.

        Raises:
            CursorMovedError: the part's cursor is not at the first record.
            OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError: nothing of the
                batch is known to be stored; try again from `cursor`.
        """
        started = time.perf_counter()
        pages = [(r.pos, r.page) for r in records if r.page and may_list_auctions(r.page)]
        batch = await self._normalizer.normalize([page for _, page in pages])
        async with self._pool().acquire(timeout=self._deadline) as connection:
            transaction = _Transaction(connection, part, records, pages, batch)
            stored = await within(self._deadline, connection, transaction.run())
        self._normalizer.confirm(batch)
        stored.seconds = time.perf_counter() - started
        return stored


@dataclass(slots=True)
class _Transaction:
    connection: PoolConnectionProxy[Any]
    part: str
    records: Sequence[Record]
    pages: Sequence[tuple[int, Page]]
    batch: Batch
    rejects: list[Reject] = field(default_factory=list)

    async def run(self) -> Stored:
        connection = self.connection
        begin, end = self.records[0].pos, self.records[-1].pos + 1
        stored = Stored(pos=end, pages=len(self.pages), rows=self.batch.auctions.rows)
        async with connection.transaction():
            await connection.execute(SESSION)
            seq = await connection.fetchval("SELECT seq FROM m26.stream_head FOR UPDATE")
            await self._move_cursor(begin, end)
            stored.seq = seq
            if self.batch.auctions.rows:
                await partitions.ensure(connection, seq + self.batch.auctions.rows)
                await connection.execute(merge.CREATE_STAGES)
                await self._apply_cards(0, self.batch.cards.rows)
                await self._apply(0, self.batch.auctions.rows, stored)
            await self._write_rejects(stored)
            await self._write_drift(stored)
            pages = [record.page for record in self.records if record.page is not None]
            await sweeps.write(connection, pages, stored.sweeps)
            await connection.execute("UPDATE m26.stream_head SET seq = $1", stored.seq)
        return stored

    async def _move_cursor(self, begin: int, end: int) -> None:
        await self.connection.execute(
            "INSERT INTO m26.ingest_cursor (part) VALUES ($1) ON CONFLICT DO NOTHING", self.part
        )
        moved = await self.connection.fetchval(
            "UPDATE m26.ingest_cursor SET pos = $3 WHERE part = $1 AND pos = $2 RETURNING pos",
            self.part,
            begin,
            end,
        )
        if moved is None:
            pos = await self.connection.fetchval(
                "SELECT pos FROM m26.ingest_cursor WHERE part = $1", self.part
            )
            raise CursorMovedError(int(pos))

    async def _apply_cards(self, start: int, stop: int) -> None:
        """Insert cards `start` to `stop`; halve where PostgreSQL refuses data, down to the card."""
        if start == stop:
            return
        try:
            async with self.connection.transaction():
                await self._copy(merge.CARD_STAGE, self.batch.cards, start, stop)
                await self.connection.execute(merge.INSERT_CARDS)
                for row in await self.connection.fetch(merge.MANY_VERSIONS):
                    await self._note("card.version", "many_versions", 1, f"card {row['card_id']}")
        except asyncpg.PostgresError as error:
            if not is_data(error):
                raise
            if stop - start == 1:
                self._reject(*self.batch.locate_card(start), "card_refused", plain(error))
                return
            middle = (start + stop) // 2
            await self._apply_cards(start, middle)
            await self._apply_cards(middle, stop)

    async def _apply(self, start: int, stop: int, stored: Stored) -> None:
        """Apply rows `start` to `stop`; halve where PostgreSQL refuses data, down to the row."""
        try:
            async with self.connection.transaction():
                rows = await self._merge(start, stop, stored.seq)
        except asyncpg.PostgresError as error:
            if not is_data(error):
                raise
            if stop - start == 1:
                self._reject(*self.batch.locate(start), "auction_refused", plain(error))
                return
            middle = (start + stop) // 2
            await self._apply(start, middle, stored)
            await self._apply(middle, stop, stored)
            return
        self._count(rows, stop - start, stored)

    async def _merge(self, start: int, stop: int, seq: int) -> list[Any]:
        await self._copy(merge.AUCTION_STAGE, self.batch.auctions, start, stop)
        if await self.connection.fetchval(merge.MAY_BE_LATE):
            await self.connection.execute(merge.FOLD_SIGHTINGS)
        positions = [pos for pos, _ in self.pages]
        rows = await self.connection.fetch(merge.MERGE, seq, self.part, positions)
        if any(row["closed"] for row in rows):
            await self.connection.execute(merge.CLOSE_AUCTIONS, seq)
        return rows

    async def _copy(self, table: str, buffer: CopyBuffer, start: int, stop: int) -> None:
        if stop - start < buffer.rows:  # halving: earlier halves may still stand in the stage
            await self.connection.execute(f"TRUNCATE pg_temp.{table}")
            buffer = buffer.slice(start, stop)
        await self.connection.copy_to_table(
            table, schema_name="pg_temp", source=_slices(buffer), format="binary"
        )

    def _count(self, rows: Sequence[Any], total: int, stored: Stored) -> None:
        seen = 0
        for row in rows:
            _, page = self.pages[row["page"]]
            seen += row["seen"]
            stored.new += row["new"]
            stored.changed += row["changed"]
            stored.seq += row["events"]
            stored.kinds["listed"] += row["listed"]
            stored.kinds["bid"] += row["bid"]
            stored.kinds["closed"] += row["closed"]
            stored.kinds["changed"] += row["events"] - row["listed"] - row["bid"] - row["closed"]
            if page.sweep:
                counts = stored.sweeps.setdefault((page.platform, page.sweep), Counter())
                counts.update(seen=row["seen"], new=row["new"], changed=row["changed"])
        stored.unchanged += seen - sum(row["new"] + row["changed"] for row in rows)
        stored.late += total - seen

    def _reject(
        self, page: int, item: int | None, start: int, stop: int, reason: str, detail: str
    ) -> None:
        pos, source = self.pages[page]
        raw = source.body[start:stop]
        self.rejects.append(Reject(pos, item, start, stop, reason, detail, raw))

    async def _write_rejects(self, stored: Stored) -> None:
        for reject in self.batch.rejects:
            page, item, *_ = reject
            if item is not None or rejects.is_kept(self.pages[page][1]):
                self._reject(*reject)
        refused = [Record(*self.pages[page]) for page in self.batch.refused]
        for record in (*rejects.without_data(self.records), *refused):
            self.rejects.extend(rejects.of_record(record))
        stored.rejects = await rejects.write(self.connection, self.part, self.rejects)

    async def _write_drift(self, stored: Stored) -> None:
        for path, kind, count, sample in self.batch.drift:
            await self._note(path, kind, count, sample)
            stored.drift += count

    async def _note(self, path: str, kind: str, count: int, sample: str) -> None:
        await self.connection.execute(
            "INSERT INTO m26.drift AS d (path, kind, count, sample) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (path, kind) DO UPDATE SET count = d.count + excluded.count,"
            " last_seen = now()",
            path,
            kind,
            count,
            sample,
        )


async def _slices(buffer: CopyBuffer) -> AsyncIterator[Any]:
    view = memoryview(buffer)
    for at in range(0, len(view), _SLICE):
        yield view[at : at + _SLICE]
