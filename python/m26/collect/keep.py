"""Pages into the journal: each durable before the next request, and no request without room."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import anyio
import structlog
from anyio.to_thread import run_sync

from m26.errors import StorageError
from m26.journal import Journal
from m26.limits.book import Durable
from m26.models import Page
from m26.servertime import ServerTimes, Told
from m26.status.conditions import State
from m26.status.telemetry import Telemetry
from m26.wake import Wake

T = TypeVar("T")

_log = structlog.get_logger()
POLL = 1.0
"""Seconds between two looks at a full disk."""
_ADVICE = "Free disk space, or move M26_HOME to a larger disk; asking goes on by itself then."
_STORE = "What to do stands with the same reason of the store; asking goes on by itself then."


class Keeper:
    """Stands between receiving and asking again.

    Args:
        journal: takes the pages.
        blocked: why nothing can be stored at present; empty when it can.
        wake: nudged when a page is durable.
        telemetry: told why no request leaves, and the journal's size and delay.
        times: the servers' clocks, by which replies get their times.
        poll: seconds between two looks at a full disk.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        blocked: Callable[[], str],
        wake: Wake,
        telemetry: Telemetry,
        times: ServerTimes | None = None,
        poll: float = POLL,
    ) -> None:
        self.times = times or ServerTimes()
        self._journal = journal
        self._blocked = blocked
        self._wake = wake
        self._status, self._metrics = telemetry.status, telemetry.metrics
        self._poll = poll

    def durable(self) -> Durable:
        """How far the journal is on disk."""
        return Durable(self._journal.id, self._journal.next_pos)

    async def room(self) -> None:
        """Return when a reply could be kept; wait while the disk is nearly full.

        Raises:
            StorageError: the journal or its disk failed.
        """
        told = False
        while reason := await run_sync(self._journal.full) or self._blocked():
            told = True
            advice = _STORE if reason == self._blocked() else _ADVICE
            self._status.report(
                "journal", State.STORING_ONLY, reason=f"no_room: {reason}", advice=advice
            )
            await anyio.sleep(self._poll)
        if told:
            self._status.report("journal", State.COLLECTING)

    async def receive(self, page: Page, told: Told) -> Page:
        """The reply `page` with its times, once it is on disk; otherwise as `keep`.

        Times are given in the order of the journal: one turn for both.
        """
        keep = self.times.of(page.platform).keep
        return await self._keep(lambda: keep(page, told, self._journal.append))

    async def keep(self, page: Page) -> None:
        """Return when `page` is on disk; a full disk is waited out with the page in hand.

        Raises:
            StorageError: the journal or its disk failed.
        """
        await self._keep(partial(self._journal.append, page))

    async def _keep(self, append: Callable[[], T]) -> T:
        started, told = time.perf_counter(), False
        while True:
            try:
                # Received is received: a shutdown must not come between the socket and the disk.
                with anyio.CancelScope(shield=True):
                    kept = await run_sync(append)
                break
            except StorageError as error:
                self._journal.check()  # raises if the disk failed for good
                _log.warning("journal.no_room", error=error.message)
                self._status.report(
                    "journal",
                    State.STORING_ONLY,
                    reason=f"no_room: {error.message}",
                    advice=error.hint,
                )
                told = True
                await anyio.sleep(self._poll)
        if told:
            self._status.report("journal", State.COLLECTING)
        self._metrics.lag_seconds.labels("journal").set(time.perf_counter() - started)
        self._metrics.journal_bytes.set(self._journal.size)
        self._wake.set()
        return kept
