"""What a run does now and then: figures that no stage counts, room for events, folded sightings."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Sequence

import anyio

from m26.app.collectors import Collector, gauge
from m26.errors import StorageError
from m26.status.metrics import Metrics
from m26.store.database import Store

_KEEP_EVERY = 600.0
_GAUGES_EVERY = 1.0


async def chores(store: Store, collectors: Sequence[Collector], metrics: Metrics) -> None:
    """Do them for ever. Ends only by cancellation."""
    kept = -math.inf
    while True:
        gauge(collectors, metrics)
        if time.monotonic() - kept > _KEEP_EVERY:
            kept = time.monotonic()
            with contextlib.suppress(StorageError):  # the drain tells of it; next time will do
                await store.make_partition()
                await store.fold_sightings()
        await anyio.sleep(_GAUGES_EVERY)
