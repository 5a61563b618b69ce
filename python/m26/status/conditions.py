"""What the process is doing now and why: stages report conditions, the worst one is the state."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """States of docs/OPERATIONS.md, mildest first: the later of two present ones is shown."""

    COLLECTING = "collecting"
    STARTING = "starting"
    BACKING_OFF = "backing_off"
    PAUSED = "paused"
    STORING_ONLY = "storing_only"
    STOPPED = "stopped"
    DRAINING = "draining"


_SEVERITY = {state: rank for rank, state in enumerate(State)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One stage's word on how it is: a state, why, since and until when, and what to do."""

    source: str
    """Who says so: ``store``, ``publish``, ``app``, or ``account:NAME`` and others with a name."""
    state: State
    reason: str = ""
    advice: str = ""
    since: float
    """Unix seconds."""
    until: float | None = None
    """Unix seconds at which the stage tries again by itself; None when it waits for a person."""

    def is_about(self, account: str) -> bool:
        """Whether it is about this account, or a STOP of the whole home."""
        stage, named, name = self.source.partition(":")
        return name == account if named else stage == "stop"


class Status:
    """The conditions that hold now; `current` is the worst of them.

    `on_change` callbacks run synchronously whenever the current condition changes, so that log,
    metric and page agree at once. To be used from the event loop's thread only.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._conditions: dict[str, Condition] = {}
        self._listeners: list[Callable[[Condition], None]] = []
        self.started_at = clock()

    @property
    def current(self) -> Condition:
        """The worst condition; ``collecting`` with the first reason given when nothing is wrong."""
        if not self._conditions:
            return Condition(
                source="app",
                state=State.STARTING,
                reason="starting: servers, schema and journal are being opened",
                advice="Wait some seconds.",
                since=self.started_at,
            )
        return self.conditions[0]

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All conditions, worst first; of equals, one with a reason, then the oldest."""
        return tuple(
            sorted(
                self._conditions.values(),
                key=lambda c: (-_SEVERITY[c.state], not c.reason, c.since),
            )
        )

    def about(self, account: str) -> Condition:
        """The worst condition of an account: its own ones, and a STOP of the whole home."""
        own = (c for c in self.conditions if c.is_about(account))
        return next(own, self.current)

    def on_change(self, listener: Callable[[Condition], None]) -> None:
        """Call `listener` with the current condition now and after each change."""
        self._listeners.append(listener)
        listener(self.current)

    def report(
        self,
        source: str,
        state: State,
        *,
        reason: str = "",
        advice: str = "",
        until: float | None = None,
    ) -> None:
        """Say how `source` is. Repeating the same code, in other words too, keeps its ``since``."""
        old = self._conditions.get(source)
        same = old is not None and (old.state, _code(old.reason)) == (state, _code(reason))
        since = old.since if old is not None and same else self._clock()
        before = self.current
        self._conditions[source] = Condition(
            source=source, state=state, reason=reason, advice=advice, since=since, until=until
        )
        if self.current != before:
            for listener in self._listeners:
                listener(self.current)


def _code(reason: str) -> str:
    return reason.partition(":")[0]
