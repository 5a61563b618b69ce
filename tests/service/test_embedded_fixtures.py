from __future__ import annotations

import asyncpg
import pytest
import redis.asyncio

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("round_", [1, 2])
async def test_each_test_gets_an_empty_database(database: str, round_: int) -> None:
    connection = await asyncpg.connect(database)
    try:
        await connection.execute("CREATE TABLE only_here (id int)")
    finally:
        await connection.close()


@pytest.mark.parametrize("round_", [1, 2])
async def test_each_test_gets_an_empty_valkey(redis_url: str, round_: int) -> None:
    async with redis.asyncio.from_url(redis_url) as client:
        assert await client.dbsize() == 0
        await client.set("only", "here")
