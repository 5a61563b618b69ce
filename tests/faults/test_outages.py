"""Servers that go away, freeze, forget or lie: nothing lost, nothing twice, and said in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis
from anyio.from_thread import BlockingPortal
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from tests.faults.world import World
from tests.oracle import trial
from tests.support.product import Run
from tests.support.proxy import Faults, Proxy

_TOLD = 5.0
"""Seconds within which the operator hears of a fault."""
_SECONDS = pytest.mark.parametrize(
    "seconds", [pytest.param(2, id="2s"), pytest.param(20, id="20s", marks=pytest.mark.soak)]
)


def _told(run: Run, reason: str) -> None:
    """The status names the fault in time."""
    trial.say(
        f"{reason} told after {run.until(lambda: reason in run.reasons, seconds=_TOLD):.1f} s"
    )


def _works_on(run: Run, seconds: float) -> None:
    """Requests go out for as long as a fault lasts."""
    before = run.requests
    time.sleep(seconds)
    run.until(lambda: run.requests > before + seconds)


def _recovered(run: Run, *, seconds: float = 20) -> None:
    """All that was received is committed, and nobody complains any more."""
    took = run.until(
        lambda: not run.status["journal"]["backlog"] and run.status["healthy"], seconds=seconds
    )
    trial.say(f"recovered after {took:.1f} s")
    run.grow(5)


@_SECONDS
@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_redis_away_stops_no_storing_and_leaves_no_hole(
    world: World, how: str, seconds: int
) -> None:
    with world.home.running() as run:
        run.grow(20)
        if how == "stopped":
            world.valkey.down()
            _told(run, "redis_away")
            run.grow(5)
            _works_on(run, seconds)
            world.valkey.up()
        else:
            with world.valkey.frozen():
                _told(run, "redis_away")
                run.grow(5)
                _works_on(run, seconds)
        _recovered(run)
        assert run.end() == 143
    world.hold()


def test_redis_killed_and_wiped_is_filled_again_from_the_first_event(world: World) -> None:
    url = str(world.home.settings["redis.url"])
    with world.home.running() as run:
        run.grow(20)
        world.valkey.kill()
        _recovered(run)
        # it may still be starting: a run is healthy until it hears of the kill
        retry = Retry(ConstantBackoff(0.1), 100)
        with redis.Redis.from_url(url, retry=retry) as client:
            client.flushall()
        run.grow(20)
        assert run.end() == 143
    world.hold()


@_SECONDS
def test_postgres_stopped_leaves_the_pages_in_the_journal(world: World, seconds: int) -> None:
    with world.home.running() as run:
        run.grow(20)
        world.postgres.down()
        _told(run, "postgres_away")
        _works_on(run, seconds)
        waiting = run.status["journal"]["backlog"]
        assert waiting > seconds
        world.postgres.up()
        _recovered(run)
        trial.say(f"{waiting} pages had waited in the journal")
        assert run.end() == 143
    world.hold()


@pytest.mark.parametrize(
    "kills", [pytest.param(2, id="2"), pytest.param(25, id="25", marks=pytest.mark.soak)]
)
def test_postgres_killed_and_the_collector_ended_meanwhile(world: World, kills: int) -> None:
    with world.home.running() as run:
        run.grow(20)
        for _ in range(kills):
            world.postgres.kill()
            _recovered(run)
        world.postgres.down()
        _works_on(run, 1)
        run.kill()
    world.postgres.up()
    with world.home.running() as run:
        _recovered(run)
        assert run.end() == 143
    world.hold()


@_SECONDS
def test_postgres_frozen_in_the_middle_of_a_copy_is_waited_out(
    world: World, portal: BlockingPortal, seconds: int, seed: int
) -> None:
    with _proxied(world, portal, seed) as faults, world.home.running() as run:
        run.grow(20)
        copying = threading.Event()
        faults.on_request = lambda data: copying.set() if b'COPY "m26"' in data else None
        assert copying.wait(10)
        with world.postgres.frozen():
            faults.none()
            _told(run, "postgres_away")
            _works_on(run, seconds)
        _recovered(run)
        assert run.end() == 143
    world.hold()


def _moved(world: World) -> int:
    return world.home.log.read_text().count('"store.cursor_moved"')


@pytest.mark.parametrize(
    "times", [pytest.param(12, id="12"), pytest.param(500, id="500", marks=pytest.mark.soak)]
)
def test_lost_replies_to_commits_double_nothing(
    world: World, portal: BlockingPortal, times: int, seed: int
) -> None:
    with _proxied(world, portal, seed) as faults, world.home.running() as run:
        run.grow(20)
        faults.swallow_reply_to = b"COMMIT;"
        run.until(lambda: _moved(world) >= times, seconds=20 + times)
        faults.none()
        _recovered(run)
        lost, moved = faults.swallowed, _moved(world)
        trial.say(f"{lost} replies to COMMIT lost, {moved} found out by the cursor")
        assert lost >= moved
        assert run.end() == 143
    world.hold()


def test_connections_that_break_anywhere_lose_and_double_nothing(
    world: World, portal: BlockingPortal, seed: int
) -> None:
    with _proxied(world, portal, seed) as faults, world.home.running() as run:
        run.grow(20)
        faults.reset_probability, faults.latency = 0.02, 0.002
        run.until(lambda: faults.reset >= 15, seconds=60)
        faults.none()
        _recovered(run)
        trial.say(f"{faults.reset} connections reset")
        assert run.end() == 143
    world.hold()


def test_a_disk_without_room_stops_the_asking_until_there_is_some(world: World) -> None:
    with world.home.running() as run:
        run.grow(20)
        (segment, *_) = sorted((world.home.path / "journal").glob("*.seg"), reverse=True)
        run.limit_files(segment.stat().st_size + 300_000)  # the last record is cut by it
        _told(run, "no_room")
        asked = world.sim.stats()["requests"]
        time.sleep(2)
        assert world.sim.stats()["requests"] == asked
        assert run.get("/readyz").status_code == 503
        run.limit_files(-1)
        _recovered(run)
        assert run.end() == 143
    world.hold()


@contextmanager
def _proxied(world: World, portal: BlockingPortal, seed: int) -> Iterator[Faults]:
    """Put a proxy between the home and its PostgreSQL."""
    given, name = str(world.home.settings["postgres.dsn"]), ".s.PGSQL.5432"
    folder, target = world.home.path.with_name("proxy"), world.postgres.up().socket_folder
    folder.mkdir()
    proxy = Proxy(folder / name, target / name, Faults(seed))
    world.home.settings["postgres.dsn"] = given.replace(str(target), str(folder))
    with portal.wrap_async_context_manager(proxy):
        yield proxy.faults
    world.home.settings["postgres.dsn"] = given
