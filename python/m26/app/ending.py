"""How a run ends, in order: asking, storing, publishing; the first failure comes out at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import structlog

from m26.errors import M26Error, StorageError, first_cause
from m26.publish.client import OUTAGES as REDIS_OUTAGES
from m26.publish.relay import Relay
from m26.status.conditions import State, Status
from m26.store.drain import Drain

_log = structlog.get_logger()
_DRAIN = 30.0
"""Seconds for storing what was received."""


@asynccontextmanager
async def ending(
    asking: Callable[[], Awaitable[None]], *, drain: Drain, relay: Relay, status: Status
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Ask until the block ends or asking fails; then store and publish what was received.

    The value ends asking, storing and publishing while the block goes on.
    """
    end = _Ending(drain, relay, status)
    async with anyio.create_task_group() as group:
        try:
            with end.block:
                group.start_soon(end.ask, asking)
                yield end.finish
        finally:
            with anyio.CancelScope(shield=True):
                await end.finish()
    if end.failure is not None:
        raise end.failure


class _Ending:
    """The order in which a run ends."""

    def __init__(self, drain: Drain, relay: Relay, status: Status) -> None:
        self._drain, self._relay, self._status = drain, relay, status
        self._asking, self._asked = anyio.CancelScope(), anyio.Event()
        self._finished = False
        self.block = anyio.CancelScope()
        """What uses the run."""
        self.failure: Exception | None = None
        """Why asking ended by itself, be it a bug; raised when what came is stored."""

    async def ask(self, asking: Callable[[], Awaitable[None]]) -> None:
        """Ask until `finish`, or until a failure ends the run."""
        try:
            with self._asking:
                await asking()
        except* Exception as group:  # noqa: BLE001 - it is raised when what came is stored
            # One account's failure ends all of them: none may go silent beside the others.
            cause = first_cause(group)
            self.failure = cause if isinstance(cause, M26Error) else group
        finally:
            self._asked.set()
        if self.failure is not None:
            await self.finish()
            self.block.cancel()

    async def finish(self) -> None:
        """End asking, then storing, then publishing."""
        self._asking.cancel()
        if self._finished:
            return
        self._finished = True
        self._status.report(
            "app",
            State.DRAINING,
            reason="ending: what was received is being stored",
            advice="Wait. What is not stored by then is in the journal for the next run.",
        )
        with anyio.move_on_after(_DRAIN):
            await self._asked.wait()  # a reply that has come may still be on its way to the disk
        await _drained(self._drain)
        await _published(self._relay)


async def _drained(drain: Drain) -> None:
    drain.finish()
    with anyio.move_on_after(_DRAIN):
        await drain.ended.wait()
    if drain.backlog:
        _log.warning(
            "run.backlog", records=drain.backlog, advice="They are in the journal; run m26 again."
        )


async def _published(relay: Relay) -> None:
    with anyio.move_on_after(5):
        try:
            await relay.catch_up()
        except (*REDIS_OUTAGES, StorageError) as error:  # the next run catches up
            _log.warning("run.unpublished", error=type(error).__name__)
