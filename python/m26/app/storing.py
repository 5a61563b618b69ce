"""Storing in a run: the journal of a home, and what moves it into the database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial

from anyio.to_thread import run_sync

from m26.app.accounts import Assignment, due_seconds
from m26.app.alarms import Alarms
from m26.app.process import Process, beside
from m26.app.servers import Patience
from m26.clock import Clock
from m26.config import Settings
from m26.journal import Journal
from m26.limits.book import promised
from m26.models import Page
from m26.normalizer import Normalizer
from m26.servertime import ServerTimes
from m26.store.database import Store
from m26.store.drain import Drain
from m26.store.load import Loader
from m26.wake import Wake

_LAST = 64
"""Records that are looked at: several of each account that was asked for lately."""


@asynccontextmanager
async def journaling(settings: Settings) -> AsyncIterator[Journal]:
    """The journal of the home, which must be as long as the home's books say that it was.

    Raises:
        StorageError: it cannot be read or written, or a file of it is not what its name says.
    """
    folder, keep_bytes = settings.home / "journal", settings.journal.keep_bytes
    known = await run_sync(promised, settings.home / "budget")
    journal = await run_sync(partial(Journal.open, folder, keep_bytes=keep_bytes, promised=known))
    try:
        yield journal
    finally:
        journal.close()


def server_times(journal: Journal, clock: Clock) -> ServerTimes:
    """What the last run knew of the servers' clocks: the times of the journal's last pages.

    Raises:
        StorageError: the journal cannot be read.
    """

    def latest() -> Iterator[Page]:
        pos = max(journal.first_pos, journal.next_pos - _LAST)
        while found := journal.read(pos):
            yield from (record.page for record in found if record.page is not None)
            pos = found[-1].end

    return ServerTimes(clock, latest())


@asynccontextmanager
async def storing(
    process: Process,
    assigned: Assignment,
    journal: Journal,
    store: Store,
    patience: Patience,
    journaled: Wake,
    committed: Wake,
) -> AsyncIterator[Drain]:
    """Store what the journal holds and what comes to it; tell what is gone, and what waits long.

    Args:
        process: of this run.
        assigned: how cards are read, and how often a page is due.
        journal: where pages are.
        store: the database.
        patience: with which it is waited for.
        journaled: set when a page is durable.
        committed: set after each commit.

    Raises:
        StorageError: the database does not answer, or the journal cannot be written.
    """
    snapshots = process.settings.home / "infer"
    drain = Drain(
        journal,
        store,
        loader=lambda: Loader.of_journal(
            store, journal, Normalizer(assigned.profile.card), folder=snapshots
        ),
        wake=journaled,
        committed=committed.set,
        telemetry=process.telemetry,
        clock=process.clock,
    )
    await patience(drain.open)
    due = due_seconds(assigned.profile, process.settings, process.clock)
    alarms = Alarms(journal.damage, drain, due, process.telemetry)
    alarms.look()  # before anyone can ask
    async with beside(drain.run, alarms.run):
        yield drain
