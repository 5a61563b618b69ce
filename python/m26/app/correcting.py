"""Corrections in a run: outcomes that an older rule stored, once, while all else goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from m26.app.process import Process, beside
from m26.store.corrections import Corrections
from m26.store.database import Store
from m26.wake import Wake


@asynccontextmanager
async def correcting(process: Process, store: Store, *, committed: Wake) -> AsyncIterator[None]:
    """Correct until there is nothing left to correct; the rest is the next run's."""
    metrics = process.telemetry.metrics
    corrections = Corrections(store, committed=committed.set, metrics=metrics)
    async with beside(corrections.run):
        yield
