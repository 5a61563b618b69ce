"""A process that stores batches with what was inferred, one transaction each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from tests.support.wire import records

from m26._native import States
from m26.normalizer import Normalizer
from m26.store.batch import Concluded, Prepared, Stored
from m26.store.closings import Inferred
from m26.store.knowledge import Knowledge
from m26.store.staging import Staged
from m26.store.transaction import Transaction
from m26.upstream.profile import Profile

RULES = Profile.load("madden26").card
EVENTS = "seq, kind, auction_id, status, current_bid, outcome, evidence, median_price, late"
OUTCOME = "outcome, outcome_via, evidence, confidence::numeric(3, 2)::float8 AS confidence"


@dataclass
class Process:
    """Stores batches with what was inferred, as a process does that has just started."""

    connection: asyncpg.Connection[Any]
    far: bool
    pos: dict[str, int] = field(default_factory=dict)
    known: Knowledge = field(default_factory=lambda: Knowledge(Normalizer(RULES), States()))

    async def store(
        self,
        *pages: bytes,
        inferred: Sequence[Inferred] = (),
        careful: bool = False,
        part: str = "j",
    ) -> Stored:
        pos = self.pos.get(part, 0)
        given = records(*pages, start=pos)
        read = [(r.pos, r.page) for r in given if r.page]
        batch = await self.known.normalizer.normalize([page for _, page in read])
        kind = Staged if self.far and pos else Transaction
        prepared = Prepared(part, given, read, batch, concluded=Concluded(inferred))
        transaction = kind(self.connection, self.known, prepared, careful=careful)
        try:
            stored = await transaction.run()
        except BaseException:
            self.known.states.abort()
            raise
        self.known.states.commit()
        self.known.normalizer.confirm(batch)
        self.known.head, self.known.partition = transaction.head, transaction.partition
        self.pos[part] = pos + len(pages)
        return stored

    async def events(self, columns: str = EVENTS) -> list[tuple[Any, ...]]:
        query = f"SELECT {columns} FROM m26.auction_event ORDER BY seq"
        return [tuple(row) for row in await self.connection.fetch(query)]

    async def row(self, auction_id: int, columns: str = OUTCOME) -> tuple[Any, ...]:
        query = f"SELECT {columns} FROM m26.auction WHERE auction_id = $1"
        return tuple(await self.connection.fetchrow(query, auction_id) or ())
