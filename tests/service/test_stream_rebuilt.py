"""A stream whose database has another past is rebuilt, and that is told: a real Valkey."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from tests.support.relays import (
    TRADERS,
    Made,
    Past,
    View,
    client,
    entries,
    groups,
    is_history,
    read,
)

from m26.errors import StorageError
from m26.publish.relay import DATABASE, STREAM, Relay
from m26.status.telemetry import Telemetry
from m26.wake import Wake

pytestmark = pytest.mark.anyio


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
    assert {reason: n for reason, n in rebuilds.items() if n} == {"set_back": 1}


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


@pytest.mark.parametrize(
    ("published", "told", "rebuilt"),
    [
        ("2026-11-30T01:02:03Z", "2026-11-30T01:02:02.9Z", False),
        ("2026-11-30T01:02:03.5Z", "2026-11-30T01:02:03Z", False),
        ("2026-11-30T01:02:03Z", "2026-11-30T01:02:03.5Z", True),
        ("2026-11-30T01:02:03Z", "soon", True),
    ],
)
async def test_an_event_whose_state_was_seen_sooner_is_no_other_event(
    redis: Redis, published: str, told: str, rebuilt: bool
) -> None:
    """A late observation moves the date of a stored event back; a restored database any date."""

    def dated(rows: list[str], time: str) -> list[str]:
        return [row.replace("}", f', "observed_at": "{time}"}}') for row in rows]

    past = Past(50)
    plain, past.rows = past.rows, dated(past.rows, published)
    await Made(redis, past).catch_up()
    past.rows = dated(plain, told)
    made = Made(redis, past)
    await made.catch_up()

    assert bool(made.reason) == rebuilt
    kept = told if rebuilt else published
    assert [data for _, data in await entries(redis)] == dated(plain, kept)


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
