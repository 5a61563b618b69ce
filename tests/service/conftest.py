"""A simulator whose clock stands still with a signed-in client, for a module; a Redis client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis
from tests.support import relays
from tests.support.simulator import Client, Simulator, simulator
from tests.support.worldclock import START, WorldClock


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    folder = tmp_path_factory.mktemp("still")
    still = WorldClock(folder / "clock")
    arguments = ("--size", "40", "--account", "demo", "--clock", str(still.path))
    with simulator(folder / "sim", *arguments) as running:
        yield running


@pytest.fixture(scope="module")
def signed_in(sim: Simulator) -> Iterator[Client]:
    with Client(sim, clock=lambda: START) as client:
        client.sign_in()
        yield client


@pytest.fixture
def client(sim: Simulator, signed_in: Client) -> Iterator[Client]:
    yield signed_in
    sim.control(clear_faults=True)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with relays.client(redis_url) as made:
        yield made
