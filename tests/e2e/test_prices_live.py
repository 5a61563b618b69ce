"""Prices of a run against the simulator, over kills: what the auctions come to, from scratch."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import asyncpg
import orjson
from tests.oracle.prices import judge
from tests.support import product
from tests.support.product import LIVELY, Run


async def _judged(run: Run) -> int:
    """The sales that the hours have, once they are found to be right."""
    connection = await asyncpg.connect(run.dsn)
    try:
        deadline = time.monotonic() + 20
        while not await judge(connection, loads=orjson.loads):
            assert time.monotonic() < deadline, run.status["rollups"]
            await asyncio.sleep(0.01)
        return int(await connection.fetchval("SELECT coalesce(sum(n), 0) FROM m26.price_hour"))
    finally:
        await connection.close()


def test_prices_follow_a_run_over_kills(tmp_path: Path) -> None:
    settings = {key.replace(".", "__"): value for key, value in LIVELY.items()}
    with product.home(tmp_path / "home", **settings) as home:
        for _ in range(2):
            with home.running() as run:
                run.grow(40)
                run.until(lambda run=run: run.status["rollups"]["state"] == "current")
        with home.running() as run:
            run.until(lambda: run.status["events"]["closed"] >= 20, seconds=60)
            assert asyncio.run(_judged(run)) > 0
            assert run.status["rollups"]["state"] == "current"
            assert "m26_rollup_events_total" in run.get("/metrics").text
            assert run.get("/api/v1/market/latest").json()["items"]
            assert "prices" in home.m26("status").stdout
