"""One account's run in virtual time: a fault goes in, the requests that followed come out."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import asyncpg
import structlog
from structlog.testing import capture_logs
from tests.oracle import reading, verdict
from tests.support import servers
from tests.support.simulator import Simulator, simulator
from tests.support.worldclock import WorldClock

from m26 import config
from m26.app.run import Run, running
from m26.auth.intake import import_capture
from m26.auth.vault import Vault
from m26.clock import Clock
from m26.journal import segment
from m26.models import Page

SPEED = 5.0
"""By which network deadlines are shorter: a black hole of 20 s takes 4."""


_HOUR = 3_700.0
_SIGNING = ("static_data", "key", "code_secret")
_CLIENT = ("client_id", "client_secret")


class Asked(NamedTuple):
    """One request as the simulator's ledger has it."""

    number: int
    at: float
    kind: str
    fault: str
    status: int
    answer: str


class Told(NamedTuple):
    """What the run said of itself when it began to wait."""

    at: float
    seconds: float
    state: str
    reason: str
    advice: str


@dataclass(slots=True)
class Trial:
    """A run of one account that can be held between two requests."""

    account: str
    sim: Simulator
    world: WorldClock
    home: Path
    dsn: str
    settings: dict[str, object]
    """As its run was given them."""
    run: Run
    logs: list[dict[str, Any]]
    told: list[Told] = field(default_factory=list)
    held: bool = False
    waiting: bool = False
    since: int = 0
    """Number of the last request before the fault."""

    async def sleep(self, seconds: float) -> None:
        """In place of waiting: the world's clock moves on, when nobody holds it."""
        state = self.run.snapshot()["state"] if self.run else {}
        self.told.append(
            Told(
                self.world.time(),
                seconds,
                str(state.get("state")),
                str(state.get("reason")),
                str(state.get("advice")),
            )
        )
        self.waiting = True
        while self.held:
            await anyio.sleep(0.005)
        self.waiting = False
        await self.world.sleep(seconds)

    async def hold(self) -> None:
        """Return when the run waits, and keep it waiting."""
        self.held = True
        await servers.until(lambda: self.waiting)

    async def strike(self, *faults: dict[str, Any]) -> None:
        """Switch faults of this account on, between two requests, and let the run go on."""
        await self.hold()
        self.world.advance(_HOUR)  # the limits on logins have nothing left to remember
        self.told.clear()
        self.logs.clear()
        self.since = self.last()
        for fault in faults:
            document = {"account": self.account, **fault}
            await anyio.to_thread.run_sync(lambda given=document: self.sim.control(**given))
        self.held = False

    def last(self) -> int:
        """Number of the simulator's last request."""
        with closing(_ledger(self.sim)) as db:
            return int(db.execute("SELECT ifnull(max(number), 0) FROM request").fetchone()[0])

    def asked(self) -> list[Asked]:
        """This account's requests since the fault, in order."""
        with closing(_ledger(self.sim)) as db:
            rows = db.execute(
                "SELECT number, at, kind, fault, status, answer FROM request"
                " WHERE account = ? AND number > ? AND kind <> 'capture' ORDER BY number",
                (self.account, self.since),
            )
            return [Asked(*row) for row in rows]

    async def until(self, condition: Callable[[], object], *, seconds: float = 20) -> None:
        """Return when `condition` holds."""
        await servers.until(condition, seconds=seconds)

    def pages(self) -> list[Page]:
        """Replies in the journal."""
        found = []
        for path in segment.segment_paths(self.home / "journal"):
            found += [record.page for record in segment.read_segment(path) if record.page]
        return found

    async def rejects(self) -> list[tuple[str, bytes]]:
        """(reason, bytes) of the quarantine, oldest first."""
        connection = await asyncpg.connect(self.dsn)
        try:
            rows = await connection.fetch("SELECT reason, raw FROM m26.reject ORDER BY id")
        finally:
            await connection.close()
        return [(row["reason"], row["raw"]) for row in rows]

    async def judge_store(self) -> None:
        """O2: what is stored is what was served whole, and nothing else. Asked at the end."""
        connection = await asyncpg.connect(self.dsn)
        try:
            history = await reading.stored(connection)
        finally:
            await connection.close()
        served = reading.observations(self.sim.folder / "ledger.db", platform=self.account)
        judged = verdict.judge_history(served, history, inferred=True)
        assert judged, str(judged)


@contextmanager
def simulated(
    folder: Path, world: WorldClock, names: Iterable[str], *arguments: str
) -> Iterator[Simulator]:
    """A small market for each account, on `world`; credentials end only by a fault."""
    accounts = [part for name in names for part in ("--account", f"{name}:{name}")]
    market = ("--size", "12", "--speed", "1", "--token-ttl", "1e8", "--clock", str(world.path))
    with simulator(folder / "sim", *market, *arguments, *accounts) as running:
        running.control(refresh_ttl=10**9, bundle_ttl=10**9, session_ttl=10**8)
        yield running


def profile(
    folder: Path, account: str, *, paging: bool = False, signs: bool = True, client: bool = True
) -> Path:
    """The simulator's profile for the account's platform, which is called like the account.

    Args:
        folder: where it is written.
        account: of the simulator.
        paging: whether sweeps ask for pages of five; else for the whole market at once.
        signs: whether it has signing constants.
        client: whether it has client id and secret.
    """
    text = (files("m26") / "profiles" / "sim.toml").read_text("utf-8")
    text = text.replace('name = "sim"', 'name = "trial"')
    text = text.replace('platforms = ["sim"]', f'platforms = ["{account}"]')
    old = 'mode = "url"\ncount = 100'
    text = text.replace(old, 'mode = "url"\ncount = 5' if paging else 'mode = "none"')
    left_out = (*(() if signs else _SIGNING), *(() if client else _CLIENT))
    lines = [line for line in text.splitlines() if not line.startswith(left_out or ("\0",))]
    path = folder / "trial.toml"
    path.write_text("\n".join(lines))
    return path


@asynccontextmanager
async def trial(
    account: str,
    *,
    sim: Simulator,
    world: WorldClock,
    home: Path,
    dsn: str,
    redis_url: str,
    profile: Path,
    warm: bool = True,
    **settings: object,
) -> AsyncIterator[Trial]:
    """A run that, if `warm`, has had its first good replies."""
    vault = Vault.open(home)
    capture = sim.folder / ("capture.har" if account == "a0" else f"capture-{account}.har")
    import_capture(vault, capture, account=account, platform=account, now=world.time())
    settings = {
        "home": home,
        "profile": str(profile),
        "upstream.oauth_url": sim.url,
        "upstream.base_url": sim.url,
        "postgres.dsn": dsn,
        "redis.url": redis_url,
        "web.port": 0,
        **settings,
    }
    structlog.reset_defaults()
    with capture_logs() as logs:
        made = Trial(account, sim, world, home, dsn, settings, run=None, logs=logs)  # type: ignore[arg-type,list-item]
        clock = Clock(time=world.time, sleep=made.sleep, speed=SPEED)
        async with running(config.load(settings), clock=clock) as run:
            made.run = run
            if warm:
                await made.until(lambda: run.snapshot()["requests"].get("ok", 0) >= 2)
            yield made
            made.held = False
            await run.finish()


@dataclass(frozen=True, slots=True)
class Trials:
    """Starts trials, each on an account of its own."""

    folder: Path
    accounts: Iterator[str]
    sim: Simulator
    world: WorldClock
    dsn: str
    redis_url: str

    def start(
        self,
        *,
        paging: bool = False,
        signs: bool = True,
        client: bool = True,
        warm: bool = True,
        **settings: object,
    ) -> AbstractAsyncContextManager[Trial]:
        """The next trial; the arguments are those of `profile` and `trial`."""
        account = next(self.accounts)
        return trial(
            account,
            sim=self.sim,
            world=self.world,
            home=self.folder / "home",
            dsn=self.dsn,
            redis_url=self.redis_url,
            profile=profile(self.folder, account, paging=paging, signs=signs, client=client),
            warm=warm,
            **settings,
        )


def _ledger(sim: Simulator) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{sim.folder / 'ledger.db'}?mode=ro", uri=True)
