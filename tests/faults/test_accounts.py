"""Four accounts on three platforms, their sessions killed under them, a rebuild beside them."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import chain
from pathlib import Path

import pytest
from tests.oracle import leaks, reading, trial, verdict
from tests.oracle.reading import History
from tests.oracle.rules import Seen
from tests.oracle.verdict import Verdict
from tests.support import product
from tests.support.simulator import Simulator, simulator, until
from tests.support.worldclock import WorldClock

_SPEED = 300.0
_ACCOUNTS = {"one": "ps5", "two": "xbsx", "three": "pc", "four": "ps5"}
_BUDGET = {"budget.per_day": 8_640, "budget.per_minute": 30, "budget.burst": 3}
_JITTER = 0.02 * _SPEED
"""From a login's slot to its arrival it is some milliseconds, and those are scaled too."""
_LIMITS = ((1, 15.0), (3, 600.0), (12, 3_600.0))
"""At most so many logins within so many seconds."""


@dataclass
class World:
    """A simulator and a home on one clock."""

    clock: WorldClock
    sim: Simulator
    home: product.Home
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, job: str) -> subprocess.Popen[bytes]:
        """A process of m26 on this clock."""
        out = self.home.path.with_name(f"{self.home.path.name}.{job}.out")
        with self.home.log.open("ab") as stderr, out.open("ab") as stdout:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.scaled", job, str(self.clock.path)],
                env=self.home.environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
        self.processes.append(process)
        return process

    def ask(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Rows of the simulator's ledger."""
        path = self.sim.folder / "ledger.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            return db.execute(query, values).fetchall()

    def collecting(self, since: int) -> bool:
        """Whether every account had a good reply after request `since`."""
        rows = self.ask(
            "SELECT DISTINCT account FROM request"
            " WHERE number > ? AND kind = 'process' AND answer = 'ok'",
            since,
        )
        return {account for (account,) in rows} == set(_ACCOUNTS)

    def last(self) -> int:
        """Number of the last request."""
        return int(str(self.ask("SELECT ifnull(max(number), 0) FROM request")[0][0]))


@pytest.fixture
def world(tmp_path: Path, seed: int) -> Iterator[World]:
    clock = WorldClock(tmp_path / "clock", speed=_SPEED)
    accounts = [part for item in _ACCOUNTS.items() for part in ("--account", ":".join(item))]
    market = ("--size", "30", "--speed", "1", "--seed", str(seed), "--clock", str(clock.path))
    profile = tmp_path / "profile.toml"
    text = (files("m26") / "profiles" / "sim.toml").read_text("utf-8")
    text = text.replace('name = "sim"', 'name = "three"')
    platforms = ", ".join(f'"{name}"' for name in sorted(set(_ACCOUNTS.values())))
    profile.write_text(text.replace('platforms = ["sim"]', f"platforms = [{platforms}]"))
    with (
        simulator(tmp_path / "sim", *market, *accounts) as sim,
        product.home(
            tmp_path / "home",
            profile=profile,
            upstream__oauth_url=sim.url,
            upstream__base_url=sim.url,
            log__level="debug",
            **{key.replace(".", "__"): value for key, value in _BUDGET.items()},
        ) as home,
    ):
        sim.control(one_session=True, session_ttl=10**7, token_ttl=10**7, bundle_ttl=10**7)
        first = next(iter(_ACCOUNTS))
        for name, platform in _ACCOUNTS.items():
            capture = "capture.har" if name == first else f"capture-{name}.har"
            path = str(sim.folder / capture)
            home.m26("auth", "import", path, "--account", name, "--platform", platform)
        made = World(clock, sim, home)
        with _ending(made):
            yield made


@contextmanager
def _ending(world: World) -> Iterator[None]:
    try:
        yield
    finally:
        for process in world.processes:
            process.kill()
            process.wait(10)


@pytest.mark.parametrize(
    "rounds", [pytest.param(8, id="32"), pytest.param(25, id="100", marks=pytest.mark.soak)]
)
def test_sessions_die_under_four_accounts_and_each_logs_in_once(
    world: World, seed: int, rounds: int
) -> None:
    rng = random.Random(seed)
    began = world.last()
    run, rebuilds = world.start("run"), [world.start("rebuild")]
    until(lambda: world.collecting(began), run, seconds=60)
    kills = []
    restarts = {rounds // 3, 2 * rounds // 3}
    for number in range(rounds):
        kills.append(int(world.sim.control(kill_sessions=True)["requests"]))
        until(lambda: world.collecting(kills[-1]), run, seconds=60)
        if rebuilds[-1].poll() is not None:
            rebuilds.append(world.start("rebuild"))
        if number in restarts:  # the limits on logins must hold over it
            time.sleep(0.3)  # that the new session is good is written down by then
            run.kill()
            run.wait(10)
            run = world.start("run")
        time.sleep(rng.uniform(0, 0.3))
    ended = world.last()
    until(lambda: world.collecting(ended), run, seconds=60)
    run.terminate()
    assert run.wait(60) == 0, world.home.log.read_text()[-3000:]
    assert [process.wait(60) for process in rebuilds] == [0] * len(rebuilds)

    for account in _ACCOUNTS:
        _one_login_each(world, account, kills)
    _every_refresh_was_good(world, len(rebuilds))
    _stored(world)


def _one_login_each(world: World, account: str, kills: list[int]) -> None:
    rows = world.ask(
        "SELECT number, at, kind, answer FROM request WHERE account = ? AND number > ?"
        " AND kind IN ('login', 'process') ORDER BY number",
        account,
        kills[0],
    )
    times = []
    for start, end in zip(kills, [*kills[1:], 10**9], strict=True):
        told = [row for row in rows if start < int(str(row[0])) <= end]
        logins = [row for row in told if row[2] == "login"]
        assert [row[3] for row in logins] == ["ok"], (account, start, logins)
        dead = [row[0] for row in told if row[3] == "ERR_AUTHENTICATION_REQUIRED"]
        assert len(dead) <= 1, (account, dead)
        assert all(str(number) < str(logins[0][0]) or number < logins[0][0] for number in dead)
        times.append(float(str(logins[0][1])))
    for count, window in _LIMITS:
        for early, late in zip(times, times[count:], strict=False):
            assert late - early >= window - _JITTER, (account, count, window, times)


def _every_refresh_was_good(world: World, rebuilds: int) -> None:
    answers = [row[0] for row in world.ask("SELECT answer FROM request WHERE kind = 'token'")]
    assert set(answers) == {"ok"}
    trial.say(f"{len(answers)} token calls, {rebuilds} rebuilds beside the run")


def _stored(world: World) -> None:
    history, held = asyncio.run(trial.stores(world.home))
    served = reading.observations(world.sim.folder / "ledger.db")
    printed = world.home.path.parent.glob(f"{world.home.path.name}.*")
    places = chain(
        held.items(),
        leaks.files(world.home.path),
        ((path.name, path.read_bytes()) for path in printed),
    )
    trial.require(
        *(_of_platform(name, served, history) for name in ("xbsx", "pc")),
        verdict.judge_stream(history),
        leaks.judge_leaks(world.sim.secrets(), places),
    )
    listed = [event.key for _, event in history.events if event.kind == "listed"]
    assert len(listed) == len(set(listed))
    told = {event.key for _, event in history.events}
    owed = {seen.key for seen in served if seen.owed}  # a reply that a kill swallowed is not
    assert owed <= told <= {seen.key for seen in served}


def _of_platform(name: str, served: list[Seen], history: History) -> Verdict:
    """O2 for a market that one account sees: its requests have one order."""
    events = [event for _, event in history.events if event.platform == name]
    alone = history.changed(
        events=list(enumerate(events, 1)),
        head=len(events),
        auctions={key: row for key, row in history.auctions.items() if key[0] == name},
    )
    ours = [seen for seen in served if seen.platform == name]
    return verdict.judge_history(ours, alone, inferred=True)
