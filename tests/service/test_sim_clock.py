"""The clock that a test and its simulator share: standing still until moved, or running faster."""

from __future__ import annotations

import struct
import subprocess
import sys
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

import anyio
import pytest
from tests.support.simulator import Client, simulator, until
from tests.support.worldclock import START, WorldClock

DAY = 86_400


@pytest.fixture
def still(tmp_path: Path) -> WorldClock:
    return WorldClock(tmp_path / "clock")


def test_everything_of_the_simulator_runs_on_the_file(tmp_path: Path, still: WorldClock) -> None:
    arguments = ("--size", "30", "--speed", "1", "--clock", str(still.path))
    with (
        simulator(tmp_path / "sim", *arguments) as sim,
        Client(sim, clock=still.time) as client,
    ):
        client.sign_in()
        for days in (0, 0.01, 3):
            still.set(START + days * DAY)
            now = still.time()
            client.sign_in()
            reply = client.process()
            page = reply.json()["responseInfo"]["value"]
            assert page["responseData"]["responseTime"] == int(now) * 1_000_000
            assert parsedate_to_datetime(reply.headers["date"]).timestamp() == int(now)
            assert max(auction["postingTime"] for auction in page["details"]) <= now
            assert all(0 <= a["secondsRemaining"] <= 3 * DAY for a in page["details"])
            assert sim.stats()["time"] == now
        assert int(time.time()) != int(still.time())
        still.advance(1_201)
        assert client.process().json()["error"]["errorname"] == "ERR_AUTHENTICATION_REQUIRED"
        still.advance(14_400)
        assert client.login().json()["error"]["errorname"] == "AUTH_ERR_EXPIRED_TOKEN"
        still.advance(10 * DAY)
        assert client.token().json()["error"] == "invalid_grant"
        with sim.ledger() as ledger:
            times = [request.at for _, request in ledger.requests()]
            last = max(state.at for state in ledger.states())
    assert times == sorted(times)
    assert (times[0], times[-1]) == (START, still.time())
    assert START < last <= still.time()


def test_a_clock_may_run_faster_than_the_machines(tmp_path: Path) -> None:
    fast = WorldClock(tmp_path / "clock", speed=600)
    assert (fast.speed, fast.clock().speed) == (600, 600)
    arguments = ("--size", "5", "--clock", str(fast.path))
    with simulator(tmp_path / "sim", *arguments) as sim:
        began = fast.time()
        until(lambda: sim.stats()["time"] > began + 60)
        for _ in range(5):
            before, told = fast.time(), sim.stats()["time"]
            assert before <= told <= fast.time()
        fast.set(START)
        assert START <= sim.stats()["time"] <= fast.time() < began


def test_a_clock_file_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(struct.pack("<d", 1.0))
    for name in ("absent", "short"):
        command = [sys.executable, "-m", "m26", "sim", "--folder", str(tmp_path / "sim")]
        command += ["--clock", str(tmp_path / name)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert ended.returncode == 3
        assert "cannot read the clock file" in ended.stderr


def test_a_second_reader_sees_the_clock_as_it_is(still: WorldClock) -> None:
    still.advance(5)
    assert WorldClock(still.path).time() == START + 5
    assert WorldClock(still.path, base=7).time() == 7 == still.time()


@pytest.mark.anyio
async def test_a_virtual_sleep_moves_the_clock_at_once_and_tells_of_it(still: WorldClock) -> None:
    told: list[tuple[float, float]] = []
    still.on_sleep = lambda now, seconds: told.append((now, seconds))
    clock = still.clock()
    with anyio.fail_after(60):  # of the machine's seconds
        await clock.sleep(30 * DAY)
        await clock.sleep(0)
    assert clock.time() == START + 30 * DAY
    assert told == [(START, 30 * DAY), (START + 30 * DAY, 0)]
    assert clock.speed == 1
    assert still.clock(deadlines=40).speed == 40


@pytest.mark.anyio
async def test_sleeps_that_overlap_end_in_their_order_and_at_their_time(still: WorldClock) -> None:
    ended: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float, times: int) -> None:
        for _ in range(times):
            await still.sleep(seconds)
            ended.append((name, still.time() - START))

    async with anyio.create_task_group() as group:
        group.start_soon(sleeper, "slow", 30, 1)
        group.start_soon(sleeper, "fast", 10, 4)
    assert ended[:2] == [("fast", 10), ("fast", 20)]
    assert sorted(ended[2:4]) == [("fast", 30), ("slow", 30)]
    assert ended[4:] == [("fast", 40)]


@pytest.mark.anyio
async def test_a_sleep_that_is_cancelled_holds_nobody_up(still: WorldClock) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(still.sleep, 5)
        await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    await still.sleep(10)
    assert still.time() == START + 10
