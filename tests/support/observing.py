"""A process to look at: status, metrics and an observer over made-up facts."""

from __future__ import annotations

from pathlib import Path

from m26.models import Account
from m26.status.conditions import Status
from m26.status.metrics import Metrics
from m26.status.snapshot import Facts, Observer, Server


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self, now: float = 1_786_914_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Watched:
    """One process as the stages see it (`status`, `metrics`) and as the operator does."""

    def __init__(self, *, simulator: bool = True, url: str = "http://127.0.0.1:8026") -> None:
        self.clock = Clock()
        self.backlog = 0
        self.status = Status(clock=self.clock)
        self.metrics = Metrics()
        self.facts = Facts(
            simulator=simulator,
            profile="sim" if simulator else "madden26",
            accounts=() if simulator else (Account(name="main", platform="ps5"),),
            home=Path("/var/lib/m26"),
            database=Server(embedded=simulator, where="/var/lib/m26/postgres/run", version="18.6"),
            redis=Server(embedded=True, where="/var/lib/m26/valkey/run", version="9.1"),
            url=url,
        )
        self.observer = Observer(
            metrics=self.metrics,
            status=self.status,
            facts=self.facts,
            backlog=lambda: self.backlog,
            clock=self.clock,
            now=self.clock,
        )
