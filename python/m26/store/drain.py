"""The journal into the database: whatever is past the cursor, for as long as it takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import anyio
import structlog
from anyio.to_thread import run_sync

from m26.clock import Clock
from m26.errors import OutageError, StorageError
from m26.journal import Journal
from m26.models import Record
from m26.status.conditions import State
from m26.status.telemetry import Telemetry
from m26.store import connection as connections
from m26.store.batch import CursorMovedError, Prepared, Stored
from m26.store.database import Store
from m26.store.figures import Figures
from m26.store.load import Loader
from m26.store.migrate import SchemaNewerError, check_epoch
from m26.store.twin import Place
from m26.store.waiting import Waiting
from m26.wake import Wake

_log = structlog.get_logger()
_IDLE = 1.0
_SLOWEST = 5.0
_SILENCE = 3.0
"""A batch takes some tens of milliseconds; after this long without one it is asked why."""
_ASKING = 1.0
"""How long the server may take to say who is in our way."""


class Drain:
    """Stores one journal's records in order, exactly once, over every outage.

    Args:
        journal: read, and told what is committed.
        store: the database.
        loader: makes a new one, that knows nothing of the database.
        wake: nudged when there is more to read.
        committed: called after each commit.
        telemetry: told how storing is.
        clock: by which pages are dated.
        silence: seconds without an answer after which the operator hears why.
    """

    def __init__(
        self,
        journal: Journal,
        store: Store,
        *,
        loader: Callable[[], Loader],
        wake: Wake,
        committed: Callable[[], None],
        telemetry: Telemetry,
        clock: Clock | None = None,
        silence: float = _SILENCE,
    ) -> None:
        self._journal, self._place = journal, Place(journal)
        self._store, self._wake = store, wake
        self._make_loader = loader
        self._committed = committed
        self._status, self._metrics = telemetry.status, telemetry.metrics
        self._figures = Figures(telemetry.metrics)
        self._silence = silence
        self._loader = loader()
        self.pos = 0
        """Records that are committed."""
        self.stored_at = 0.0
        """When the last batch was committed, monotonic seconds; 0 before the first."""
        self.blocked = ""
        """Why nothing can be stored until the operator acts; empty when storing works."""
        self.ended = anyio.Event()
        """`run` has returned."""
        self._finish = False
        self._waiting = Waiting(clock or Clock())
        self._ready: Prepared | None = None
        """Read and not committed yet: tried again after an outage."""
        self._ahead: asyncio.Task[Prepared | None] | None = None
        """Reads what follows, while the batch before it is stored."""
        self._telling: asyncio.Task[None] | None = None
        """Says why the batch at hand takes so long."""

    @property
    def backlog(self) -> int:
        """Records that are journaled and not committed."""
        return max(0, self._journal.next_pos - self.pos)

    @property
    def oldest_age(self) -> float:
        """Seconds that the oldest record has waited to be committed; 0 when there is none."""
        return self._waiting.seconds if self.backlog else 0.0

    def finish(self) -> None:
        """End `run` as soon as everything journaled is committed."""
        self._finish = True
        self._wake.set()

    async def open(self) -> None:
        """Find the cursor, and see to it that the journal goes on behind it.

        Raises:
            StorageError: the database does not answer, or the journal cannot be written.
            TwinError: another copy of the journal writes there; nothing is changed.
        """
        self.pos = await self._place.open(self._store)

    async def run(self) -> None:
        """Store until `finish`; an outage is waited out.

        Raises:
            TwinError: another copy of the journal writes there. Nothing of ours is passed over.
            StorageError: the journal cannot be read, or not be cleaned up.
        """
        try:
            await self._run()
        finally:
            await self._forget_ahead()
            self.ended.set()

    async def _run(self) -> None:
        wait = 0.1
        while True:
            try:
                stored = await self._next()
            except CursorMovedError as moved:
                await self._moved(moved)
            except SchemaNewerError as error:
                self._newer(error)
                await self._wake.wait(at_most=_SLOWEST)
            except OutageError as error:  # of the journal: no descriptor was free to read it
                self._block(f"no_descriptors: {error.message}", error.hint)
                await self._wake.wait(at_most=wait)
                wait = min(_SLOWEST, wait * 2)
            except connections.OUTAGES as error:
                await self._outage(error)
                await self._wake.wait(at_most=wait)
                wait = min(_SLOWEST, wait * 2)
            else:
                wait = 0.1
                self.blocked = ""
                self._status.report("store", State.COLLECTING)
                if stored is None:
                    self._waiting.nothing()
                    self._metrics.lag_seconds.labels("store").set(0)
                    if self._finish:
                        return
                    await self._wake.wait(at_most=_IDLE)
                else:
                    await self._after_commit(stored)

    async def _next(self) -> Stored | None:
        """Store what comes next, and read on meanwhile; None when there is nothing."""
        self._ready = await self._at_cursor()
        if self._ready is None:
            return None
        self._measure_lag(self._ready.records)
        self._waiting.oldest(self._ready.records[0])
        if self._ahead is None:
            self._ahead = asyncio.create_task(self._prepare(self._ready.end))
        silence = asyncio.get_running_loop().call_later(self._silence, self._silent)
        try:
            return await self._loader.commit(self._place.claim(self._ready))
        finally:
            silence.cancel()
            if self._telling is not None:
                self._telling.cancel()
                self._telling = None

    async def _at_cursor(self) -> Prepared | None:
        """The batch that begins at the cursor: read before, ahead, or now."""
        if self._ready is not None and self._ready.begin == self.pos:
            return self._ready
        if self._ahead is not None:
            ahead, self._ahead = self._ahead, None
            prepared = await ahead
            if prepared is not None and prepared.begin == self.pos:
                return prepared
        return await self._prepare(self.pos)

    async def _prepare(self, pos: int) -> Prepared | None:
        records = await run_sync(self._journal.read, pos)
        return await self._loader.prepare(self._journal.id, records) if records else None

    async def _forget_ahead(self) -> None:
        self._ready = None
        if self._ahead is not None:
            ahead, self._ahead = self._ahead, None
            ahead.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait({ahead})

    def _silent(self) -> None:
        """A frozen server raises nothing until the deadline: the operator is told before that."""
        self._telling = asyncio.create_task(self._tell_on())

    async def _tell_on(self) -> None:
        while True:
            await self._tell_why(f"no answer for {self._silence:.0f} s")
            await asyncio.sleep(self._silence)

    async def _tell_why(self, otherwise: str) -> None:
        """Report who keeps our batch waiting; where nobody does it is PostgreSQL that is away."""
        try:
            holder = await self._store.holder(deadline=_ASKING, limit=connections.LIMIT)
        except StorageError:
            holder = None
        if holder is None:
            self._report_away(otherwise)
        else:
            self._status.report(
                "store",
                State.COLLECTING,
                reason=f"postgres_busy: {holder}",
                advice=holder.advice,
            )

    async def _after_commit(self, stored: Stored) -> None:
        done, self.pos, self._ready = self._ready, stored.pos, None
        self.stored_at = time.monotonic()
        self._figures.count(stored)
        self._committed()
        if done is not None:
            self._figures.concluded(done.concluded)
            await self._place.committed(done)
        await run_sync(self._journal.release, self.pos)
        self._metrics.journal_bytes.set(self._journal.size)

    async def _moved(self, moved: CursorMovedError) -> None:
        """The cursor is elsewhere: a COMMIT whose answer was lost, another database, or a twin."""
        _log.warning("store.cursor_moved", expected=self.pos, found=moved.cursor.pos)
        await self._forget_ahead()  # what was read may leave out cards that it took for stored
        pos = await self._place.prove(moved.cursor)
        if pos < self.pos:
            # a database that was set back: no card is known to be in it
            self._loader = self._make_loader()
        self.pos = pos

    async def _outage(self, error: Exception) -> None:
        reason = connections.plain(error)
        await self._store.heed(error)
        if connections.is_busy(error):
            await self._tell_why(reason)
        elif connections.is_passing(error):
            self._report_away(reason)
        else:
            try:
                check_epoch(await self._store.schema_epoch())
            except SchemaNewerError as newer:
                self._newer(newer)
                return
            except StorageError as second:
                reason = f"{reason}; {second.message}"
            self._block(f"schema: {reason}", "The schema is not the one m26 made. Run: m26 doctor")
        _log.warning("store.failed", reason=reason, backlog=self.backlog)

    def _newer(self, error: SchemaNewerError) -> None:
        self._block(f"schema_newer: {error.message}", error.hint)
        _log.warning("store.schema_newer", reason=error.message, backlog=self.backlog)

    def _block(self, reason: str, advice: str) -> None:
        """Nothing can be stored until the operator acts: nothing is asked for meanwhile."""
        self.blocked = reason
        self._status.report("store", State.STORING_ONLY, reason=reason, advice=advice)

    def _report_away(self, reason: str) -> None:
        self._status.report(
            "store",
            State.COLLECTING,
            reason=f"postgres_away: {reason}",
            advice="Pages wait in the journal and are stored when PostgreSQL is back.",
        )

    def _measure_lag(self, records: Sequence[Record]) -> None:
        page = records[0].page
        if page is not None and page.fetched_at:
            age = max(0.0, time.time() - page.fetched_at / 1e6)
            self._metrics.lag_seconds.labels("store").set(age)
