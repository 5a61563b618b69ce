"""``python -m tests.support.pricing DSN``: prices follow a database's events until it is killed."""

from __future__ import annotations

import asyncio
import sys

import anyio

from m26.errors import OutageError
from m26.status.metrics import Metrics
from m26.store.database import opened
from m26.store.fair import Fair
from m26.store.rollups import Rollups


async def main(dsn: str) -> None:
    """Market time is the newest server time, whatever the clock says."""
    metrics, turn = Metrics(), anyio.Lock()
    async with opened(dsn) as store, anyio.create_task_group() as group:
        rollups = Rollups(store, turn=turn, metrics=metrics, now=lambda: 0, pause=0.01, most=200)
        group.start_soon(rollups.run)
        group.start_soon(Fair(store, turn=turn, metrics=metrics, every=0.05).run)


if __name__ == "__main__":
    while True:
        try:
            asyncio.run(main(sys.argv[1]))
        except OutageError:  # it is away at the start: a run waits for it, too
            continue
