"""The failure table, acted upon in one place: verdicts in; waits, renewals, pauses, stops out."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import structlog

from m26.clock import Clock
from m26.errors import TransportError
from m26.limits.halt import Halt, StoppedError
from m26.limits.standing import Standing
from m26.limits.waiting import when_free
from m26.status.conditions import State
from m26.status.metrics import LOGIN
from m26.status.telemetry import Telemetry
from m26.upstream.replies import Reply, classify_transport
from m26.upstream.verdicts import Action, RefusedError, Step, UnavailableError, Verdict

_log = structlog.get_logger()
_LOOK = 60.0
"""Seconds after which a pause is looked at again: the clock may have been set meanwhile."""
_RENEWALS = (Action.NEW_SESSION, Action.NEW_TOKEN)


class Session(Protocol):
    """The authenticated client of one account (`m26.auth.session.Session`)."""

    @property
    def ticket_id(self) -> str: ...  # noqa: D102
    async def ready(self) -> None: ...  # noqa: D102
    async def request(  # noqa: D102
        self, command: str, payload: str, *, params: Mapping[str, str] | None = None
    ) -> Reply: ...
    async def renew_session(self, *, dead: str) -> None: ...  # noqa: D102
    async def renew_tokens(self) -> None: ...  # noqa: D102
    async def judged(self, verdict: Verdict) -> None: ...  # noqa: D102


@dataclass(slots=True, kw_only=True)
class Reaction:
    """What follows from the failures of one account, and what holds it back before a request."""

    account: str
    session: Session
    standing: Standing
    halt: Halt
    slow_down: Callable[[float], object]
    """Halves the rate for so many seconds; called in a thread."""
    telemetry: Telemetry
    clock: Clock = field(default_factory=Clock)

    async def clear(self) -> bool:
        """Return when neither a STOP nor a pause holds; True when one did.

        Raises:
            StoppedError: a STOP holds and ends this process.
        """
        waited = False
        while True:
            if self.halt.stop_of(self.account) is not None:
                await self.halt.wait(self.account)
            elif (pause := await self.standing.paused()) is not None:
                self._report(
                    State.PAUSED,
                    reason=f"{pause.reason}: {pause.message}",
                    advice=pause.advice,
                    until=pause.until,
                )
                await self.clock.sleep(min(_LOOK, max(0.001, pause.until - self.clock.time())))
            else:
                return waited
            waited = True

    async def succeeded(self) -> None:
        """A reply came that is data."""
        await self.standing.succeeded()
        self._report(State.COLLECTING)

    async def to(self, verdict: Verdict) -> bool:
        """Do what the failure table says; True when there was a pause or a stop.

        Raises:
            StoppedError: it is a STOP, and it ends this process.
        """
        return await self._act(await self.standing.step(verdict), verdict)

    async def _act(self, step: Step, verdict: Verdict) -> bool:
        _log.warning(
            "gateway.refused" if step.action is not Action.RETRY else "gateway.retry",
            account=self.account,
            reason=verdict.reason,
            action=step.action.value,
            seconds=round(step.seconds, 1),
            message=verdict.message,
        )
        if verdict.slow_down:
            await when_free(partial(self.slow_down, verdict.slow_down))
        match step.action:
            case Action.RETRY:
                await self._retry(verdict, step.seconds)
                return False
            case Action.PAUSE:  # it is in the book by now
                await self.clear()
                return True
            case Action.NEW_SESSION | Action.NEW_TOKEN:
                return await self._renew(step.action, verdict)
            case Action.STOP:
                await self.halt.stop(self.account, verdict)
                await self.standing.stopped(verdict.reason)
                await self.clear()
                return True
            case Action.OK:  # a verdict that is not OK never asks for it
                raise AssertionError(verdict.reason)

    async def _retry(self, verdict: Verdict, seconds: float) -> None:
        seconds *= random.uniform(0.8, 1.2)  # noqa: S311 - spreads retries, hides nothing
        self._report(
            State.BACKING_OFF,
            reason=f"{verdict.reason}: {verdict.message}",
            advice=verdict.advice,
            until=self.clock.time() + seconds,
        )
        await self.clock.sleep(seconds)

    async def _renew(self, action: Action, verdict: Verdict) -> bool:
        """Renew, until it is done: the command is not sent again with what was rejected."""
        dead, troubled = self.session.ticket_id, False
        while True:
            try:
                if action is Action.NEW_TOKEN:
                    await self.session.renew_tokens()
                    action = Action.NEW_SESSION
                await self.session.renew_session(dead=dead)
            except StoppedError:
                troubled |= await self.clear()
                continue
            except TransportError as error:
                failure = classify_transport(error)
            except (RefusedError, UnavailableError) as error:
                failure = error.verdict
            else:
                await self.standing.done(verdict)
                return troubled
            self.telemetry.metrics.count_request(LOGIN, failure.reason)
            if failure.action in _RENEWALS:  # the new session is rejected as well: no third login
                await self.standing.done(failure)
            troubled |= await self._act(await self.standing.step(failure), failure)

    def _report(
        self, state: State, *, reason: str = "", advice: str = "", until: float | None = None
    ) -> None:
        source = f"account:{self.account}"
        self.telemetry.status.report(source, state, reason=reason, advice=advice, until=until)
