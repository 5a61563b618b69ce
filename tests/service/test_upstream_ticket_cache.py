from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis
from structlog.testing import capture_logs
from tests.support.gateway import NOW, credentials, stored, ticket

from m26.auth.cache import TicketCache
from m26.auth.credentials import SESSION_LIFE, Ticket, dump
from m26.auth.entry import Entry
from m26.auth.tickets import keep, newest
from m26.auth.vault import Vault
from m26.upstream.origin import Origins

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


async def newest_of(account: str, vault: Vault, cache: TicketCache) -> Ticket | None:
    entry = Entry(vault, account, clock=lambda: NOW)
    return await newest(entry=entry, cache=cache, dead=(), after=0.0)


OF_OTHERS = {
    "another account": ("bob", {}),
    "another platform": ("main", {"platform": "ps5"}),
    "servers of another profile": (
        "main",
        {"origins": Origins(oauth="https://a", gateway="https://b")},
    ),
}


@pytest.mark.parametrize(("account", "changes"), OF_OTHERS.values(), ids=OF_OTHERS)
async def test_a_value_under_the_key_of_another_is_not_taken(
    tmp_path: Path, redis_url: str, account: str, changes: dict[str, Any]
) -> None:
    vault = stored(tmp_path, credentials(ticket=None), account="main")
    stored(tmp_path, credentials(ticket=None), account="bob")
    async with TicketCache(redis_url, vault=vault) as cache, Redis.from_url(redis_url) as redis:
        await keep(ticket(7), entry=Entry(vault, "main", clock=lambda: NOW), cache=cache)
        vault.change("main", lambda held: replace(held, ticket=None))
        assert await newest_of("main", vault, cache) == ticket(7)
        vault.change(account, lambda held: replace(held, **changes))
        value = await redis.get("m26:ticket:main")
        await redis.set(f"m26:ticket:{account}", value)
        assert await newest_of(account, vault, cache) is None


async def test_a_value_of_before_is_dropped_and_written_anew(
    tmp_path: Path, redis_url: str
) -> None:
    vault = stored(tmp_path, credentials(ticket=None))
    async with TicketCache(redis_url, vault=vault) as cache, Redis.from_url(redis_url) as redis:
        old = Fernet((tmp_path / "vault.key").read_bytes())
        content = dump({"platform": "sim", "ticket": ticket(7)})
        await redis.set("m26:ticket:main", old.encrypt(content))
        assert await newest_of("main", vault, cache) is None
        await keep(ticket(8), entry=Entry(vault, "main", clock=lambda: NOW), cache=cache)
        assert await newest_of("main", vault, cache) == ticket(8)


async def test_a_value_that_is_put_back_when_its_time_is_over_is_not_taken(
    tmp_path: Path, redis_url: str
) -> None:
    vault, now = stored(tmp_path, credentials()), [NOW]
    async with TicketCache(redis_url, vault=vault, clock=lambda: now[0]) as cache:
        await cache.put("main", SIM, ticket(7))
        now[0] += SESSION_LIFE
        assert await cache.get("main", SIM) == ticket(7)
        now[0] += 1
        assert await cache.get("main", SIM) is None
