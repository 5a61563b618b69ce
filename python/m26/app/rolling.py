"""Prices in a run: committed events into buckets of sales, the market as it is, fair prices."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from m26.app.accounts import Assignment, budget_limits
from m26.app.process import Process, beside
from m26.status.snapshot import OFF
from m26.status.views import RollupsView, StepView
from m26.store.database import Store
from m26.store.fair import Fair
from m26.store.rollups import Rollups


@asynccontextmanager
async def rolling(
    process: Process, assigned: Assignment, store: Store
) -> AsyncIterator[Callable[[], tuple[RollupsView, StepView]]]:
    """Keep prices for the length of the block, unless they are off; how far they are."""
    settings, clock, metrics = process.settings, process.clock, process.telemetry.metrics
    if not settings.rollups.enabled:
        yield lambda: OFF
        return
    turn = anyio.Lock()
    rollups = Rollups(
        store,
        turn=turn,
        metrics=metrics,
        now=lambda: clock.time() + metrics.value("m26_clock_skew_seconds"),
        wait=2 * 86_400 / budget_limits(assigned.profile, settings).per_day,
    )
    fair = Fair(store, turn=turn, metrics=metrics)
    async with beside(rollups.run, fair.run):
        yield lambda: (rollups.view, fair.view)
