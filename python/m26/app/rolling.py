"""Prices in a run: committed events into buckets of sales and the market as it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from m26.app.accounts import Assignment, budget_limits
from m26.app.process import Process, beside
from m26.status.snapshot import OFF
from m26.status.views import RollupsView
from m26.store.database import Store
from m26.store.rollups import Rollups


@asynccontextmanager
async def rolling(
    process: Process, assigned: Assignment, store: Store
) -> AsyncIterator[Callable[[], RollupsView]]:
    """Keep prices for the length of the block, unless they are off; how far they are."""
    settings, clock, metrics = process.settings, process.clock, process.telemetry.metrics
    if not settings.rollups.enabled:
        yield lambda: OFF
        return
    rollups = Rollups(
        store,
        metrics=metrics,
        now=lambda: clock.time() + metrics.value("m26_clock_skew_seconds"),
        wait=2 * 86_400 / budget_limits(assigned.profile, settings).per_day,
    )
    async with beside(rollups.run):
        yield lambda: rollups.view
