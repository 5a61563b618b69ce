"""A home that was copied and runs twice: who finds the other one ends, and says what to do."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import asyncpg
from tests.support import product
from tests.support.product import LIVELY, Home

_IN_USE = shutil.ignore_patterns("sim", "*.new", "*.tmp")
"""What comes and goes while it is copied, and the market, which is not the home's."""


def test_whoever_finds_another_copy_of_his_home_ends_with_75_and_says_what_to_do(
    tmp_path: Path, database: str, redis_url: str
) -> None:
    given = {"profile": "sim", "postgres__dsn": database, "redis__url": redis_url}
    lively = {key.replace(".", "__"): value for key, value in LIVELY.items()}
    with product.home(tmp_path / "first", **given, **lively) as first:
        second = Home(tmp_path / "second", first.settings)
        with first.running() as run:
            run.grow()
            shutil.copytree(first.path, second.path, ignore=_IN_USE)
            run.grow()
            twin = second.start()
            try:
                assert twin.process.wait(30) == 75
            finally:
                twin.kill()
            assert run.status["state"]["state"] == "collecting"
            asyncio.run(_another_writes(database))
            assert run.process.wait(30) == 75
        for home in (first, second):
            told = home.log.read_text()
            assert "another copy of this journal writes here, since" in told
            assert "m26 journal new-id" in told
            assert "Traceback" not in told


async def _another_writes(dsn: str) -> None:
    """The cursor as a copy leaves it that stands where this home does, with another record."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("UPDATE m26.ingest_cursor SET checksum = checksum # 1")
    finally:
        await connection.close()
