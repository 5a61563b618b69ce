"""What a run makes good once, while all else goes on: an older rule's outcomes, missing indexes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from m26.app.process import Process, beside
from m26.store.corrections import Corrections
from m26.store.database import Store
from m26.store.indexes import Indexes
from m26.wake import Wake


@asynccontextmanager
async def correcting(process: Process, store: Store, *, committed: Wake) -> AsyncIterator[None]:
    """Correct and build until there is nothing left of it; the rest is the next run's."""
    metrics = process.telemetry.metrics
    corrections = Corrections(store, committed=committed.set, metrics=metrics)
    async with beside(corrections.run, Indexes(store).run):
        yield
