"""Records in, one committed transaction out: read ahead of it, and tried again where that helps."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import asyncpg
from anyio.to_thread import run_sync

from m26 import _native
from m26.models import Page, Record
from m26.normalizer import Normalizer
from m26.servertime import Dating
from m26.store.batch import Concluded, Prepared, Stored
from m26.store.connection import is_data, within
from m26.store.database import Store
from m26.store.inference import Inference
from m26.store.knowledge import Knowledge
from m26.store.rejects import may_list_auctions
from m26.store.staging import NotStagedError, Staged
from m26.store.transaction import Transaction

if TYPE_CHECKING:
    from pathlib import Path

    from asyncpg.pool import PoolConnectionProxy

    from m26._native import Batch
    from m26.journal import Journal

KEPT = 250_000
"""Auctions whose state is kept in memory: more than are alive at once."""
FAR = 0.005
"""Seconds of a round trip from which on a batch is staged before it locks others out."""


class Loader:
    """Writes batches of one process. `prepare` may run beside `commit`; neither beside itself.

    Args:
        store: the database.
        normalizer: knows the cards that are stored.
        deadline: longest time for one batch, seconds.
        kept: auctions whose state is kept in memory, at least; twice as many at most.
        far: whether the server is far away; None: by the last batches' round trips.
        inference: what infers outcomes; one that keeps nothing unless given.
    """

    def __init__(
        self,
        store: Store,
        normalizer: Normalizer,
        *,
        deadline: float = 60,
        kept: int = KEPT,
        far: bool | None = None,
        inference: Inference | None = None,
    ) -> None:
        self._store = store
        self._inference = inference or Inference(normalizer)
        self._normalizer = normalizer
        self._deadline = deadline
        self._far = far
        self._round_trips = deque[float](maxlen=3)
        self._dating, self._dated_to = Dating(), ("", -1)
        self._known = Knowledge(normalizer, _native.States(capacity=kept))

    @property
    def is_far(self) -> bool:
        """Whether round trips cost more than COPY into stages does."""
        if self._far is not None:
            return self._far
        return min(self._round_trips, default=0.0) > FAR

    @classmethod
    def of_journal(
        cls, store: Store, journal: Journal, normalizer: Normalizer, *, folder: Path | None = None
    ) -> Self:
        """One for a journal, which is read again where it has to be.

        Args:
            store: the database.
            journal: whose records are given.
            normalizer: knows no card.
            folder: where snapshots of what is inferred are kept; None: nowhere.
        """
        inference = Inference(normalizer, folder=folder, history=lambda _, pos: journal.again(pos))
        return cls(store, normalizer, inference=inference)

    async def prepare(self, part: str, records: Sequence[Record]) -> Prepared:
        """Read consecutive records of one part; nothing is stored yet."""
        records = self._dated(part, records)
        pages = [(r.pos, r.page) for r in records if r.page and may_list_auctions(r.page)]
        batch, concluded = await run_sync(self._read, part, records, [page for _, page in pages])
        return Prepared(part, records, pages, batch, concluded=concluded)

    def _read(
        self, part: str, records: Sequence[Record], pages: Sequence[Page]
    ) -> tuple[Batch, Concluded]:
        """What records say: by themselves, and after those before them. In a worker thread."""
        batch = self._normalizer.read(pages)
        return batch, self._inference.conclude(part, records, batch)

    def _dated(self, part: str, records: Sequence[Record]) -> Sequence[Record]:
        """The records with the times that earlier versions left to the store."""
        if (part, records[0].pos) != self._dated_to:
            self._dating = Dating()
        self._dated_to = part, records[-1].end
        return [r if r.page is None else replace(r, page=self._dating(r.page)) for r in records]

    async def commit(self, prepared: Prepared) -> Stored:
        """Store a prepared batch, exactly once.

        Raises:
            CursorMovedError: the part's cursor is not at the first record.
            OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError: nothing of the
                batch is known to be stored; try again from `cursor`.
        """
        started = time.perf_counter()
        try:
            stored = await self._attempt(prepared, careful=False)
        except asyncpg.PostgresError as error:
            if not is_data(error):
                raise
            stored = await self._attempt(prepared, careful=True)
        if prepared.concluded.snapshot is not None:
            await run_sync(self._inference.committed, prepared.part, prepared.concluded)
        stored.seconds = time.perf_counter() - started
        return stored

    async def store(self, part: str, records: Sequence[Record]) -> Stored:
        """`prepare` and `commit` consecutive records of one part."""
        return await self.commit(await self.prepare(part, records))

    async def _attempt(self, prepared: Prepared, *, careful: bool) -> Stored:
        known = self._known
        try:
            async with self._store.acquire(timeout=self._deadline) as connection:
                transaction, stored = await within(
                    self._deadline, connection, self._run(connection, prepared, careful)
                )
        except BaseException:
            known.states.abort()
            raise
        known.states.commit()
        known.normalizer.confirm(prepared.batch)
        known.head, known.partition = transaction.head, transaction.partition
        self._round_trips.append(transaction.round_trip)
        return stored

    async def _run(
        self, connection: PoolConnectionProxy[Any], prepared: Prepared, careful: bool
    ) -> tuple[Transaction, Stored]:
        """Store the batch, staged where the server is far away."""
        if self.is_far and not careful:
            staged = Staged(connection, self._known, prepared, careful=False)
            try:
                return staged, await staged.run()
            except NotStagedError:
                self._known.states.abort()
        transaction = Transaction(connection, self._known, prepared, careful=careful)
        return transaction, await transaction.run()
