"""Storing in a run: the journal of a home, and what moves it into the database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from anyio.to_thread import run_sync

from m26.app.process import Process, beside
from m26.config import Settings
from m26.journal import Journal
from m26.normalizer import Normalizer
from m26.store.database import Store
from m26.store.drain import Drain
from m26.upstream.profile import CardRules
from m26.wake import Wake


@asynccontextmanager
async def journaling(settings: Settings) -> AsyncIterator[Journal]:
    """The journal of the home.

    Raises:
        StorageError: it cannot be read or written.
    """
    folder, keep_bytes = settings.home / "journal", settings.journal.keep_bytes
    journal = await run_sync(partial(Journal.open, folder, keep_bytes=keep_bytes))
    try:
        yield journal
    finally:
        journal.close()


@asynccontextmanager
async def storing(
    process: Process,
    journal: Journal,
    store: Store,
    *,
    rules: CardRules,
    journaled: Wake,
    committed: Wake,
) -> AsyncIterator[Drain]:
    """Store what the journal holds and what comes to it.

    Raises:
        StorageError: the database does not answer, or the journal cannot be written.
    """
    drain = Drain(
        journal,
        store,
        normalizer=lambda: Normalizer(rules),
        wake=journaled,
        committed=committed.set,
        telemetry=process.telemetry,
    )
    await drain.open()
    async with beside(drain.run):
        yield drain
