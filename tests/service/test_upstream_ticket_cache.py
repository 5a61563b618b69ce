from __future__ import annotations

from pathlib import Path

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs
from tests.support.gateway import credentials, stored, ticket

from m26.auth.cache import TicketCache

pytestmark = pytest.mark.anyio
SIM = credentials()


async def test_a_ticket_is_shared_encrypted_and_with_an_end(tmp_path: Path, redis_url: str) -> None:
    vault = stored(tmp_path, credentials())
    async with TicketCache(redis_url, vault=vault) as cache, Redis.from_url(redis_url) as redis:
        assert await cache.get("main", SIM) is None
        await cache.put("main", SIM, ticket(4))
        assert await cache.get("main", SIM) == ticket(4)
        raw = await redis.get("m26:ticket:main")
        assert b"CANARY" not in raw
        assert b"session" not in raw
        assert 1_700 < await redis.ttl("m26:ticket:main") <= 1_800
        assert await redis.keys("*") == [b"m26:ticket:main"]


async def test_tickets_of_another_key_platform_or_kind_are_not_taken(
    tmp_path: Path, redis_url: str
) -> None:
    mine, other = (stored(tmp_path / name, credentials()) for name in ("a", "b"))
    async with (
        TicketCache(redis_url, vault=mine) as cache,
        TicketCache(redis_url, vault=other) as foreign,
        Redis.from_url(redis_url) as redis,
    ):
        await foreign.put("main", SIM, ticket(5))
        assert await cache.get("main", SIM) is None
        await cache.put("main", SIM, ticket(5))
        assert await cache.get("main", credentials(platform="ps5")) is None
        await redis.set("m26:ticket:main", b"not a ticket")
        assert await cache.get("main", SIM) is None


async def test_redis_away_is_said_once_and_harms_nothing(tmp_path: Path) -> None:
    vault = stored(tmp_path, credentials())
    with capture_logs() as lines:
        async with TicketCache(f"unix://{tmp_path}/nobody.sock", vault=vault) as cache:
            for _ in range(3):
                await cache.put("main", SIM, ticket(6))
                assert await cache.get("main", SIM) is None
    assert [line["event"] for line in lines] == ["auth.cache_away"]
    assert "CANARY" not in str(lines)
