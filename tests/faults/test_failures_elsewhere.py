"""Rows of the failure table that no reply provokes: the network, TLS, what the vault lacks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Self

import anyio
import pytest
from tests.faults.virtual import Trial, Trials, simulated
from tests.support import ports
from tests.support.bareserver import answering, self_signed, serving
from tests.support.simulator import Simulator
from tests.support.worldclock import WorldClock

from m26.auth.vault import FILE, Vault
from m26.home.stops import read_stop

pytestmark = pytest.mark.anyio
_NAMES = [f"a{number}" for number in range(10)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> WorldClock:
    return WorldClock(tmp_path_factory.mktemp("clock") / "clock")


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory, world: WorldClock) -> Iterator[Simulator]:
    with simulated(tmp_path_factory.mktemp("rows"), world, _NAMES) as running:
        running.control(accept_previous_refresh=True)
        yield running


@pytest.fixture(scope="module")
def accounts() -> Iterator[str]:
    return iter(_NAMES)


@pytest.fixture
def trials(
    tmp_path: Path,
    accounts: Iterator[str],
    sim: Simulator,
    world: WorldClock,
    database: str,
    redis_url: str,
) -> Trials:
    return Trials(tmp_path, accounts, sim, world, database, redis_url)


async def test_a_gateway_that_cannot_be_reached_is_tried_again_ever_more_slowly(
    trials: Trials, sim: Simulator
) -> None:
    async with Relay(sim.url) as relay, trials.start(**{"upstream.base_url": relay.url}) as made:
        await made.strike()
        await relay.close()
        await made.until(lambda: len(_waits(made, "unreachable")) >= 9)
        waits = _waits(made, "unreachable")
        for wait, wanted in zip(waits, (1, 2, 4, 8, 16, 32, 60, 60, 60), strict=False):
            assert 0.8 * wanted <= wait <= 1.2 * wanted, waits
        await relay.open()
        asked = len(made.asked())
        await made.until(lambda: len(made.asked()) > asked + 2)
        assert {request.kind for request in made.asked()} == {"process"}
    await made.judge_store()


async def test_a_self_signed_peer_stops_everything_and_sees_no_request(
    trials: Trials, tmp_path: Path
) -> None:
    async with (
        serving(answering(b"{}"), self_signed(tmp_path)) as peer,
        trials.start(warm=False, **{"upstream.base_url": peer.url}) as made,
    ):
        await made.until(lambda: read_stop(made.home))
        await _stopped(made, "certificate")
        assert peer.heads == []


async def test_two_lost_answers_to_a_refresh_are_the_last(trials: Trials) -> None:
    async with trials.start() as made:
        await made.strike(
            {"fault": "token_kill", "next": 1}, {"fault": "lost_answer", "kind": "token", "next": 9}
        )
        await made.until(lambda: read_stop(made.home))
        await _stopped(made, "refresh_lost")
        kinds = [request.kind for request in made.asked() if request.kind != "process"]
        assert kinds.count("token") == 2, kinds


async def test_without_client_id_and_secret_a_dead_token_is_a_stop(trials: Trials) -> None:
    async with trials.start(client=False) as made:
        _change(made, client_id=None, client_secret=None)
        await made.strike({"fault": "token_kill", "next": 1})
        await made.until(lambda: read_stop(made.home))
        await _stopped(made, "no_client")
        assert [request.kind for request in made.asked()] == ["process", "login"]


async def test_a_pool_that_is_refused_rests_and_is_asked_again(trials: Trials) -> None:
    async with trials.start(signs=False) as made:
        await made.strike({"fault": "error", "name": "ERR_AUTHORIZATION_REQUIRED", "next": 2})
        await made.until(lambda: len(made.asked()) > 4)
        assert any(told.reason.startswith("bundles_resting:") for told in made.told), made.told
        asked = made.asked()
        rested = max(after.at - before.at for before, after in pairwise(asked))
        assert 890 <= rested <= 1_900, asked
        assert read_stop(made.home) is None
    await made.judge_store()


async def test_a_vault_that_others_can_read_is_a_pause_until_it_is_mended(trials: Trials) -> None:
    async with trials.start() as made:
        await made.hold()
        (made.home / FILE).chmod(0o644)
        await made.strike({"fault": "session_kill", "next": 1})
        await made.until(lambda: any(t.reason.startswith("vault_unusable:") for t in made.told))
        await made.hold()
        assert "login" not in {request.kind for request in made.asked()}
        (made.home / FILE).chmod(0o600)
        made.held = False
        await made.until(lambda: made.asked()[-1].answer == "ok" and len(made.asked()) > 3)
        assert [r.kind for r in made.asked()].count("login") == 1
    await made.judge_store()


def _waits(made: Trial, reason: str) -> list[float]:
    return [told.seconds for told in made.told if told.reason.startswith(f"{reason}:")]


def _change(made: Trial, **changes: object) -> None:
    vault = Vault.open(made.home)
    vault.change(made.account, lambda held: replace(held, **changes))


async def _stopped(made: Trial, reason: str) -> None:
    held = read_stop(made.home)
    assert held is not None
    assert held.reason == reason
    await made.until(lambda: made.run.snapshot()["state"]["state"] == "stopped", seconds=5)
    asked = made.last()
    await anyio.sleep(0.3)
    assert made.last() == asked


class Relay:
    """Passes connections on to a URL for as long as it is open, always at the same port."""

    def __init__(self, url: str) -> None:
        self._to = int(url.rpartition(":")[2])
        self._reserved = ExitStack()
        self._port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self._port)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in self._writers:
                writer.close()
            await self._server.wait_closed()
            self._server = None

    async def __aenter__(self) -> Self:
        self._port = self._reserved.enter_context(ports.reserved())
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
        self._reserved.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers |= {writer, back}
        with suppress(ConnectionError):
            await asyncio.gather(_pump(reader, back), _pump(there, writer))


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(1 << 16):
        sink.write(data)
        await sink.drain()
    sink.close()
