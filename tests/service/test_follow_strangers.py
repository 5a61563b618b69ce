"""What others put into the stream neither ends nor drives a follower: a real Valkey."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
import structlog
from redis.asyncio import Redis
from tests.support.relays import Made, Past, View

from m26.publish.follow import follow
from m26.publish.relay import STREAM

pytestmark = pytest.mark.anyio

_FIELDS: dict[Any, Any] = {"hello": "there"}
_TOP = 2**64 - 1


async def _strings(redis: Redis) -> None:
    await redis.delete(STREAM)
    await redis.set(STREAM, "a note of somebody")


async def _back(redis: Redis) -> None:
    await redis.delete(STREAM)
    await redis.xadd(STREAM, {"data": '{"seq":2}'}, id="2-0")


def _entry(entry_id: str, **fields: str) -> Callable[[Redis], Awaitable[object]]:
    return lambda redis: redis.xadd(STREAM, dict(fields or _FIELDS), id=entry_id)


STRANGERS = {
    "without-data": _entry("11-0"),
    "no-json": _entry("11-0", data="\udcff[["),
    "another-event": _entry("11-0", data='{"seq":11,"kind":"made up"}'),
    "same-number": _entry("10-1"),
    "of-the-clock": _entry("*"),
    "past-all": _entry(f"{_TOP}-{_TOP}", data="{}"),
    "another-type": _strings,
    "moved-back": _back,
    "gone": lambda redis: redis.delete(STREAM),
    "trimmed": lambda redis: redis.xtrim(STREAM, maxlen=0, approximate=False),
}
SKIPPED = set(STRANGERS) - {"another-type", "moved-back", "gone", "trimmed"}


class Follower:
    """What a follower was given, and how often it asked."""

    def __init__(self, redis: Redis, past: Past, **options: float) -> None:
        self.redis, self.view, self.options = redis, View(past), options
        self.got: list[tuple[int, str]] = []
        self.failure = ""

    async def run(self, after: int) -> None:
        try:
            async for event in follow(self.view, self.redis, after=after, **self.options):
                self.got.append(event)
        except (LookupError, TypeError, ValueError) as error:
            self.failure = repr(error)

    async def has(self, count: int) -> bool:
        with anyio.move_on_after(10):
            while len(self.got) < count and not self.failure:
                await anyio.sleep(0.01)
        return len(self.got) == count

    async def reads(self) -> int:
        stats: Any = await self.redis.info("commandstats")
        return int(stats.get("cmdstat_xread", {}).get("calls", 0))


@pytest.mark.parametrize("stranger", STRANGERS)
async def test_a_follower_goes_by_history_whatever_stands_in_the_stream(
    redis: Redis, stranger: str
) -> None:
    past = Past(10)
    publisher, follower = Made(redis, past), Follower(redis, past, moment=0.2)
    await publisher.catch_up()
    await STRANGERS[stranger](redis)
    with structlog.testing.capture_logs() as logs:
        async with anyio.create_task_group() as group:
            group.start_soon(follower.run, 8)
            assert await follower.has(2), follower.failure
            before = await follower.reads()
            await anyio.sleep(0.5)
            assert await follower.reads() - before <= 6, "it spins"
            past.commit(1)
            if stranger != "another-type":
                await publisher.catch_up()
            past.commit(1)
            assert await follower.has(4), follower.failure
            group.cancel_scope.cancel()
    assert follower.got == list(enumerate(past.rows, 1))[8:]
    told = [each["event"] for each in logs if each["event"].startswith("follow.")]
    expected = ["follow.skipped"] if stranger in SKIPPED else []
    assert told == (["follow.without_stream"] if stranger == "another-type" else expected)


async def test_an_idle_follower_blocks_and_hears_at_once_of_what_comes(redis: Redis) -> None:
    past = Past(10)
    publisher, follower = Made(redis, past), Follower(redis, past)
    await publisher.catch_up()
    await redis.xadd(STREAM, _FIELDS, id="10-1")
    async with anyio.create_task_group() as group:
        before = await follower.reads()
        group.start_soon(follower.run, 10)
        await anyio.sleep(3.0)
        assert 1 <= await follower.reads() - before <= 4
        past.commit(700)
        await publisher.catch_up()
        assert await follower.has(700)
        group.cancel_scope.cancel()
    assert follower.got == list(enumerate(past.rows, 1))[10:]
