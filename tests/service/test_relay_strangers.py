"""What others put into our keys of Redis ends no run: it is taken away, or told with what helps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from redis.asyncio import Redis
from tests.support.relays import TRADERS, Made, Past, groups, is_history

from m26.errors import StorageError
from m26.publish.proof import same_event
from m26.publish.relay import DATABASE, STREAM, Relay
from m26.status.telemetry import Telemetry
from m26.store.database import opened
from m26.wake import Wake

pytestmark = pytest.mark.anyio

_TOP = 2**64 - 1
_DEEP = "[" * 200_000


def _entry(entry_id: str, **fields: str) -> Callable[[Redis], Awaitable[object]]:
    given: dict[Any, Any] = fields or {"hello": "there"}
    return lambda redis: redis.xadd(STREAM, given, id=entry_id)


ENTRIES = {
    "without-data": _entry("11-0"),
    "no-json": _entry("11-0", data="\udcff[["),
    "deep-json": _entry("11-0", data=_DEEP),
    "a-long-number": _entry("11-0", data="9" * 10_000),
    "same-number": _entry("10-1"),
    "of-the-clock": _entry("*"),
    "past-bigint": _entry(f"{2**63}-0", data="{}"),
    "past-all": _entry(f"{_TOP}-{_TOP}", data="{}"),
}


async def _run(made: Made, until: Callable[[], Awaitable[bool]]) -> None:
    """The relay as a run has it; an error of it comes out."""
    async with anyio.create_task_group() as group:
        group.start_soon(made.relay.run)
        with anyio.move_on_after(10):
            while not await until():
                await anyio.sleep(0.01)
        group.cancel_scope.cancel()


@pytest.mark.parametrize("stranger", ENTRIES)
async def test_an_entry_of_somebody_else_is_taken_away_and_groups_stay(
    redis: Redis, stranger: str
) -> None:
    past = Past(10)
    made = Made(redis, past)
    await made.catch_up()
    await redis.xgroup_create(STREAM, TRADERS, id="5-0")
    await ENTRIES[stranger](redis)
    past.commit(2)
    failure = ""
    try:
        assert await made.catch_up() == 12
    except (ArithmeticError, TypeError, ValueError, RecursionError) as error:
        failure = repr(error)[:200]
    assert failure == ""
    await is_history(redis, past)
    assert await groups(redis) == {TRADERS: 5}


@pytest.mark.parametrize("entry_id", [f"{2**63}-0", f"{_TOP}-{_TOP}"])
async def test_a_real_history_is_not_asked_for_numbers_that_it_cannot_have(
    redis: Redis, database: str, entry_id: str
) -> None:
    async with opened(database) as store:
        await store.migrate()
        await redis.xadd(STREAM, {"data": "{}"}, id=entry_id)
        relay = Relay(redis, store, maxlen=1000, wake=Wake(), telemetry=Telemetry())
        failure = ""
        try:
            assert await relay.catch_up() == 0
        except StorageError as error:
            failure = repr(error)
        assert failure == ""
        assert await redis.exists(STREAM) == 0


async def _list(redis: Redis) -> None:
    await redis.delete(DATABASE)
    await redis.lpush(DATABASE, "of somebody")


KEYS = {
    "the-stream": lambda redis: redis.set(STREAM, "a note of somebody"),
    "the-database": _list,
}


@pytest.mark.parametrize("key", KEYS)
async def test_a_key_of_another_type_is_told_with_what_helps_until_it_is_gone(
    redis: Redis, key: str
) -> None:
    past = Past(10)
    made = Made(redis, past)
    await KEYS[key](redis)

    async def told() -> bool:
        return made.reason != ""

    await _run(made, told)
    assert "WRONGTYPE" in made.reason
    advice = made.telemetry.status.current.advice
    assert "when Redis is back" not in advice
    assert STREAM in advice
    assert made.reason.startswith("redis_refuses: ")
    await redis.delete(STREAM, DATABASE)
    await made.catch_up()
    await is_history(redis, past)
    assert made.reason == ""


@pytest.mark.parametrize(
    ("entry", "same"),
    [
        ('{"seq":1,"observed_at":"2026-11-30T10:00:00"}', False),
        ('{"seq":1,"observed_at":"2026-11-30T10:00:00.000Z"}', True),
        ('{"seq":1,"observed_at":20261130}', False),
        ('{"seq":1,"observed_at":{}}', False),
        ("\udcff", False),
        ("[" * 200_000, False),
        ("9" * 10_000, False),
    ],
)
def test_an_entry_of_any_content_is_compared(entry: str, same: bool) -> None:
    row = '{"seq":1,"observed_at":"2026-11-30T10:00:00Z"}'
    found: object = None
    try:
        found = same_event(entry, row)
    except (TypeError, RecursionError) as error:
        found = error
    assert found is same
