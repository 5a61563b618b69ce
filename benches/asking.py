"""A process that answers questions over HTTP while it stores pages and makes prices, as a run does.

``python -m benches.asking DSN PAGES_A_SECOND PAGES`` prints its address; when its input ends it
prints what storing and the event loop were like meanwhile, as one JSON document.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import orjson
from benches.pages import RULES, START, Market, records
from benches.stores import PART

from m26.app.chores import chores
from m26.normalizer import Normalizer
from m26.status.conditions import Status
from m26.status.metrics import Metrics
from m26.store.database import opened
from m26.store.load import Loader
from m26.store.prices import Prices
from m26.store.rollups import Rollups
from m26.web.app import create_app
from m26.web.desk import MOST
from m26.web.server import listening, serve, url_of

_TURN = 0.005
"""Seconds between two looks at how late the event loop is."""


class Meanwhile:
    """What else the process does, and how long it takes."""

    def __init__(self) -> None:
        self.commits: list[float] = []
        self.late: list[float] = []

    async def store(
        self, loader: Loader, pages: Sequence[bytes], first: int, per_second: float
    ) -> None:
        """A page of unseen auctions at a time."""
        begun = time.monotonic()
        for pos, body in enumerate(pages, first):
            await anyio.sleep(max(0, begun + (pos - first) / per_second - time.monotonic()))
            before = time.perf_counter()
            await loader.store(PART, records([body], start=pos))
            self.commits.append(time.perf_counter() - before)

    async def look(self) -> None:
        """How late a sleeper wakes."""
        while True:
            before = time.perf_counter()
            await anyio.sleep(_TURN)
            self.late.append(time.perf_counter() - before - _TURN)


async def answer(dsn: str, per_second: float, pages: int) -> None:
    """Serve until the input ends; so many pages are stored, which are made beforehand."""
    metrics, meanwhile = Metrics(), Meanwhile()
    async with (
        opened(dsn) as store,
        opened(dsn, limit=10, most=MOST) as asked,
        listening("127.0.0.1", 0) as listener,
        anyio.create_task_group() as group,
    ):
        status = Status(clock=time.time)
        app = create_app(metrics=metrics, snapshot=status, ready=list, prices=Prices(asked))  # type: ignore[arg-type] # nobody asks for the status
        await group.start(serve, app, listener)
        if per_second:
            market, loader = Market(), Loader(store, Normalizer(RULES))
            stored = await loader.store(PART, records(market.catalogue()))
            made = [market.batch(at=START + n // 10, pages=1)[0] for n in range(pages)]
            rollups = Rollups(store, turn=anyio.Lock(), metrics=metrics, now=lambda: START)
            group.start_soon(meanwhile.store, loader, made, stored.pos, per_second)
            group.start_soon(rollups.run)
            group.start_soon(chores, store, [], metrics)
        group.start_soon(meanwhile.look)
        print(url_of(listener), flush=True)
        await anyio.to_thread.run_sync(sys.stdin.read)
        group.cancel_scope.cancel()
    said = {"commits": meanwhile.commits, "late": meanwhile.late}
    sys.stdout.write(orjson.dumps(said).decode())


class Asked:
    """The process, as seen from outside."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.said: dict[str, Any] = {}


@contextmanager
def asking(dsn: str, *, per_second: float, pages: int = 0) -> Iterator[Asked]:
    """Run `answer` in a new process for the length of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benches.asking", dsn, str(per_second), str(pages)],
        cwd=Path(__file__).resolve().parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        found = Asked(process.stdout.readline().decode().strip())
        yield found
        out, _ = process.communicate(timeout=60)
        found.said = orjson.loads(out)
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    asyncio.run(answer(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
