"""How a run ends, in order: asking, storing, publishing; the first failure comes out at the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import structlog

from m26.errors import M26Error, StorageError, first_told
from m26.publish.client import OUTAGES as REDIS_OUTAGES
from m26.publish.relay import Relay
from m26.status.conditions import State, Status
from m26.store.drain import Drain

_log = structlog.get_logger()
_DRAIN = 30.0
"""Seconds for storing what was received."""


class Ending:
    """The order in which a run ends: asking, storing, publishing, then everything else."""

    def __init__(self, drain: Drain, relay: Relay, status: Status) -> None:
        self._drain, self._relay, self._status = drain, relay, status
        self._asking = anyio.CancelScope()
        self._asked, self._stored = anyio.Event(), anyio.Event()
        self._finished = False
        self.whole = anyio.CancelScope()
        """The block that uses the run."""
        self.failure: Exception | None = None
        """Why asking ended by itself, be it a bug; raised when what came is stored."""

    async def ask(self, collecting: Callable[[], Awaitable[None]]) -> None:
        """Collect until `finish`, or until a failure ends the run."""
        try:
            with self._asking:
                await collecting()
        except* Exception as group:  # noqa: BLE001 - it is raised when what came is stored
            # One account's failure ends all of them: none may go silent beside the others.
            self.failure = group if group.subgroup(M26Error) is None else first_told(group)
        finally:
            self._asked.set()
        if self.failure is not None:
            await self.finish()
            self.whole.cancel()

    async def store(self) -> None:
        """Store until `finish` and the journal's end."""
        try:
            await self._drain.run()
        finally:
            self._stored.set()

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
        self._drain.finish()
        await _drained(self._stored, self._relay, self._drain)


async def _drained(stored: anyio.Event, relay: Relay, drain: Drain) -> None:
    with anyio.move_on_after(_DRAIN):
        await stored.wait()
    if drain.backlog:
        _log.warning(
            "run.backlog", records=drain.backlog, advice="They are in the journal; run m26 again."
        )
    with anyio.move_on_after(5):
        try:
            await relay.catch_up()
        except (*REDIS_OUTAGES, StorageError) as error:  # the next run catches up
            _log.warning("run.unpublished", error=type(error).__name__)
