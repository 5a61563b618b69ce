"""Committed events to a real Valkey and back: in order, without holes, whatever Redis does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import anyio
import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from m26.errors import ConfigError, StorageError
from m26.publish.client import connect
from m26.publish.follow import follow
from m26.publish.relay import DATABASE, STREAM, Relay
from m26.status.telemetry import Telemetry
from m26.wake import Wake

pytestmark = pytest.mark.anyio


class Events:
    """A history of `count` events, the oldest `pruned` of which are gone."""

    def __init__(self, count: int, *, pruned: int = 0, identity: int = 1) -> None:
        self.count, self.pruned, self.identity = count, pruned, identity
        self.away = False

    async def database_id(self) -> str:
        return str(UUID(int=self.identity))

    async def head(self) -> int:
        if self.away:
            raise StorageError("away")
        return self.count

    async def first_seq(self) -> int:
        return self.pruned + 1 if self.count > self.pruned else 0

    async def events(self, after: int, limit: int) -> list[tuple[int, str]]:
        if self.away:
            raise StorageError("away")
        first = max(after, self.pruned) + 1
        return [(n, f'{{"seq":{n}}}') for n in range(first, min(first + limit, self.count + 1))]


def relay(redis: Redis, history: Events, *, maxlen: int = 1_000_000) -> Relay:
    return Relay(redis, history, maxlen=maxlen, wake=Wake(), telemetry=Telemetry())


@asynccontextmanager
async def client(url: str) -> AsyncIterator[Redis]:
    redis = connect(url)
    try:
        yield redis
    finally:
        await redis.aclose()


async def stream(redis: Redis) -> list[int]:
    """Sequence numbers in the stream, checked against their payloads and for density."""
    entries = await redis.xrange(STREAM)
    seqs = [int(entry_id.split("-")[0]) for entry_id, _ in entries]
    assert [fields["data"] for _, fields in entries] == [f'{{"seq":{n}}}' for n in seqs]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs))) if seqs else True
    return seqs


async def test_all_events_get_into_the_stream_once_and_repeats_add_nothing(redis_url: str) -> None:
    history = Events(1234)
    async with client(redis_url) as redis:
        for _ in range(3):
            assert await relay(redis, history).catch_up() == 1234
        history.count = 1300
        await relay(redis, history).catch_up()

        assert await stream(redis) == list(range(1, 1301))


async def test_two_relays_at_once_write_each_event_once(redis_url: str) -> None:
    history = Events(3000)
    async with client(redis_url) as one, client(redis_url) as two:
        async with anyio.create_task_group() as group:
            group.start_soon(relay(one, history).catch_up)
            group.start_soon(relay(two, history).catch_up)

        assert await stream(one) == list(range(1, 3001))


async def test_a_wiped_redis_is_filled_again_with_the_newest(redis_url: str) -> None:
    history = Events(2000)
    async with client(redis_url) as redis:
        await relay(redis, history).catch_up()
        await redis.flushall()
        await relay(redis, history, maxlen=700).catch_up()

        assert await stream(redis) == list(range(1301, 2001))


async def test_a_stream_of_another_database_is_rebuilt(redis_url: str) -> None:
    async with client(redis_url) as redis:
        await relay(redis, Events(50, identity=1)).catch_up()
        await relay(redis, Events(20, identity=2)).catch_up()

        assert await stream(redis) == list(range(1, 21))
        assert await redis.get(DATABASE) == str(UUID(int=2))


async def test_a_database_that_was_set_back_rebuilds_the_stream(redis_url: str) -> None:
    history = Events(50)
    async with client(redis_url) as redis:
        await relay(redis, history).catch_up()
        history.count = 30
        await relay(redis, history).catch_up()

        assert await stream(redis) == list(range(1, 31))


async def test_history_pruned_past_the_stream_leaves_no_hole(redis_url: str) -> None:
    history = Events(50)
    async with client(redis_url) as redis:
        await relay(redis, history).catch_up()
        history.count, history.pruned = 200, 120
        assert await relay(redis, history).catch_up() == 200

        assert await stream(redis) == list(range(121, 201))


async def test_a_trimmed_stream_goes_on_where_it_was_and_keeps_its_groups(redis_url: str) -> None:
    history = Events(50)
    async with client(redis_url) as redis:
        await relay(redis, history).catch_up()
        await redis.xgroup_create(STREAM, "traders", id="0")
        await redis.xtrim(STREAM, maxlen=0, approximate=False)
        history.count = 60
        await relay(redis, history).catch_up()

        assert await stream(redis) == list(range(51, 61))
        assert len(await redis.xinfo_groups(STREAM)) == 1


async def test_a_full_redis_refuses_a_chunk_as_a_whole(redis_url: str) -> None:
    history = Events(30_000)
    async with client(redis_url) as redis:
        used = (await redis.info("memory"))["used_memory"]
        await redis.config_set("maxmemory-policy", "noeviction")
        await redis.config_set("maxmemory", used + 700_000)
        try:
            with pytest.raises(ResponseError):
                await relay(redis, history).catch_up()
            partial = await stream(redis)
        finally:
            await redis.config_set("maxmemory", 0)
            await redis.config_set("maxmemory-policy", "volatile-lru")
        assert 0 < len(partial) < 30_000
        await relay(redis, history).catch_up()

        assert await stream(redis) == list(range(1, 30_001))


async def test_redis_away_is_told_and_publishing_catches_up(redis_url: str) -> None:
    history, telemetry = Events(10), Telemetry()
    status = telemetry.status
    async with client(redis_url) as redis:
        made = Relay(redis, history, maxlen=1000, wake=Wake(), telemetry=telemetry)
        broken = connect("unix:///nowhere/valkey.sock", timeout=0.2)
        away = Relay(broken, history, maxlen=1000, wake=Wake(), telemetry=telemetry)
        with pytest.raises((OSError, RedisConnectionError)):
            await away.catch_up()
        with anyio.move_on_after(0.5):
            await away.run()
        assert status.current.reason.startswith("redis_away")
        await broken.aclose()
        with anyio.move_on_after(0.5):
            await made.run()
        assert status.current.reason == ""
        assert await stream(redis) == list(range(1, 11))


async def test_a_malformed_url_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="M26_REDIS__URL"):
        connect("http://example.invalid")


@pytest.mark.parametrize("with_redis", [True, False])
async def test_a_follower_gets_history_then_live_events_each_once(
    redis_url: str, with_redis: bool
) -> None:
    history = Events(1200)
    async with client(redis_url) as redis:
        publisher = relay(redis, history)
        await publisher.catch_up()
        got: list[int] = []
        with anyio.fail_after(20):
            async for seq, data in follow(history, redis if with_redis else None, after=600):
                assert data == f'{{"seq":{seq}}}'
                got.append(seq)
                if seq == 1200:
                    history.count = 1210
                    await publisher.catch_up()
                if seq == 1210:
                    break

    assert got == list(range(601, 1211))


async def test_a_follower_behind_a_trimmed_stream_misses_nothing(redis_url: str) -> None:
    history = Events(100)
    async with client(redis_url) as redis:
        publisher = relay(redis, history)
        await publisher.catch_up()
        got: list[int] = []
        with anyio.fail_after(20):
            async for seq, _ in follow(history, redis, after=99):
                got.append(seq)
                if seq == 100:  # many more come, and the stream forgets the first of them
                    history.count = 900
                    await publisher.catch_up()
                    await redis.xtrim(STREAM, maxlen=10, approximate=False)
                if seq == 900:
                    break

    assert got == list(range(100, 901))
