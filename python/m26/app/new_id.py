"""A journal gets a name of its own: after a copy of its home has stored under the old one."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

from anyio.to_thread import run_sync

from m26.app import servers
from m26.app.storing import journaling
from m26.config import Loaded, Settings
from m26.errors import UsageError
from m26.home.lock import HomeLock
from m26.journal import Ledger, Trail, segment_paths
from m26.journal.heads import rename
from m26.journal.trail import Change
from m26.store.database import Store
from m26.store.twin import common


@dataclass(frozen=True, slots=True)
class Renamed:
    """What became of a journal."""

    old: str
    new: str
    pos: int
    """Records of it that are stored already, under the old id."""
    offered: int
    """Records behind them, which the next run stores under the new id."""


async def new_id(loaded: Loaded) -> Renamed:
    """Give the home's journal another id, whose cursor begins behind what is proved to be stored.

    One that was begun and not finished is finished.

    Raises:
        HomeLockedError: a collector runs.
        UsageError: there is no journal.
        StorageError: the database does not answer, or the journal cannot be used.
    """
    settings = loaded.settings
    folder = settings.home / "journal"
    if not segment_paths(folder):
        raise UsageError(
            f"there is no journal in {folder}",
            hint="Its first run makes one, with an id of its own: there is nothing to do.",
        )
    with HomeLock.acquire(settings.home):
        async with servers.database(loaded) as store:
            await store.migrate()
            trail = Trail(folder)
            change = trail.change or await _planned(settings, store)
            if trail.change is None:
                await run_sync(trail.begin, change)
            if change.pos and change.database == await store.database_id():
                await store.begin_cursor(
                    change.new, pos=change.pos, checksum=change.checksum, host=socket.gethostname()
                )
        await run_sync(rename, segment_paths(folder), change.old, change.new)
        await run_sync(partial(Ledger(folder).disown, change.old, heir=change.new))
        await run_sync(trail.finish, change)
        async with journaling(settings) as journal:
            return Renamed(change.old, change.new, change.pos, journal.next_pos - change.pos)


async def _planned(settings: Settings, store: Store) -> Change:
    """The change to be: from where on the records are offered again."""
    async with journaling(settings) as journal:
        database = await store.database_id()
        await run_sync(journal.bind, database)
        pos = await run_sync(common, journal, await store.place(journal.id))
        checksum = await run_sync(journal.checksum, pos)
    return Change(journal.id, str(uuid4()), database, pos, checksum)
