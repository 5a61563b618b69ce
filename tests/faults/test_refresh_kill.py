"""``kill -9`` while tokens are renewed and saved: the saved pair works, or one more call tells."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from itertools import cycle, islice, product
from pathlib import Path

import pytest
from tests.faults import renewers
from tests.faults.renewers import LOSES_THE_PAIR, POINTS
from tests.support.simulator import Client, Simulator, simulator

from m26.auth.credentials import Credentials, Tokens
from m26.auth.vault import Vault
from m26.upstream.secret import Secret
from m26.upstream.verdicts import RefusedError

pytestmark = pytest.mark.anyio
_RANDOM = "anywhere"
_LONGEST = 0.25
"""Seconds in which a child renews several times."""


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with simulator(tmp_path_factory.mktemp("renewing") / "sim", "--size", "20") as running:
        yield running


def link(home: Path, sim: Simulator) -> None:
    """Give the account a fresh pair, as a login does."""
    with Client(sim) as app:
        app.sign_in()
    now = time.time()
    tokens = Tokens(
        access=Secret(app.access),
        refresh=Secret(app.refresh),
        expires_at=now + 14_400,
        obtained_at=now,
    )
    made = Credentials(platform="sim", device_id=Secret(app.device_id), tokens=tokens)
    Vault.open(home).update("main", lambda _: made)


def asked(sim: Simulator, kind: str = "token") -> int:
    with sim.ledger() as ledger:
        return sum(request.kind == kind for _, request in ledger.requests())


def kill(home: Path, sim: Simulator, point: str, rng: random.Random) -> None:
    """Let a process renew until it dies at `point`."""
    process, ready = renewers.start_renewing(
        home, sim.url, point=point, renewal=rng.randrange(1, 4)
    )
    try:
        assert ready.wait(20)
        if point == _RANDOM:
            time.sleep(rng.uniform(0, _LONGEST))
            process.kill()
        process.join(20)
        assert process.exitcode == -9
        sim.stats()  # what it sent before its death is in the ledger when this is answered
        sim.stats()
    finally:
        process.kill()
        process.join()


async def what_is_left(home: Path, sim: Simulator) -> str:
    """How a fresh process fares: ``works`` or why not, after exactly one refresh call."""
    before = asked(sim)
    async with renewers.client(sim.url) as gateway:
        session = renewers.session(home, gateway)
        try:
            await session.renew_tokens()
        except RefusedError as refused:
            for _ in range(2):  # it stays so, and nobody is asked any more
                with pytest.raises(RefusedError):
                    await renewers.session(home, gateway).renew_tokens()
            assert asked(sim) == before + 1
            return refused.verdict.reason
        assert asked(sim) == before + 1
        reply = await session.request("search", renewers.PAYLOAD)
        assert b"details" in reply.body
        return "works"


@pytest.mark.parametrize(
    "kills", [pytest.param(14, id="14"), pytest.param(200, id="200", marks=pytest.mark.soak)]
)
async def test_a_kill_costs_one_more_call_at_the_most_and_the_vault_is_never_half(
    tmp_path: Path, sim: Simulator, seed: int, kills: int
) -> None:
    rng, ends = random.Random(seed), Counter[tuple[str, bool, str]]()
    points = cycle(product((*POINTS, _RANDOM), (False, True)))
    for point, accepts_previous in islice(points, kills):
        sim.control(accept_previous_refresh=accepts_previous)
        link(tmp_path, sim)
        kill(tmp_path, sim, point, rng)
        held = Vault.open(tmp_path).read("main")  # whole, and of this key
        assert held.tokens is not None
        end = await what_is_left(tmp_path, sim)
        ends[point, accepts_previous, end] += 1
        if accepts_previous:
            assert end == "works", point
        elif point != _RANDOM:
            assert end == ("login_again" if point in LOSES_THE_PAIR else "works"), point
        else:
            assert end in ("works", "login_again")
            assert end == "works" or held.refreshes_unanswered == 1
    sim.control(accept_previous_refresh=False)
    assert {point for point, _, _ in ends} == {*POINTS, _RANDOM}


async def test_three_processes_of_many_tasks_find_a_session_dead_and_one_logs_in(
    tmp_path: Path, sim: Simulator
) -> None:
    link(tmp_path, sim)
    before = asked(sim, "login")
    started = [renewers.start_asking(tmp_path, sim.url, askers=5) for _ in range(3)]
    try:
        for _, ready, _ in started:
            assert ready.wait(20)
        assert asked(sim, "login") == before + 1  # at first too
        sim.control(kill_sessions=True)
        for _, _, go in started:
            go.set()
        for process, _, _ in started:
            process.join(30)
            assert process.exitcode == 0
    finally:
        for process, _, _ in started:
            process.kill()
            process.join()
    assert asked(sim, "login") == before + 2
    assert Vault.open(tmp_path).read("main").ticket is not None
