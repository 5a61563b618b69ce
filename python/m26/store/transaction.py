"""The one transaction that stores a batch: cursor, cards, events, current state, rejects.

What an observation changes is derived in Rust from the committed state of its auction.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import asyncpg

from m26 import _native
from m26.models import Record
from m26.store import closings, coverage, late, partitions, rejects, sweeps
from m26.store import statements as sql
from m26.store.batch import Cursor, CursorMovedError, Prepared, Stored
from m26.store.connection import is_data, plain
from m26.store.copying import copy
from m26.store.knowledge import Head, Knowledge, columns
from m26.store.migrate import check_epoch
from m26.store.rejects import Reject

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    from m26._native import CopyBuffer, Delta
    from m26.store.closings import Inferred

MENDED = "card_mended"
"""Reason of a reject that keeps the bytes of a card; its auction is stored."""


class Transaction:
    """Stores one batch, or nothing of it.

    Args:
        connection: not in a transaction.
        known: its states become pending; whoever calls commits or aborts them.
        prepared: the batch.
        careful: after data that PostgreSQL refused. Read back what is not in memory, go by
            savepoints, and halve down to the row at fault, which goes to the quarantine.
    """

    def __init__(
        self,
        connection: PoolConnectionProxy[Any],
        known: Knowledge,
        prepared: Prepared,
        *,
        careful: bool,
    ) -> None:
        self._connection = connection
        self._known = known
        self._prepared, self._inferred = prepared, prepared.concluded.inferred
        self._batch, self._pages = prepared.batch, prepared.pages
        self._careful = careful
        self._rejects: list[Reject] = []
        self._pruned: list[int] = []
        self._new_cards: frozenset[tuple[int, int]] = frozenset()
        self.head = Head(0, "")
        """As it stands once this is committed."""
        self.partition = known.partition
        """The newest partition that is there once this is committed."""
        self.round_trip = 0.0
        """How long the server took for BEGIN, seconds."""

    async def run(self) -> Stored:
        """Store the batch and commit."""
        connection, rows = self._connection, self._batch.counts["auctions"]
        stored = Stored(pos=self._prepared.end, pages=len(self._pages), rows=rows)
        began = time.perf_counter()
        async with connection.transaction():
            self.round_trip = time.perf_counter() - began
            await self._open()
            stored.seq = self.head.seq
            if rows or self._inferred:
                self.partition = await partitions.ensure(
                    connection, stored.seq + self._most_events, known=self._known.partition
                )
                await self._insert_cards()
                await self._apply(0, rows, self._inferred, stored)
            await self._write_rejects(stored)
            await self._write_drift(stored)
            await coverage.write(connection, self._prepared)
            records = self._prepared.records
            pages = [record.page for record in records if record.page is not None]
            await sweeps.write(connection, pages, stored.sweeps)
            (head,) = await connection.fetch(sql.MOVE_HEAD, stored.seq)
            self.head = Head(*head)
        return stored

    @property
    def _most_events(self) -> int:
        return late.most(self._batch.counts["auctions"]) + len(self._inferred)

    async def _open(self) -> None:
        """Lock the stream head, see whether what is known still holds, and move the cursor."""
        given, by = self._prepared, self._prepared.claim.writer
        place = (given.part, given.begin, given.end)
        who = (None, None, None) if by is None else (by.token, by.host, by.since)
        proof = (given.checksum, given.claim.before)
        ((seq, writer, since, epoch, moved),) = await self._connection.fetch(
            sql.OPEN, *place, *who, *proof
        )
        check_epoch(epoch)
        if moved is None:
            row = await self._connection.fetchrow(sql.CURSOR, given.part)
            raise CursorMovedError(Cursor(*row) if row else Cursor())
        self.head = Head(seq, writer, since)
        if self.head != self._known.head:
            self._known.forget()

    async def _missing_cards(self) -> Sequence[tuple[int, int]]:
        """The card versions that are not in the table."""
        normalizer, batch = self._known.normalizer, self._batch
        if missing := normalizer.missing(batch):
            found = await self._connection.fetch(sql.KNOWN_CARDS, *columns(missing))
            normalizer.know([(row["card_id"], row["version"]) for row in found])
            missing = normalizer.missing(batch)
        self._new_cards = frozenset(missing)
        return missing

    async def _insert_cards(self) -> None:
        """Insert the card versions that are not in the table."""
        if not (missing := await self._missing_cards()):
            return
        cards = self._known.normalizer.cards(self._batch)
        if self._careful:
            await self._insert_some(cards, missing, 0, cards.rows)
        else:
            await copy(self._connection, "card", _native.CARD_COLUMNS, cards)
        for row in await self._connection.fetch(sql.MANY_VERSIONS, *columns(missing)):
            await self._note("card.version", "many_versions", 1, f"card {row['card_id']}")

    async def _insert_some(
        self, cards: CopyBuffer, keys: Sequence[tuple[int, int]], start: int, stop: int
    ) -> None:
        """Insert cards `start` to `stop`; halve where PostgreSQL refuses data, down to the card."""
        try:
            async with self._connection.transaction():
                await copy(self._connection, "card", _native.CARD_COLUMNS, cards.slice(start, stop))
        except asyncpg.PostgresError as error:
            if not is_data(error):
                raise
            if stop - start == 1:
                index = [row[:2] for row in self._batch.card_rows()].index(keys[start])
                self._reject(*self._batch.locate_card(index), rejects.CARD_REFUSED, plain(error))
                return
            middle = (start + stop) // 2
            await self._insert_some(cards, keys, start, middle)
            await self._insert_some(cards, keys, middle, stop)

    async def _apply(
        self, start: int, stop: int, inferred: Sequence[Inferred], stored: Stored
    ) -> None:
        """Apply rows `start` to `stop`, and what was inferred before and behind their pages.

        An auction that is not in memory is taken as new. Where it is not new, its row is in the
        way of COPY, and the batch is tried again carefully.
        """
        rows = (self._batch, start, stop)
        await self._known.read_back(self._connection, rows, inferred, careful=self._careful)
        delta = await self._derive(start, stop, inferred, stored)
        try:
            await self._write(delta)
        except asyncpg.PostgresError as error:
            if not (self._careful and start < stop and is_data(error)):
                raise
            if stop - start == 1:
                self._reject(*self._batch.locate(start), rejects.AUCTION_REFUSED, plain(error))
                await self._apply(stop, stop, inferred, stored)
                return
            middle = (start + stop) // 2
            page = self._batch.locate(middle)[0]
            sooner = [each for each in inferred if each[0] <= page]
            await self._apply(start, middle, sooner, stored)
            await self._apply(middle, stop, inferred[len(sooner) :], stored)
            return
        self._known.states.accept(delta)
        self._count(delta, stored)

    async def _derive(
        self, start: int, stop: int, inferred: Sequence[Inferred], stored: Stored
    ) -> Delta:
        derive = partial(
            self._known.states.derive,
            self._batch,
            start,
            stop,
            head=stored.seq,
            part=self._prepared.part,
            positions=[pos for pos, _ in self._pages],
            inferred=inferred,
            since=self.head.since,
        )
        if not (wanted := (delta := derive()).wanted):
            return delta
        events = await self._connection.fetch(late.READ_PAST, *columns(wanted))
        return derive(events=[tuple(row) for row in events])

    async def _write(self, delta: Delta) -> None:
        if not self._careful:
            await self._write_all(delta)
            return
        async with self._connection.transaction():  # a savepoint
            await self._write_all(delta)

    async def _write_all(self, delta: Delta) -> None:
        await copy(self._connection, "auction_event", _native.EVENT_COLUMNS, delta.events)
        await closings.write(self._connection, delta)
        await copy(self._connection, "auction", _native.AUCTION_ROW_COLUMNS, delta.listed)
        if delta.rewritten.rows:
            await self._connection.execute(sql.CREATE_STAGE)
            if self._careful:
                await self._connection.execute(sql.EMPTY_STAGE)
            await copy(
                self._connection, sql.STAGE, _native.AUCTION_ROW_COLUMNS, delta.rewritten, "pg_temp"
            )
            await self._connection.execute(sql.REWRITE_AUCTIONS)
        await copy(self._connection, "sighting", _native.SIGHTING_COLUMNS, delta.sightings)
        await late.write(self._connection, delta)

    def _count(self, delta: Delta, stored: Stored) -> None:
        self._pruned += delta.pruned
        stored.pruned = len(self._pruned)
        stored.seq += len(delta.closed)
        stored.kinds.update(closed=len(delta.closed))
        stored.outcomes.update(closing[2] for *_, closing in delta.closed)
        for index, seen, new, changed, told, listed, bid, closed, events in delta.pages:
            _, page = self._pages[index]
            stored.new += new
            stored.changed += changed
            stored.unchanged += seen - new - changed - told
            stored.late += told
            stored.seq += events
            stored.outcomes["status"] += closed
            stored.kinds.update(
                listed=listed, bid=bid, closed=closed, changed=events - listed - bid - closed
            )
            if page.sweep:
                counts = stored.sweeps.setdefault((page.platform, page.sweep), Counter())
                counts.update(seen=seen, new=new, changed=changed, late=told)

    def _reject(
        self, page: int, item: int | None, start: int, stop: int, reason: str, detail: str
    ) -> None:
        pos, source = self._pages[page]
        self._rejects.append(Reject(pos, item, start, stop, reason, detail, source))

    def _collect_rejects(self) -> None:
        """What the batch could not be read as; rows that PostgreSQL refuses come beside it."""
        told = self._mended_before()
        for reject in self._batch.rejects:
            page, item, *_, reason, _ = reject
            if reason == MENDED and (page, item) in told:
                continue
            if item is not None or rejects.is_kept(self._pages[page][1]):
                self._reject(*reject)
        refused = [Record(*self._pages[page]) for page in self._batch.refused]
        for record in (*rejects.without_data(self._prepared.records), *refused):
            self._rejects.extend(rejects.of_record(record))

    def _mended_before(self) -> set[tuple[int, int | None]]:
        """Places of mended cards that are in the table, and so in the quarantine, already."""
        if not any(reason == MENDED for *_, reason, _ in self._batch.rejects):
            return set()
        keys = [row[:2] for row in self._batch.card_rows()]
        known = (index for index, key in enumerate(keys) if key not in self._new_cards)
        return {self._batch.locate_card(index)[:2] for index in known}

    async def _write_rejects(self, stored: Stored) -> None:
        self._collect_rejects()
        stored.rejects = await rejects.write(self._connection, self._prepared.part, self._rejects)

    def _drift(self, stored: Stored) -> Sequence[tuple[str, str, int, str]]:
        """What is surprising of the batch, and of what it says of auctions that are pruned."""
        found = list(self._batch.drift)
        if pruned := self._pruned:
            found.append(("auction", "pruned", len(pruned), f"auction {pruned[0]}"))
        stored.drift = sum(count for _, _, count, _ in found)
        return found

    async def _write_drift(self, stored: Stored) -> None:
        for row in self._drift(stored):
            await self._note(*row)

    async def _note(self, path: str, kind: str, count: int, sample: str) -> None:
        await self._connection.execute(sql.NOTE_DRIFT, path, kind, count, sample)
