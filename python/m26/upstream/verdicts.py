"""What a failure means and what follows from it: actions, verdicts, their escalation and errors."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from m26.errors import (
    AuthError,
    ConfigError,
    ShapeError,
    StorageError,
    TransportError,
    UpstreamError,
)

_CODES = {
    kind.exit_code: kind.code
    for kind in (ConfigError, AuthError, UpstreamError, StorageError, ShapeError)
}
"""Exit codes of the failure table and their names."""
_REMEMBERED = 16
"""More times than any rule tells apart."""

PASSING = "transient"
"""Reason of the upstream's own failure, or of its word for a request that it cannot answer: plan
and record take it for an answer to what was asked."""


class Action(StrEnum):
    """What the collector does next; the letters are those of docs/PROTOCOL.md."""

    OK = "ok"
    RETRY = "retry"
    """R: the same request again after a jittered wait."""
    NEW_SESSION = "new_session"
    """S: one login, then the same command once more."""
    NEW_TOKEN = "new_token"  # noqa: S105 - an action
    """T: one token refresh, then a login."""
    PAUSE = "pause"
    """P: no request of this account for a while."""
    STOP = "stop"
    """STOP: no request until the operator acts."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do now: an action and how long it waits (0 where it does not)."""

    action: Action
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One row of the failure table, as met in one reply."""

    action: Action
    reason: str
    """Stable code, e.g. ``captcha``; the same in status, metric and log."""
    message: str
    """What happened, for a person; free of secrets."""
    advice: str = ""
    """What the operator should do, or why nothing."""
    delays: tuple[float, ...] = ()
    """Seconds before each retry. After the last one `pause`; without a pause the last repeats."""
    pause: float | None = None
    """Seconds of the pause, for PAUSE and for what follows when another action did not help."""
    longer: tuple[float, ...] = ()
    """Pauses after the first one, when the reason comes again; the last repeats."""
    then_stop: bool = False
    """When the action was taken and the reason comes again: STOP instead of a pause."""
    memory: float = math.inf
    """Seconds for which an action taken for this reason counts as taken."""
    forgiving: bool = True
    """A good reply in between makes the next one the first one again."""
    slow_down: float = 0.0
    """Seconds during which the request rate is halved afterwards."""
    exit_code: int = 0
    """Of `m26 run` when it ends because of this."""
    quarantine: bool = False
    """The bytes are kept for a person to see."""
    scope: Literal["home", "account"] = "home"
    """Whose requests a STOP for it stops: every account's, or those of this account alone."""

    def step(self, taken: int) -> Step:
        """What to do when `action` was already taken `taken` times for this reason."""
        match self.action:
            case Action.OK | Action.STOP:
                return Step(self.action)
            case Action.RETRY if taken < len(self.delays) or self.pause is None:
                return Step(Action.RETRY, self.delays[min(taken, len(self.delays) - 1)])
            case Action.NEW_SESSION | Action.NEW_TOKEN if not taken:
                return Step(self.action)
            case Action.PAUSE if not (taken and self.then_stop):
                return Step(Action.PAUSE, self._pauses[min(taken, len(self._pauses) - 1)])
            case _ if self.then_stop or self.pause is None:
                return Step(Action.STOP)
            case _:
                return Step(Action.PAUSE, self.pause)

    @property
    def _pauses(self) -> tuple[float, ...]:
        return (self.pause or 0.0, *self.longer)


@dataclass(slots=True)
class Escalation:
    """Remembers what was done for each reason: a failure that comes again is met differently."""

    taken: dict[str, list[float]] = field(default_factory=dict)
    """For each reason: when its action was taken, the last ones."""
    forgiving: set[str] = field(default_factory=set)
    """Reasons that a good reply takes back."""

    def step(self, verdict: Verdict, *, now: float) -> Step:
        """What to do about `verdict` now (`now` in seconds of any steady clock); remembered."""
        taken = [t for t in self.taken.get(verdict.reason, ()) if now - t < verdict.memory]
        step = verdict.step(len(taken))
        if step.action is verdict.action:
            taken.append(now)
        self.taken[verdict.reason] = taken[-_REMEMBERED:]
        if verdict.forgiving:
            self.forgiving.add(verdict.reason)
        return step

    def forget(self, reason: str) -> None:
        """When `reason` comes again, it is for the first time."""
        self.taken.pop(reason, None)

    def succeeded(self) -> None:
        """A good reply came: forgiving reasons start afresh."""
        for reason in self.forgiving:
            self.taken.pop(reason, None)
        self.forgiving.clear()


class RefusedError(AuthError):
    """No request of this account makes sense until a person acts; `verdict` says why."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.message, hint=verdict.advice)
        self.verdict = verdict
        self.exit_code = verdict.exit_code
        self.code = _CODES.get(verdict.exit_code, self.code)


class UnavailableError(UpstreamError):
    """A token or login call failed in a way that may pass; `verdict` says when to try again."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.message, hint=verdict.advice)
        self.verdict = verdict


class BrokenTransferError(TransportError):
    """A reply did not arrive whole; nothing of it is used.

    Args:
        message: what happened, free of URL and session key.
        reason: code of the failure table: ``unreachable``, ``cut``, ``too_slow``, ``too_large``,
            ``certificate``, ``encoding`` or ``unsendable``.
        part: the bytes that came, where they are worth keeping.
    """

    def __init__(self, message: str, *, reason: str, part: bytes = b"") -> None:
        super().__init__(message, hint="Nothing of the reply is used; it is asked for again.")
        self.reason = reason
        self.part = part
