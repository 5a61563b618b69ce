"""A process of ours that corrects outcomes and collects meanwhile: to be killed at any moment."""

from __future__ import annotations

import sys

import anyio
from tests.support.wire import T0, auction, body, records

from m26.normalizer import Normalizer
from m26.status.metrics import Metrics
from m26.store.corrections import Corrections
from m26.store.database import Store, opened
from m26.store.load import Loader
from m26.upstream.profile import Profile

PAGE = 50
"""New auctions on each page that it collects."""
_FIRST = 10_000_000


async def _collect(store: Store) -> None:
    loader = Loader(store, Normalizer(Profile.load("madden26").card))
    pos = await store.cursor("j")
    while True:
        ids = range(_FIRST + pos * PAGE, _FIRST + (pos + 1) * PAGE)
        page = body(*(auction(id_) for id_ in ids), at=T0 + pos)
        pos = (await loader.store("j", records(page, start=pos))).pos
        await anyio.sleep(0.05)  # the pace of a market, not of a test


async def _run(dsn: str) -> None:
    async with opened(dsn) as store, anyio.create_task_group() as group:
        await store.migrate()
        group.start_soon(_collect, store)
        metrics = Metrics()
        await Corrections(store, committed=lambda: None, metrics=metrics, size=1_000).run()
        group.cancel_scope.cancel()


if __name__ == "__main__":
    anyio.run(_run, sys.argv[1])
