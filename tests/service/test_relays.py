"""Several relays on one stream, and a stream whose database has another past: a real Valkey."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from m26.errors import StorageError
from m26.publish.client import connect
from m26.publish.relay import DATABASE, STREAM, Relay
from m26.status.telemetry import Telemetry
from m26.wake import Wake

pytestmark = pytest.mark.anyio
TRADERS = "traders"

T = TypeVar("T")
Hook = Callable[[str], Awaitable[None]]


class Past:
    """A database: which events it has, under dense numbers; `restore` gives it another past."""

    def __init__(self, count: int = 0, *, identity: int = 1) -> None:
        self.identity, self.life, self.pruned = identity, 0, 0
        self.rows: list[str] = []
        self.commit(count)

    def commit(self, count: int) -> None:
        for _ in range(count):
            seq = len(self.rows) + 1
            self.rows.append(json.dumps({"seq": seq, "auction_id": seq, "bids": self.life}))

    def restore(self, seq: int) -> None:
        """An older dump; what happens from now on is other than what happened."""
        del self.rows[seq:]
        self.life += 1


class View:
    """A relay's connection to a database; `hook` runs between its answer and the relay."""

    def __init__(self, past: Past, hook: Hook | None = None) -> None:
        self.past, self.hook = past, hook
        self.away = False

    async def _answer(self, name: str, value: T) -> T:
        if self.away:
            raise StorageError("away")
        if self.hook is not None:
            await self.hook(name)
        return value

    async def database_id(self) -> str:
        return await self._answer("database_id", str(UUID(int=self.past.identity)))

    async def head(self) -> int:
        return await self._answer("head", len(self.past.rows))

    async def first_seq(self) -> int:
        kept = len(self.past.rows) > self.past.pruned
        return await self._answer("first_seq", self.past.pruned + 1 if kept else 0)

    async def events(self, after: int, limit: int) -> list[tuple[int, str]]:
        first = max(after, self.past.pruned)
        rows = list(enumerate(self.past.rows[first : first + limit], first + 1))
        return await self._answer("events", rows)


class Made:
    """A relay with all that is its own."""

    def __init__(self, redis: Redis, past: Past, *, maxlen: int = 1_000_000) -> None:
        self.view, self.telemetry = View(past), Telemetry()
        self.relay = Relay(redis, self.view, maxlen=maxlen, wake=Wake(), telemetry=self.telemetry)

    async def catch_up(self) -> int:
        return await self.relay.catch_up()

    def once(self, name: str, action: Callable[[], Awaitable[object]], *, nth: int = 1) -> None:
        """Do something after the nth answer of that name, before the relay hears it."""
        answers = 0

        async def hook(asked: str) -> None:
            nonlocal answers
            answers += asked == name
            if answers == nth:
                self.view.hook = None
                await action()

        self.view.hook = hook

    @property
    def reason(self) -> str:
        return next((c.reason for c in self.telemetry.status.conditions), "")


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with client(redis_url) as made:
        yield made


@asynccontextmanager
async def client(url: str, *, as_text: bool = True) -> AsyncIterator[Redis]:
    made = connect(url, as_text=as_text)
    try:
        yield made
    finally:
        await made.aclose()


async def entries(redis: Redis) -> list[tuple[int, str]]:
    found: Any = await redis.xrange(STREAM)
    return [(int(entry.removesuffix("-0")), fields["data"]) for entry, fields in found]


async def is_history(redis: Redis, past: Past, *, first: int = 1) -> None:
    """The stream is dense from `first` to the head, and each entry what history says."""
    assert await entries(redis) == list(enumerate(past.rows, 1))[first - 1 :]


async def groups(redis: Redis) -> dict[str, int]:
    found: Any = await redis.xinfo_groups(STREAM) if await redis.exists(STREAM) else []
    return {g["name"]: int(g["last-delivered-id"].split("-")[0]) for g in found}


async def read(redis: Redis, group: str, count: int) -> list[str]:
    reply: Any = await redis.xreadgroup(group, "one", {STREAM: ">"}, count=count)
    pages = reply.values() if isinstance(reply, dict) else [page for _, page in reply or ()]
    found = [entry for page in pages for entry in page]
    flat = [e for f in found for e in (f if isinstance(f, list) else [f])]
    return [fields["data"] for _, fields in flat]


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


async def test_a_rebuild_keeps_groups_and_what_is_pending_where_history_agrees(
    redis: Redis,
) -> None:
    past = Past(50)
    made = Made(redis, past)
    await made.catch_up()
    for group, count in ((TRADERS, 20), ("ahead", 40)):
        await redis.xgroup_create(STREAM, group, id="0")
        await read(redis, group, count)
    await redis.xgroup_create(STREAM, "new", id="0")
    past.restore(30)
    past.commit(5)
    await made.catch_up()

    await is_history(redis, past)
    assert await groups(redis) == {TRADERS: 20, "new": 0}
    assert (await redis.xpending(STREAM, TRADERS))["pending"] == 20
    assert await read(redis, TRADERS, 100) == past.rows[20:]
    assert (await redis.xinfo_groups(STREAM))[-1]["lag"] == 0
    assert made.reason.startswith("stream_rebuilt: set_back: ")
    assert "ahead at 40" in made.reason
    assert "docs/DATA.md" in made.telemetry.status.current.advice
    rebuilds = made.telemetry.metrics.by_label("m26_stream_rebuilds_total", "reason")
    assert rebuilds == {"set_back": 1}


@pytest.mark.parametrize("ahead", [0, 700])
async def test_a_database_restored_while_redis_was_away_leaves_no_entry_of_the_old_past(
    redis: Redis, ahead: int
) -> None:
    past = Past(800)
    await Made(redis, past).catch_up()
    await redis.xgroup_create(STREAM, TRADERS, id="300-0")
    await redis.xgroup_create(STREAM, "ahead", id="$")
    past.restore(489)
    past.commit(311 + ahead)
    made = Made(redis, past)
    await made.catch_up()

    await is_history(redis, past)
    assert await groups(redis) == {TRADERS: 300}
    assert made.reason.startswith("stream_rebuilt: differs: ")


@pytest.mark.parametrize("what", ["postgres", "redis", "nothing"])
async def test_a_restore_behind_an_outage_or_none_is_noticed_by_the_same_process(
    redis: Redis, what: str
) -> None:
    past = Past(50)
    made = Made(redis, past)
    await made.catch_up()
    if what == "postgres":
        made.view.away = True
        with pytest.raises(StorageError):
            await made.catch_up()
        made.view.away = False
    past.restore(30)
    past.commit(20)  # as many as before: there is nothing to append
    if what == "redis":
        await redis.client_kill_filter(skipme=False)
        with pytest.raises(RedisConnectionError):
            await made.catch_up()
    await made.catch_up()

    await is_history(redis, past)


async def test_events_stored_again_in_another_order_are_noticed_before_an_equal_last_one(
    redis: Redis,
) -> None:
    past = Past(60)
    await Made(redis, past).catch_up()
    await redis.xgroup_create(STREAM, TRADERS, id="40-0")
    past.rows[44] = past.rows[44].replace('"auction_id": 45', '"auction_id": 46')
    past.commit(3)
    made = Made(redis, past)
    await made.catch_up()

    await is_history(redis, past)
    assert await groups(redis) == {TRADERS: 40}


async def test_a_member_that_a_newer_version_adds_makes_no_other_event(redis: Redis) -> None:
    past = Past(50)
    await Made(redis, past).catch_up()
    old = list(past.rows)
    past.rows = [row.replace("}", ', "late": true}') for row in past.rows]
    past.commit(5)
    made = Made(redis, past)
    await made.catch_up()

    assert [data for _, data in await entries(redis)] == old + past.rows[50:]
    assert not made.reason


async def test_what_others_do_to_the_stream_is_mended_without_a_loss(redis: Redis) -> None:
    past = Past(50)
    made = Made(redis, past)
    await made.catch_up()
    await redis.xgroup_create(STREAM, TRADERS, id="50-0")

    await redis.xadd(STREAM, {"data": "a stray entry", b"\xff": b"\xfe"})  # by the time of day
    past.commit(5)
    await made.catch_up()
    await is_history(redis, past)

    await redis.xadd(STREAM, {"data": past.rows[-1]}, id="55-7")  # a copy
    past.commit(5)
    await made.catch_up()
    await is_history(redis, past)

    await redis.delete(DATABASE)
    past.commit(5)
    await made.catch_up()
    await is_history(redis, past)
    assert await redis.get(DATABASE) == str(UUID(int=1))
    assert await groups(redis) == {TRADERS: 50}


async def test_a_consumer_that_deletes_what_it_has_handled_causes_no_rebuild(
    redis: Redis,
) -> None:
    past = Past(700)
    made = Made(redis, past)
    await made.catch_up()
    await redis.xdel(STREAM, "3-0", *(f"{n}-0" for n in range(20, 600)), "700-0")
    past.commit(5)
    for relay in (made, Made(redis, past)):
        await relay.catch_up()
        assert not relay.reason

    assert [seq for seq, _ in await entries(redis)][-6:] == [699, *range(701, 706)]


async def test_a_redis_restored_to_an_older_state_catches_up_with_its_groups(
    redis: Redis, redis_url: str
) -> None:
    past = Past(50)
    made = Made(redis, past)
    await made.catch_up()
    await redis.xgroup_create(STREAM, TRADERS, id="20-0")
    async with client(redis_url, as_text=False) as raw:
        older: Any = await raw.dump(STREAM)
    past.commit(50)
    await made.catch_up()
    await read(redis, TRADERS, 60)
    await redis.restore(STREAM, 0, older, replace=True)
    await made.catch_up()

    await is_history(redis, past)
    assert await groups(redis) == {TRADERS: 20}
    assert not made.reason


async def test_an_emptied_redis_is_told(redis: Redis) -> None:
    past = Past(50)
    made = Made(redis, past)
    await made.catch_up()
    await redis.flushall()
    await made.catch_up()

    await is_history(redis, past)
    assert made.reason.startswith("stream_rebuilt: emptied: ")


async def test_two_databases_on_one_redis_do_not_fight_and_both_say_so(redis: Redis) -> None:
    one, two = Past(50, identity=1), Past(30, identity=2)
    first, second = Made(redis, one), Made(redis, two)
    await first.catch_up()
    await redis.xgroup_create(STREAM, TRADERS, id="10-0")
    await second.catch_up()
    assert second.reason.startswith("stream_rebuilt: another_database: ")
    assert "traders at 10" in second.reason
    await redis.xgroup_create(STREAM, TRADERS, id="0")
    for _ in range(3):
        one.commit(3)
        two.commit(3)
        assert await first.catch_up() == 0
        await second.catch_up()

    await is_history(redis, two)
    assert await groups(redis) == {TRADERS: 0}
    assert first.reason.startswith(f"stream_taken: another m26 publishes database {UUID(int=2)}")
    assert "M26_REDIS__URL" in first.telemetry.status.current.advice


async def test_a_process_whose_database_was_replaced_publishes_the_new_one(redis: Redis) -> None:
    past = Past(50)
    made = Made(redis, past)
    await made.catch_up()
    past.identity = 2
    past.restore(0)
    past.commit(70)
    await made.catch_up()

    await is_history(redis, past)
    assert made.reason.startswith("stream_rebuilt: another_database")


async def test_a_long_stream_is_rebuilt_in_steps_that_do_not_block_redis(redis: Redis) -> None:
    past = Past(21_500)
    made = Made(redis, past)
    await made.catch_up()
    await redis.xgroup_create(STREAM, TRADERS, id="700-0")
    past.restore(1000)
    await made.catch_up()

    await is_history(redis, past)
    assert await groups(redis) == {TRADERS: 700}


async def test_a_rebuild_is_told_for_ten_minutes(redis: Redis) -> None:
    past, telemetry, now = Past(50), Telemetry(), 1000.0
    await Made(redis, Past(50, identity=2)).catch_up()
    relay = Relay(
        redis, View(past), maxlen=1000, wake=Wake(), telemetry=telemetry, clock=lambda: now
    )
    for later, told in ((0.0, True), (599.0, True), (601.0, False)):
        now = 1000.0 + later
        await relay.catch_up()
        assert bool(telemetry.status.current.reason) is told


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
