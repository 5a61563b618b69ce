"""An upgrade of a large database, killed again and again while it corrects what it holds."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time

import asyncpg
import pytest
from tests.faults.corrector import PAGE
from tests.oracle import trial
from tests.support import older

from m26.store.database import opened

pytestmark = pytest.mark.soak
_AUCTIONS, _KILLS = 250_000, 20


def test_a_hundred_thousand_buyouts_are_corrected_once_each_over_twenty_kills(
    database: str, seed: int
) -> None:
    rng = random.Random(seed)
    asyncio.run(_fill(database))
    command = [sys.executable, "-m", "tests.faults.corrector", database]
    places: list[int | None] = [None]
    for _ in range(_KILLS):
        with subprocess.Popen(command) as process:
            deadline = time.monotonic() + 60
            while asyncio.run(_place(database)) == places[-1]:  # it has not got to work
                assert time.monotonic() < deadline
                time.sleep(0.05)
            time.sleep(rng.uniform(0, 0.4))
            process.kill()
        places.append(asyncio.run(_place(database)))
    trial.say(f"{_KILLS} kills, places {places}")
    assert places[-1]  # all of them at work
    subprocess.run(command, check=True, timeout=600)

    asyncio.run(_judge(database))


async def _fill(dsn: str) -> None:
    async with opened(dsn) as store:
        await store.migrate()
    connection = await asyncpg.connect(dsn)
    try:
        await older.fill(connection, _AUCTIONS)
    finally:
        await connection.close()


async def _place(dsn: str) -> int | None:
    connection = await asyncpg.connect(dsn)
    try:
        if not await connection.fetchval(
            "SELECT count(*) FROM pg_attribute WHERE attrelid = 'm26.stream_head'::regclass"
            " AND attname = 'uncorrected' AND NOT attisdropped"
        ):
            return None
        place: int | None = await connection.fetchval("SELECT uncorrected FROM m26.stream_head")
        return place
    finally:
        await connection.close()


async def _judge(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        pages = await connection.fetchval("SELECT pos FROM m26.ingest_cursor WHERE part = 'j'")
        await older.judge(connection, _AUCTIONS, others=PAGE * pages)
    finally:
        await connection.close()
