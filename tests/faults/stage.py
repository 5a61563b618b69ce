"""Homes that share an upstream, a database and a stream, what is done to them, and the verdict."""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from anyio.from_thread import BlockingPortal
from tests.faults.world import Server
from tests.oracle import reading, trial
from tests.oracle.order import judge_order
from tests.oracle.verdict import judge_stream
from tests.support import servers
from tests.support.product import Home, Run
from tests.support.proxy import Faults, Proxy
from tests.support.simulator import Simulator, until
from tests.support.skew import Skew

from m26.embedded.postgres import Postgres
from m26.embedded.valkey import Valkey

ACCOUNTS = ("one", "two", "three", "four")
TOLD = 5.0
"""Seconds within which the operator hears of a fault."""
_SOCKET = ".s.PGSQL.5432"
_FAR = 0.02
_GROUP = "trial"
_COPIES = ("run.json", "stop.json")
"""What tells of a process, and is not copied with a home."""


@dataclass(slots=True)
class Upstream:
    """The simulator, and for each of its accounts a home that has imported its capture."""

    sim: Simulator
    folder: Path
    _imported: dict[str, Path] = field(default_factory=dict)

    def imported(self, account: str) -> Path:
        """A home that knows this account and has never run."""
        if account not in self._imported:
            made = Home(self.folder / f"imported-{account}", {"profile": "sim"})
            made.path.mkdir(mode=0o700)
            capture = "capture.har" if account == ACCOUNTS[0] else f"capture-{account}.har"
            path = str(self.sim.folder / capture)
            made.m26("auth", "import", path, "--account", account, "--platform", "sim")
            self._imported[account] = made.path
        return self._imported[account]


@dataclass(slots=True)
class Member:
    """One home of several, with its way to PostgreSQL and its clock."""

    home: Home
    link: Faults
    clock: Skew
    patience: float
    """Longest wait for its work, seconds."""
    _run: Run | None = None

    @property
    def run(self) -> Run:
        """Its collector, which was started."""
        assert self._run is not None
        return self._run

    @property
    def running(self) -> bool:
        """Whether there is one."""
        return self._run is not None and self._run.process.poll() is None

    @property
    def journal(self) -> Path:
        """Where its segments are."""
        return self.home.path / "journal"

    @property
    def newest_segment(self) -> Path:
        """The segment that is being written."""
        return max(self.journal.glob("*.seg"))

    def start(self) -> Run:
        """Start it; whether it serves has to be waited for."""
        self._run = self.home.start()
        return self._run

    def kill(self) -> None:
        """End it at once; nothing when it does not run."""
        if self._run is not None:
            self._run.process.send_signal(signal.SIGCONT)
            self._run.kill()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It does not go on inside the block, and nobody closes its connections."""
        self.run.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.run.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """End it in order, with all that it has received stored."""
        assert self.run.end() == 143, self.home.log.read_text()[-3000:]

    def ask(self, requests: int) -> None:
        """Wait until it has asked so often again."""
        wanted = self.run.requests + requests
        self.run.until(lambda: self.run.requests >= wanted, seconds=self.patience)

    def told(self, reason: str, metric: str, event: str) -> None:
        """The operator hears of it in time: status, metric, log and exit code."""
        took = self.run.until(lambda: reason in self.run.reasons, seconds=TOLD)
        trial.say(f"{reason} told after {took:.1f} s")
        assert reason in self.home.m26("status", code=1).stdout
        assert float(self._metric(metric)) > 0
        assert f'"{event}"' in self.home.log.read_text()

    def _metric(self, name: str) -> str:
        lines = self.run.get("/metrics").text.splitlines()
        return next(line.split()[-1] for line in lines if line.startswith(f"{name} "))


@dataclass(slots=True)
class Reader:
    """A consumer group, which has to be given every event once, whatever becomes of the stream."""

    url: str
    given: list[tuple[str, bytes]] = field(default_factory=list)

    def begin(self) -> None:
        """Make the group."""
        with redis.Redis.from_url(self.url) as client:
            client.xgroup_create(reading.STREAM, _GROUP, id="0")

    def read(self) -> None:
        """Take what there is for it."""
        with redis.Redis.from_url(self.url) as client:
            while True:
                reply: Any = client.xreadgroup(_GROUP, "one", {reading.STREAM: ">"}, count=1000)
                pages = reply.values() if isinstance(reply, dict) else [p for _, p in reply or ()]
                found = [entry for page in pages for entry in page]
                flat = [e for f in found for e in (f if isinstance(f, list) else [f])]
                if not flat:
                    return
                self.given += [(entry_id.decode(), fields[b"data"]) for entry_id, fields in flat]


@dataclass(slots=True, kw_only=True)
class Stage:
    """All of a trial."""

    upstream: Upstream
    portal: BlockingPortal
    postgres: Server[Postgres]
    valkey: Server[Valkey]
    database: str
    """Its name."""
    folder: Path
    seed: int
    longest: float = 0.5
    """Longest time that a home is frozen, seconds."""
    cut_off: list[float] = field(default_factory=list)
    """How long a home is to be cut off yet, each time, seconds."""
    patience: float = 20
    """Longest wait for the work of a home, seconds."""
    members: list[Member] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    """Requests whose replies were destroyed."""
    since: int = 0
    reader: Reader = field(init=False)
    rng: random.Random = field(init=False)
    _made: list[Member] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.since = self.next_request
        self.reader = Reader(self.valkey.up().url)

    @property
    def first(self) -> Member:
        """The first home."""
        return self.members[0]

    @property
    def dsn(self) -> str:
        """Of the database, straight."""
        return self.postgres.up().dsn_of(self.database)

    @property
    def next_request(self) -> int:
        """Number of the request that comes next."""
        return reading.first_request(self.upstream.sim.folder / "ledger.db")

    def join(self, source: Path, *, far: bool = False) -> Member:
        """One more home: a copy of `source`, with a way of its own to PostgreSQL."""
        name = f"h{len(self._made)}"
        path, sockets = self.folder / name, self.folder / f"p{len(self._made)}"
        shutil.copytree(source, path, ignore=shutil.ignore_patterns(*_COPIES))
        sockets.mkdir()
        link = Faults(self.seed, latency=_FAR if far else 0.0)
        target = self.postgres.up().socket_folder
        proxy = Proxy(sockets / _SOCKET, target / _SOCKET, link)
        self._stack.enter_context(self.portal.wrap_async_context_manager(proxy))
        clock = Skew(self.folder / f"{name}.skew", self.upstream.folder)
        settings = {
            "profile": "sim",
            "upstream.oauth_url": self.upstream.sim.url,
            "upstream.base_url": self.upstream.sim.url,
            "postgres.dsn": self.dsn.replace(str(target), str(sockets)),
            "redis.url": self.valkey.up().url,
            "budget.per_day": 1_728_000,
            "budget.per_minute": 900,
            "budget.burst": 5,
        }
        made = Member(Home(path, settings, clock.environment), link, clock, self.patience)
        self._made.append(made)
        self.members.append(made)
        return made

    def start(self, *members: Member) -> None:
        """Start homes, all that there are by default, and wait until they serve."""
        for member in members or self.members:
            member.start()
        for member in members or self.members:
            member.run.serve()

    def kill(self) -> None:
        """End all homes at a random moment."""
        time.sleep(self.rng.uniform(0, 0.3))
        for member in self.members:
            member.kill()

    def kill_one(self) -> None:
        """End one home at a random moment, and start it again."""
        member = self.rng.choice([member for member in self.members if member.running])
        time.sleep(self.rng.uniform(0, 0.3))
        member.kill()
        self.start(member)
        member.ask(5)

    def asked(self, requests: int) -> None:
        """Every home has asked so often again."""
        for member in self.members:
            member.ask(requests)

    def begin(self) -> None:
        """Start all homes and wait until they are at work; a consumer group begins to read."""
        self.start()
        until(self._stream_length, seconds=self.patience)
        self.reader.begin()
        self.asked(5)
        self.reader.read()

    def head(self) -> int:
        """Number of the newest event."""
        return len(self._history().events)

    def keep(self) -> None:
        """Keep the database as it is now; homes that run lose their connections once."""
        for member in self.members:
            member.link.silent = True
        servers.keep_copy(self.portal, self.postgres.up(), self.database)
        for member in self.members:
            member.link.silent = False

    def restore(self) -> None:
        """Make the database what it was when it was kept."""
        servers.restore(self.portal, self.postgres.up(), self.database)

    def finish(self) -> None:
        """End all homes in order, with all that they have received stored.

        One whose backlog takes longer than the 30 s that an end may take is run once more.
        """
        left = list(self.members)
        while left:
            said = [member.home.log.stat().st_size for member in left]
            for member in left:
                member.run.process.send_signal(signal.SIGTERM)
            for member in left:
                code = member.run.process.wait(60)
                assert code == 143, (code, member.home.log.read_text()[-3000:])
            logs = [
                member.home.log.read_bytes()[size:] for member, size in zip(left, said, strict=True)
            ]
            left = [each for each, log in zip(left, logs, strict=True) if b'"run.backlog"' in log]
            if left:
                self.start(*left)

    def hold(self, *, dated: bool) -> None:
        """What every trial has to leave true."""
        self.reader.read()
        history = self._history()
        served = reading.observations(self.upstream.sim.folder / "ledger.db", since=self.since)
        rivals = len(self._made) > 1
        trial.require(
            judge_order(served, history, rivals=rivals, dated=dated, gone=self.gone),
            judge_stream(history),
            judge_stream(history.changed(stream=self.reader.given)),
        )
        assert history.head > 20, "there was hardly anything to lose"
        for member in self._made:
            assert "Traceback" not in member.home.log.read_text()

    def close(self) -> None:
        """Nothing of it runs any more."""
        for member in self._made:
            member.kill()
        self._stack.close()
        self.upstream.sim.control(clear_faults=True)

    def _history(self) -> reading.History:
        return asyncio.run(reading.history(self.dsn, self.valkey.up().url))

    def _stream_length(self) -> int:
        with redis.Redis.from_url(self.reader.url) as client:
            return int(client.xlen(reading.STREAM))
