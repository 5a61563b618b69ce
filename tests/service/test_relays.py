"""Several relays on one stream delete nothing of each other: a real Valkey."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis
from tests.support.relays import (
    TRADERS,
    Made,
    Past,
    groups,
    is_history,
    read,
)

from m26.publish.relay import STREAM

pytestmark = pytest.mark.anyio


async def test_a_rival_that_publishes_between_two_questions_keeps_stream_and_groups(
    redis: Redis,
) -> None:
    past = Past(50)
    slow, rival = Made(redis, past), Made(redis, past)
    await rival.catch_up()
    await redis.xgroup_create(STREAM, TRADERS, id="0")
    await read(redis, TRADERS, 50)

    async def overtake() -> None:
        past.commit(8)
        await rival.catch_up()

    for question in ("database_id", "head", "events"):
        past.commit(1)
        slow.once(question, overtake)
        await slow.catch_up()
        assert await groups(redis) == {TRADERS: 50}
        await is_history(redis, past)


async def test_a_relay_about_to_rebuild_leaves_what_a_rival_has_rebuilt(redis: Redis) -> None:
    past = Past(50)
    slow, rival = Made(redis, past), Made(redis, past)
    await slow.catch_up()
    past.restore(30)

    async def overtake() -> None:
        await rival.catch_up()
        past.commit(25)
        await rival.catch_up()
        await redis.xgroup_create(STREAM, TRADERS, id="$")

    slow.once("events", overtake)
    await slow.catch_up()

    assert await groups(redis) == {TRADERS: 55}
    await is_history(redis, past)
    assert rival.reason.startswith("stream_rebuilt")
    assert not slow.reason


@pytest.mark.parametrize("nth", [1, 2, 3])
async def test_a_relay_that_found_other_events_leaves_what_a_rival_has_rebuilt(
    redis: Redis, nth: int
) -> None:
    past = Past(50)
    await Made(redis, past).catch_up()
    past.restore(30)
    past.commit(20)
    slow, rival = Made(redis, past), Made(redis, past)

    async def overtake() -> None:
        await rival.catch_up()
        await redis.xgroup_create(STREAM, TRADERS, id="$")

    slow.once("events", overtake, nth=nth)
    await slow.catch_up()

    assert await groups(redis) == {TRADERS: 50}
    await is_history(redis, past)


@pytest.mark.parametrize("nth", [1, 2])
async def test_the_same_events_stored_again_meanwhile_are_not_taken_away(
    redis: Redis, nth: int
) -> None:
    past = Past(50)
    slow, rival = Made(redis, past), Made(redis, past)
    await slow.catch_up()
    await redis.xgroup_create(STREAM, TRADERS, id="45-0")
    past.restore(30)
    past.life = 0  # the journal still has all of it

    async def overtake() -> None:
        past.commit(25)
        await rival.catch_up()

    slow.once("events", overtake, nth=nth)
    await slow.catch_up()

    assert await groups(redis) == {TRADERS: 45}
    await is_history(redis, past)


@pytest.mark.parametrize("question", ["head", "first_seq", "events"])
async def test_two_relays_fill_an_emptied_redis_from_one_place(redis: Redis, question: str) -> None:
    past = Past(900)
    slow, rival = Made(redis, past, maxlen=600), Made(redis, past, maxlen=600)

    async def overtake() -> None:
        past.commit(350)
        await redis.flushall()
        await rival.catch_up()
        await redis.xgroup_create(STREAM, TRADERS, id="0")

    await slow.catch_up()
    await redis.flushall()
    slow.once(question, overtake)
    assert await slow.catch_up() == 1250

    await is_history(redis, past, first=651)
    assert await groups(redis) == {TRADERS: 0}


class Chance:
    """Relays that interrupt each other wherever they wait for the database, as the seed says."""

    def __init__(self, redis: Redis, rng: random.Random, *, maxlen: int = 1_000_000) -> None:
        self.redis, self.rng, self.past = redis, rng, Past(rng.choice([0, 3, 40]))
        self.relays = [Made(redis, self.past, maxlen=maxlen) for _ in range(rng.randint(2, 4))]
        self.idle = list(self.relays)
        self.events: list[Callable[[], Awaitable[None]]] = [self.commit, self.publish]
        for made in self.relays:
            made.view.hook = self.interrupt

    async def interrupt(self, _question: str) -> None:
        while self.rng.random() < 0.3:
            await self.something()

    async def something(self) -> None:
        await self.rng.choice(self.events)()

    async def commit(self) -> None:
        self.past.commit(self.rng.choice([1, 2, 5, 20] * 4 + [520]))

    async def publish(self) -> None:
        if not self.idle:
            return
        made = self.idle.pop(self.rng.randrange(len(self.idle)))
        await made.catch_up()
        self.idle.append(made)

    async def settle(self) -> None:
        for made in self.relays:
            made.view.hook = None
        await self.relays[0].catch_up()


async def rivals_only_append(redis: Redis, rng: random.Random) -> None:
    await redis.flushall()
    chance, got = Chance(redis, rng), list[str]()
    await redis.xgroup_create(STREAM, TRADERS, id="0", mkstream=True)

    async def consume() -> None:
        assert TRADERS in await groups(redis)
        got.extend(await read(redis, TRADERS, rng.choice([1, 10, 1000])))

    chance.events.append(consume)
    for _ in range(8):
        await chance.something()
    await chance.settle()
    got += await read(redis, TRADERS, 100_000)

    assert got == chance.past.rows  # a stream made anew is delivered again, a hole is missing
    await is_history(redis, chance.past)
    assert [made.reason for made in chance.relays if made.reason] == []


async def rivals_with_accidents(redis: Redis, rng: random.Random) -> None:
    await redis.flushall()
    chance = Chance(redis, rng)

    async def restore() -> None:
        chance.past.restore(rng.randint(0, len(chance.past.rows)))
        chance.past.commit(rng.choice([0, 3, 50]))

    async def empty() -> None:
        await redis.flushall()

    chance.events += [restore, empty]
    for _ in range(8):
        await chance.something()
    await chance.settle()
    await is_history(redis, chance.past)


async def tried(
    trial: Callable[[Redis, random.Random], Awaitable[None]], redis: Redis, name: str, times: int
) -> None:
    for number in range(times):
        try:
            await trial(redis, random.Random(f"{name} {number}"))
        except AssertionError as error:
            error.add_note(f"in trial {number} of {name}")
            raise


async def test_rivals_in_any_order_delete_nothing_and_leave_no_hole(
    redis: Redis, seed: int
) -> None:
    await tried(rivals_only_append, redis, f"{seed}", 120)


async def test_rivals_restores_and_an_emptied_redis_end_in_history(redis: Redis, seed: int) -> None:
    await tried(rivals_with_accidents, redis, f"{seed}", 100)


@pytest.mark.soak
async def test_thousands_of_orders_of_rivals_end_in_history(redis: Redis, seed: int) -> None:
    await tried(rivals_only_append, redis, f"long {seed}", 3000)
    await tried(rivals_with_accidents, redis, f"long {seed}", 3000)
