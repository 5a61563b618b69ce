"""What a run makes good once, while all else goes on.

Outcomes that an older rule gave, then those that an older m26 did not infer; missing indexes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from m26.app.process import Process, beside
from m26.store.bygone import Bygone
from m26.store.corrections import Corrections
from m26.store.database import Store
from m26.store.indexes import Indexes
from m26.wake import Wake


@asynccontextmanager
async def correcting(process: Process, store: Store, *, committed: Wake) -> AsyncIterator[None]:
    """Correct and build until there is nothing left of it; the rest is the next run's."""
    metrics = process.telemetry.metrics
    corrections = Corrections(store, committed=committed.set, metrics=metrics)
    bygone = Bygone(store, committed=committed.set, metrics=metrics)

    async def outcomes() -> None:
        await corrections.run()
        await bygone.run()

    async with beside(outcomes, Indexes(store).run):
        yield
