"""One request carried to its end: sent, journaled, judged, and the verdict acted upon."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio
import orjson
import structlog
from anyio.to_thread import run_sync

from m26 import _native
from m26._native import Peek
from m26.errors import TransportError
from m26.metrics import Metrics
from m26.models import BROKEN, Page
from m26.status import State, Status
from m26.upstream.profile import Command
from m26.upstream.replies import Reply, classify, classify_transport
from m26.upstream.verdicts import (
    Action,
    BrokenTransferError,
    Escalation,
    RefusedError,
    Step,
    UnavailableError,
    Verdict,
)

_log = structlog.get_logger()


class Session(Protocol):
    """The authenticated client of one account (`m26.auth.strategy.Session`)."""

    @property
    def ticket_id(self) -> str: ...  # noqa: D102
    async def request(  # noqa: D102
        self, command: str, payload: str, *, params: Mapping[str, str] | None = None
    ) -> Reply: ...
    async def renew_session(self, *, dead: str) -> None: ...  # noqa: D102
    async def renew_tokens(self) -> None: ...  # noqa: D102
    async def judged(self, verdict: Verdict) -> None: ...  # noqa: D102
    def observe_server_time(self, response_time: int, *, fetched_at: int) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply that is data: its page, already durable, and what its envelope says."""

    page: Page
    peek: Peek
    troubled: bool
    """There was a pause or a stop before it came."""


@dataclass(slots=True, kw_only=True)
class Exchange:
    """Requests of one account, one in flight at a time."""

    account: str
    platform: str
    commands: Mapping[str, Command]
    """The profile's: key to wire name."""
    session: Session
    journal: Callable[[Page], Awaitable[Any]]
    """Makes a page durable; returns when it is. A shutdown does not keep it from trying once."""
    may_ask: Callable[[], Awaitable[None]]
    """Returns when received data can be kept; waits while the disk is full or the like."""
    stop: Callable[[str, Verdict], Awaitable[None]]
    """Carries out a STOP for an account; returns when the operator said to go on."""
    slow_down: Callable[[float], None]
    status: Status
    metrics: Metrics
    escalation: Escalation = field(default_factory=Escalation)
    sleep: Callable[[float], Awaitable[Any]] = anyio.sleep
    clock: Callable[[], float] = time.time

    async def ask(
        self,
        command: str,
        payload: str,
        *,
        query: str,
        params: Mapping[str, str] | None = None,
        sweep: int = 0,
    ) -> Answer:
        """Ask until there is an answer that is data; every reply on the way is journaled.

        Args:
            command: key of the profile's ``[commands]``.
            payload: request payload, JSON text.
            query: what was asked, for the journal: payload with paging, JSON text.
            params: URL parameters.
            sweep: start of the sweep that this belongs to, microseconds; 0 for none.
        """
        wire = self.commands[command].name
        troubled = False
        while True:
            await self.may_ask()
            try:
                reply = await self.session.request(command, payload, params=params)
            except TransportError as error:
                verdict = classify_transport(error)
                if verdict.quarantine:
                    await self.journal(self._broken(error, verdict))
            except (RefusedError, UnavailableError) as error:
                verdict = error.verdict
            else:
                page = self._page(wire, reply, query, sweep)
                await self.journal(page)
                peek = await run_sync(_native.peek, reply.body)
                verdict = classify(reply, peek)
                self._observe(reply, peek)
                await self.session.judged(verdict)
                if verdict.action is Action.OK:
                    self._count(page.command, "ok", reply)
                    self.escalation.succeeded()
                    self._report(State.COLLECTING)
                    return Answer(page, peek, troubled)
            self._count(wire, verdict.reason)
            step = self.escalation.step(verdict, now=self.clock())
            troubled |= step.action in (Action.PAUSE, Action.STOP)
            await self._act(step, verdict)

    async def _act(self, step: Step, verdict: Verdict) -> None:
        """Do what the failure table says, in this one place."""
        _log.warning(
            "gateway.refused" if step.action is not Action.RETRY else "gateway.retry",
            account=self.account,
            reason=verdict.reason,
            action=step.action.value,
            seconds=round(step.seconds, 1),
            message=verdict.message,
        )
        if verdict.slow_down:
            self.slow_down(verdict.slow_down)
        match step.action:
            case Action.RETRY:
                jitter = random.uniform(0.8, 1.2)  # noqa: S311 - spreads retries, hides nothing
                await self._rest(State.BACKING_OFF, verdict, step.seconds * jitter)
            case Action.PAUSE:
                await self._rest(State.PAUSED, verdict, step.seconds)
            case Action.NEW_SESSION | Action.NEW_TOKEN:
                await self._renew(step)
            case Action.STOP:
                self._report(State.STOPPED, verdict)
                await self.stop(self.account, verdict)
            case Action.OK:  # a verdict that is not OK never asks for it
                raise AssertionError(verdict.reason)

    async def _renew(self, step: Step) -> None:
        dead = self.session.ticket_id
        try:
            if step.action is Action.NEW_TOKEN:
                await self.session.renew_tokens()
            await self.session.renew_session(dead=dead)
        except TransportError as error:
            failure = classify_transport(error)
        except (RefusedError, UnavailableError) as error:
            failure = error.verdict
        else:
            return
        self._count("login", failure.reason)
        following = self.escalation.step(failure, now=self.clock())
        if following.action in (Action.NEW_SESSION, Action.NEW_TOKEN):
            # a renewal that asks for a renewal: the next request will find out
            following = Step(Action.RETRY, 15.0)
        await self._act(following, failure)

    async def _rest(self, state: State, verdict: Verdict, seconds: float) -> None:
        self._report(state, verdict, until=self.clock() + seconds)
        await self.sleep(seconds)

    def _report(
        self, state: State, verdict: Verdict | None = None, *, until: float | None = None
    ) -> None:
        self.status.report(
            f"account:{self.account}",
            state,
            reason=f"{verdict.reason}: {verdict.message}" if verdict else "",
            advice=verdict.advice if verdict else "",
            until=until,
        )

    def _page(self, command: str, reply: Reply, query: str, sweep: int) -> Page:
        return Page(
            account=self.account,
            platform=self.platform,
            command=command,
            query=query,
            status=reply.status,
            content_type=reply.content_type,
            fetched_at=reply.fetched_at,
            body=reply.body,
            sweep=sweep,
        )

    def _broken(self, error: TransportError, verdict: Verdict) -> Page:
        why = {"reason": verdict.reason, "message": verdict.message}
        return Page(
            account=self.account,
            platform=self.platform,
            command=BROKEN,
            query=orjson.dumps(why).decode(),
            status=0,
            content_type="application/octet-stream",
            fetched_at=int(self.clock() * 1e6),
            body=error.part if isinstance(error, BrokenTransferError) else b"",
        )

    def _observe(self, reply: Reply, peek: Peek) -> None:
        if peek.response_time is not None:
            self.session.observe_server_time(peek.response_time, fetched_at=reply.fetched_at)
            skew = (peek.response_time - reply.fetched_at) / 1e6
            self.metrics.clock_skew.set(skew)

    def _count(self, command: str, outcome: str, reply: Reply | None = None) -> None:
        self.metrics.requests.labels(command, outcome).inc()
        if reply is not None:
            self.metrics.request_seconds.observe(reply.seconds)
