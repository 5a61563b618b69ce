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

_FOLD_EVERY = 600.0
_LOOK_EVERY = 10.0
_MANY = 300
"""Pages whose sightings are folded before their time: a question about asks reads them all, and
these are read in a few milliseconds. So many come in ten minutes at 43,000 requests a day."""
_GAUGES_EVERY = 1.0


async def chores(store: Store, collectors: Sequence[Collector], metrics: Metrics) -> None:
    """Do them for ever. Ends only by cancellation."""
    made, folded = -math.inf, time.monotonic()
    looked = folded
    while True:
        gauge(collectors, metrics)
        now = time.monotonic()
        if now - looked > _LOOK_EVERY:
            looked = now
            with contextlib.suppress(StorageError):  # the drain tells of it; next time will do
                if now - made > _FOLD_EVERY:
                    await store.make_partition()
                    made = now
                if now - folded > _FOLD_EVERY or await store.sightings() >= _MANY:
                    folded = now
                    await store.fold_sightings()
        await anyio.sleep(_GAUGES_EVERY)
