"""A process to look at: status, metrics and an observer over made-up facts."""

from __future__ import annotations

from m26.status.conditions import Status
from m26.status.metrics import Metrics
from m26.status.snapshot import OFF, Observer, versions
from m26.status.views import AccountView, MarketView, ServerView, SetupView


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
        self.markets: list[MarketView] = []
        self.rollups, self.fair = OFF
        self.accounts = [] if simulator else [self.account("main", "ps5")]
        folder = "/var/lib/m26"
        self.setup = SetupView(
            url=url,
            simulator=simulator,
            profile="sim" if simulator else "madden26",
            home=folder,
            upstream=["127.0.0.1:8126"] if simulator else ["token.invalid", "gateway.invalid"],
            database=ServerView(embedded=simulator, where=f"{folder}/postgres/run", version="18.6"),
            redis=ServerView(embedded=True, where=f"{folder}/valkey/run", version="9.1"),
            versions=versions(),
        )
        self.observer = Observer(
            metrics=self.metrics,
            status=self.status,
            setup=self.setup,
            backlog=lambda: self.backlog,
            accounts=lambda: self.accounts,
            markets=lambda: self.markets,
            prices=lambda: (self.rollups, self.fair),
            clock=self.clock,
            now=self.clock,
        )

    def account(self, name: str, platform: str) -> AccountView:
        """An account of which nothing is known yet but its state."""
        condition = self.status.about(name)
        return AccountView(
            name=name,
            platform=platform,
            state=condition.state,
            reason=condition.reason,
            strategy="",
            budget={},
            next_request_at=None,
            refills_at={},
            auth_seconds_left={},
        )
