"""Where a journal's cursor stands, and the proof that what it has passed is what is stored."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import structlog
from anyio.to_thread import run_sync

from m26.clock import iso
from m26.errors import TwinError
from m26.store.batch import Claim

if TYPE_CHECKING:
    from m26.journal import Journal, Trail
    from m26.store.batch import Cursor, Prepared
    from m26.store.database import Store

_log = structlog.get_logger()


def is_ours(found: Cursor, own: int | None, trail: Trail) -> bool:
    """Whether all that `found` has passed of a journal is proved to be stored.

    Args:
        found: the journal's cursor.
        own: checksum of the journal's own record that ends there; None: it is not here.
        trail: what the home knows by itself.
    """
    if own is not None and found.checksum is not None:
        return own == found.checksum
    # Nothing to compare. A database that was set back passes nothing that we did not see committed;
    # what an opening of this very home wrote and the disk has lost was ours.
    return found.pos <= trail.pos or trail.wrote(found.writer)


def told(found: Cursor) -> str:
    """Who writes there, for people."""
    since = "an unknown time" if found.since is None else iso(found.since.timestamp())
    return f"since {since}, from host {found.host or 'unknown'}"


class Place:
    """Where the cursor of one journal stands, and the proof that it is ours."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def open(self, store: Store) -> int:
        """Find the cursor in `store`, and see to it that the journal goes on behind it.

        A row of an older m26, which has neither checksum nor writer, is trusted this once.

        Raises:
            TwinError: a copy of this journal writes there; neither is changed.
            StorageError: the database does not answer, or the journal cannot be used.
        """
        journal, database = self._journal, await store.database_id()
        if journal.database not in (None, database):
            _log.warning(
                "journal.other_database",
                before=journal.database,
                now=database,
                advice="All that the journal still keeps is stored into this database too.",
            )
        await run_sync(journal.bind, database)
        found = await store.place(journal.id)
        if _is_old(found):
            own = await run_sync(journal.checksum, found.pos)
            await run_sync(journal.trail.note, found.pos, own)
        else:
            await self.prove(found)
            if found.writer is not None and not journal.trail.wrote(found.writer):
                _log.warning(
                    "store.other_writer",
                    writer=told(found),
                    advice="All it stored is here too. If it still runs, stop one of the two.",
                )
        if found.pos > journal.next_pos:
            _log.warning("journal.behind", cursor=found.pos, journal=journal.next_pos)
            await run_sync(journal.skip_to, found.pos)
        return found.pos

    async def prove(self, found: Cursor) -> int:
        """Position to store from, where the cursor is `found`.

        Raises:
            TwinError: what it has passed is not proved to be ours.
            StorageError: the journal cannot be read.
        """
        trail = self._journal.trail
        own = await run_sync(self._journal.checksum, found.pos)
        if not is_ours(found, own, trail):
            _log.error("store.twin", writer=told(found), cursor=found.pos, ours=trail.pos)
            raise twin(found)
        await run_sync(trail.note, found.pos, own if found.checksum is None else found.checksum)
        return found.pos

    def claim(self, prepared: Prepared) -> Prepared:
        """The batch, with who we are and what it goes on behind."""
        trail = self._journal.trail
        before = trail.checksum if trail.pos == prepared.begin else None
        return replace(prepared, claim=Claim(trail.writer, before))

    async def committed(self, prepared: Prepared) -> None:
        """All of `prepared` is stored."""
        await run_sync(self._journal.trail.note, prepared.end, prepared.checksum)


def twin(found: Cursor) -> TwinError:
    """The error that says who writes there, and what to do."""
    return TwinError(
        f"another copy of this journal writes here, {told(found)}: other replies than this home's "
        "stand in the database under its name",
        hint="Stop one of the two. If both shall go on, or this one has replies of its own: "
        "`m26 journal new-id` gives this home a name of its own and offers them again; nothing of "
        "either is lost.",
    )


def common(journal: Journal, found: Cursor) -> int:
    """How much of a journal is proved to be stored in the database where its cursor is `found`.

    As far as the cursor, where that is ours. Else as far as this home saw itself: a copy may have
    stored more that both have, which is then offered once more and changes nothing. Where it saw
    nothing, all that the journal keeps is offered; where the database was set back since, what it
    no longer keeps is told as well.

    Args:
        journal: bound to that database.
        found: its cursor there.

    Raises:
        StorageError: the journal cannot be read.
    """
    seen = journal.trail.pos
    if _is_old(found) or is_ours(found, journal.checksum(found.pos), journal.trail):
        pos = found.pos
    else:
        pos = 0 if seen > found.pos else max(seen, journal.first_pos)
    return min(pos, journal.next_pos)


def _is_old(found: Cursor) -> bool:
    """Whether no m26 that keeps a proof has stored there yet."""
    return found.writer is None and found.checksum is None
