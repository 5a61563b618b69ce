"""What a run does now and then: figures that no stage counts, and folding of sightings."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

import anyio

from m26.app.collectors import Collector, gauge
from m26.errors import StorageError
from m26.status.metrics import Metrics
from m26.store.database import Store

_FOLD_EVERY = 60.0
"""Seconds: whoever asks when an ask was seen last goes through the sightings that are left."""
_GAUGES_EVERY = 1.0


async def chores(store: Store, collectors: Sequence[Collector], metrics: Metrics) -> None:
    """Do them for ever. Ends only by cancellation."""
    folded = time.monotonic()
    while True:
        gauge(collectors, metrics)
        if time.monotonic() - folded > _FOLD_EVERY:
            folded = time.monotonic()
            with contextlib.suppress(StorageError):  # the drain tells of it; next time will do
                await store.fold_sightings()
        await anyio.sleep(_GAUGES_EVERY)
