"""m26 as its operator runs it: command lines on a home, each a process of its own."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
from tests.support.documents import strict
from tests.support.simulator import Simulator

from m26.embedded.postgres import Postgres
from m26.status.views import StatusView

_STATUS = strict(StatusView)
LIVELY = {
    "budget.per_day": 1_728_000,
    "budget.per_minute": 6_000,
    "budget.burst": 50,
}
"""A budget at which a test of some seconds sees a market move."""


@dataclass(slots=True)
class Home:
    """One home of m26 and what is set for the commands on it."""

    path: Path
    settings: dict[str, object] = field(default_factory=dict)
    """Dotted key → value; handed over in the environment."""
    variables: dict[str, str] = field(default_factory=dict)
    """Other variables of the environment."""

    @property
    def log(self) -> Path:
        """Standard error of every command, one after the other."""
        return self.path.with_name(f"{self.path.name}.err")

    @property
    def environment(self) -> dict[str, str]:
        """What the commands get to see."""
        given = {"home": self.path, "web.port": 0, "log.format": "json", **self.settings}
        own = {f"M26_{key.upper().replace('.', '__')}": str(value) for key, value in given.items()}
        return (
            {k: v for k, v in os.environ.items() if not k.startswith("M26_")} | own | self.variables
        )

    def m26(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end.

        Args:
            arguments: of the command line.
            code: exit code that it must have.
        """
        done = subprocess.run(
            [sys.executable, "-m", "m26", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        with self.log.open("a") as log:
            log.write(done.stderr)
        assert done.returncode == code, (arguments, done.stderr[-3000:])
        return done

    def start(self, *arguments: str, program: Sequence[str] = ("m26", "run")) -> Run:
        """Start ``m26 run``, or another `program`; the caller ends it (see `running`)."""
        out = self.path.with_name(f"{self.path.name}.out")
        with self.log.open("ab") as stderr, out.open("wb") as stdout:
            process = subprocess.Popen(
                [sys.executable, "-m", *program, *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
        return Run(self, process, out)

    @contextmanager
    def running(self, *arguments: str, program: Sequence[str] = ("m26", "run")) -> Iterator[Run]:
        """``m26 run`` in the background: serving inside the block, gone behind it."""
        with self.start(*arguments, program=program).serving() as run:
            yield run


@dataclass(slots=True)
class Run:
    """A collector in the background."""

    home: Home
    process: subprocess.Popen[bytes]
    out: Path

    @property
    def url(self) -> str:
        """Where it serves; empty before it does."""
        try:
            document = orjson.loads((self.home.path / "run.json").read_bytes())
        except (OSError, ValueError):
            return ""
        return str(document["url"]) if document["pid"] == self.process.pid else ""

    def get(self, path: str) -> httpx.Response:
        """Ask one of its endpoints; when it is ending instead, fail with its last words."""
        token = self.home.settings.get("web.token", "")
        asking = {"authorization": f"Bearer {token}"} if token else {}
        try:
            # Plain HTTP, asked often: reading the certificates would be the slowest part.
            return httpx.get(
                self.url + path, headers=asking, timeout=5, trust_env=False, verify=False
            )
        except (httpx.UnsupportedProtocol, httpx.NetworkError):
            code, log = self.process.wait(40), self.home.log.read_text()
            raise AssertionError(f"m26 ended with {code}: {log[-3000:]}") from None

    @property
    def status(self) -> dict[str, Any]:
        """Its own word on how it is."""
        said = self.get("/api/v1/status").json()
        _STATUS.validate(said)
        return dict(said)

    @property
    def reasons(self) -> str:
        """Every reason that it gives now, with the state it belongs to."""
        return "; ".join(f"{c['state']} {c['reason']}" for c in self.status["conditions"])

    @property
    def events(self) -> int:
        """Events committed since its start."""
        return sum(self.status["events"].values())

    @property
    def requests(self) -> int:
        """Requests answered since its start."""
        return sum(self.status["requests"].values())

    @property
    def dsn(self) -> str:
        """Of its embedded PostgreSQL."""
        return Postgres(Path(self.status["database"]["where"])).dsn

    def until(self, condition: Callable[[], object], *, seconds: float = 20) -> float:
        """Wait until `condition` holds; how long that took. Fails when m26 ends or time is up."""
        started = time.monotonic()
        while not condition():
            assert self.process.poll() is None, f"m26 ended: {self.home.log.read_text()[-2000:]}"
            waited = time.monotonic() - started
            assert waited < seconds, f"not so after {seconds} s: {self.status['conditions']}"
            time.sleep(0.05)
        return time.monotonic() - started

    @contextmanager
    def serving(self) -> Iterator[Run]:
        """Serving inside the block, gone behind it."""
        try:
            self.serve()
            yield self
        finally:
            self.kill()

    def serve(self) -> None:
        """Wait until it serves: it has opened everything then and is at work."""
        self.until(lambda: self.url, seconds=60)

    def grow(self, by: int = 1, *, seconds: float = 20) -> None:
        """Wait until so many more events are committed."""
        wanted = self.events + by
        self.until(lambda: self.events >= wanted, seconds=seconds)

    def end(self, number: signal.Signals = signal.SIGTERM, *, seconds: float = 40) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def kill(self) -> None:
        """End it at once, whatever it is doing; nothing when it is over already."""
        self.process.kill()
        self.process.wait(10)

    def limit_files(self, size: int) -> None:
        """No file of this process may grow beyond `size`; -1 lifts that again."""
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@contextmanager
def home(path: Path, **settings: object) -> Iterator[Home]:
    """A home for a test; at its end no embedded server of it is left running.

    Args:
        path: where; it is made.
        settings: as in `Home.settings`, with ``__`` in place of dots.
    """
    path.mkdir(mode=0o700, parents=True)
    made = Home(path, {key.replace("__", "."): value for key, value in settings.items()})
    try:
        yield made
    finally:
        if (path / "postgres").exists() or (path / "valkey").exists():
            made.m26("embedded", "stop")


@contextmanager
def client_of(sim: Simulator, path: Path, **settings: object) -> Iterator[Home]:
    """A home whose only account is that of a simulator which runs on its own."""
    settings = {
        "profile": "sim",
        "upstream__oauth_url": sim.url,
        "upstream__base_url": sim.url,
        **{key.replace(".", "__"): value for key, value in LIVELY.items()},
        **settings,
    }
    with home(path, **settings) as made:
        made.m26("auth", "import", str(sim.folder / "capture.har"))
        yield made
