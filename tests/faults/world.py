"""Servers that a test may hurt, and a collector that has to live with them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from tests.oracle import trial
from tests.oracle.reading import History
from tests.support.product import Home
from tests.support.simulator import Simulator

from m26.embedded import supervise
from m26.embedded.postgres import Postgres
from m26.embedded.valkey import Valkey

T = TypeVar("T")


@dataclass(slots=True)
class Server(Generic[T]):
    """One server under a supervisor of the test's own."""

    kept: supervise.Server
    open: Callable[[], AbstractContextManager[T]]
    running: T | None = field(default=None, init=False)
    _stack: ExitStack = field(default_factory=ExitStack, init=False)

    def up(self) -> T:
        """Start it, with the data that it had; nothing when it runs."""
        if self.running is None:
            self.running = self._stack.enter_context(self.open())
        return self.running

    def down(self) -> None:
        """Stop it, and leave it so."""
        self.running = None
        self._stack.close()

    def kill(self) -> None:
        """End it the hard way; its supervisor starts it again."""
        self._signal(signal.SIGKILL)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It takes bytes and connections inside the block, and answers nothing."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        process = self.kept.process()
        assert process is not None
        for pid in _family(process.pid):
            os.kill(pid, number)


@dataclass(slots=True)
class World:
    """A simulator, the two servers, and a home that uses all three."""

    sim: Simulator
    postgres: Server[Postgres]
    valkey: Server[Valkey]
    home: Home
    since: int
    """The simulator's first request that concerns this home."""

    def hold(self) -> History:
        """What every fault has to leave true."""
        return trial.hold(self.sim.folder / "ledger.db", self.home, since=self.since)


def _family(pid: int) -> list[int]:
    """A process and all of its descendants, the oldest first."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text("ascii", "replace").rpartition(")")[2].split()[1])
        except OSError:
            continue
        parents.setdefault(parent, []).append(int(path.parent.name))
    found = [pid]
    for each in found:
        found += parents.get(each, [])
    return found
