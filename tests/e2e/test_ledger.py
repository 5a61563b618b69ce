"""The promise as a whole: what the simulator served is what the database and the stream hold."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from tests.oracle import reading, trial
from tests.oracle.rules import SECOND
from tests.oracle.verdict import judge_market
from tests.support import product
from tests.support.product import Run
from tests.support.simulator import Simulator, simulator


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, and how fast sessions and auctions end."""

    seconds: float
    session_ttl: float
    market: tuple[str, ...]


_LIVELY = ("--activity", "1.3", "--prices", "drift-wash")
CI = Plan(32, 15, ("--size", "250", "--speed", "1440", "--visible", "28800", *_LIVELY))
_PACE = {"budget__per_minute": 1_800}
"""Ten sweeps a second: as fast as it goes would only see more of the same."""
SOAK = Plan(600, 240, ("--size", "400", "--speed", "288", "--visible", "5760", *_LIVELY))


@pytest.mark.parametrize(
    "plan", [pytest.param(CI, id="ci"), pytest.param(SOAK, id="10-min", marks=pytest.mark.soak)]
)
def test_the_database_equals_the_ledger_over_session_expiries(
    tmp_path: Path, seed: int, plan: Plan
) -> None:
    options = ("--session-ttl", str(plan.session_ttl), *plan.market)
    with (
        simulator(tmp_path / "sim", "--seed", str(seed), *options) as sim,
        product.client_of(sim, tmp_path / "home", log__level="debug", **_PACE) as home,
    ):
        ledger = sim.folder / "ledger.db"
        with home.running() as run:
            run.until(lambda: run.status["uptime_seconds"] > plan.seconds, seconds=plan.seconds + 9)
            swept_at = _sweep_of_a_frozen_market(sim, run)
            assert run.end() == 143
        history = trial.hold(ledger, home)
        trial.require(judge_market(reading.market(ledger, "sim"), swept_at, history))

        with sim.ledger() as reader:
            answers = Counter((request.kind, request.answer) for _, request in reader.requests())
        trial.say(f"requests: {dict(answers)}")
        expiries = int(plan.seconds // plan.session_ttl)
        assert answers["process", "ERR_AUTHENTICATION_REQUIRED"] >= expiries
        assert answers["login", "ok"] >= expiries
        assert not any(answer.startswith("violation") for _, answer in answers)
        kinds = Counter(event.kind for _, event in history.events)
        trial.say(f"events: {dict(kinds)}")
        assert set(kinds) == {"listed", "bid", "closed"}


def _sweep_of_a_frozen_market(sim: Simulator, run: Run) -> int:
    """Freeze the market and let m26 see all of it; the sweep's start in server time."""
    sim.control(freeze=True, session_ttl=3_600)  # faults off: that is the expiries here
    frozen_at = time.time() + 1  # server times are whole seconds
    swept: list[float] = []

    async def look() -> float | None:
        connection = await asyncpg.connect(run.dsn)
        try:
            return await connection.fetchval(
                "SELECT extract(epoch FROM min(started_at)) FROM m26.sweep"
                " WHERE complete AND started_at > to_timestamp($1)",
                frozen_at,
            )
        finally:
            await connection.close()

    def seen() -> bool:
        found = asyncio.run(look())
        swept.extend([float(found)] if found else [])
        return bool(swept)

    run.until(seen, seconds=40)
    return int(swept[0]) * SECOND
