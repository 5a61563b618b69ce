"""``kill -9`` of the collector at random moments: nothing lost, nothing twice."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from tests.oracle import trial
from tests.support import product
from tests.support.simulator import simulator

_MARKET = ("--size", "250", "--speed", "1440", "--activity", "1.3", "--visible", "28800")
_PATIENCE = 2.0
"""Longest time from the start of a process, or from the start of its work, to its end."""


@pytest.mark.parametrize(
    "kills", [pytest.param(5, id="5"), pytest.param(60, id="60", marks=pytest.mark.soak)]
)
def test_kills_at_random_moments_lose_nothing_and_double_nothing(
    tmp_path: Path, seed: int, kills: int
) -> None:
    rng = random.Random(seed)
    with (
        simulator(tmp_path / "sim", "--seed", str(seed), *_MARKET) as sim,
        product.client_of(sim, tmp_path / "home") as home,
    ):
        at_work = 0
        for _ in range(kills):
            run = home.start()
            try:
                if rng.random() < 0.6:  # at work; else anywhere from its first import on
                    run.serve()
                time.sleep(rng.uniform(0, _PATIENCE))
                assert run.process.poll() is None, home.log.read_text()[-2000:]
                at_work += bool(run.url)
            finally:
                run.kill()
        with home.running() as run:
            run.grow(20)
            assert run.end() == 143
        history = trial.hold(sim.folder / "ledger.db", home)

        log = home.log.read_text()
        adopted = log.count('"embedded.adopted"')
        trial.say(f"{kills} kills, {at_work} of them at work; servers adopted {adopted} times")
        assert at_work >= kills // 3
        assert adopted >= at_work
        assert "Traceback" not in log
        assert len(history.events) > 10 * kills
