"""What ``m26 doctor`` asks a database: settings in; schema, stream head and writers, out.

A doctor starts no server: what does not run is not looked at.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from m26.cli.checks import Check

if TYPE_CHECKING:
    from m26.config import Loaded, Settings
    from m26.store.database import Store

_PATIENCE = 3.0


async def database(loaded: Loaded, *, reachable: bool) -> list[Check]:
    """The schema and the stream head of a database that runs already; a doctor starts nothing."""
    if not reachable:
        return [Check("schema", "warn", "not looked at: PostgreSQL cannot be used")]
    if loaded.settings.postgres.dsn is None and not _embedded_runs(loaded.settings):
        return [Check("schema", "ok", "the embedded PostgreSQL does not run now; not looked at")]
    from m26.app.servers import database as opened

    async with opened(loaded) as store:
        found = [await schema(store), await stream_head(store)]
        if found[0].result == "ok":
            found.append(await writer(store, loaded.settings.home))
        return found


async def schema(store: Store) -> Check:
    """Migrations of the database, and whether a newer m26 was there."""
    from m26.store.migrate import SchemaNewerError, check_epoch

    migrations: list[dict[str, Any]] = await store.migration_status()
    pending = [str(row["name"]) for row in migrations if row["applied_at"] is None]
    if len(pending) < len(migrations):
        try:
            check_epoch(await store.schema_epoch())
        except SchemaNewerError as error:
            return Check("schema", "fail", error.message, error.hint)
    if pending:
        return Check("schema", "warn", f"pending: {', '.join(pending)}", "m26 db migrate")
    return Check("schema", "ok", f"up to date, {len(migrations)} migrations")


async def stream_head(store: Store, *, patience: float = _PATIENCE) -> Check:
    """Whether a session keeps every collector's batches waiting, and which."""
    holder = await store.holder(deadline=_PATIENCE)
    if holder is None or (holder.seconds is not None and holder.seconds < patience):
        return Check("stream head", "ok", "no session keeps batches waiting")
    return Check("stream head", "warn", str(holder), holder.advice)


async def writer(store: Store, home: Path) -> Check:
    """Who stores under the name of this home's journal: this home, or a copy of it."""
    from m26.journal import Trail
    from m26.journal.view import peek
    from m26.store.connection import session_name
    from m26.store.twin import is_ours, told, twin

    looked = peek(home / "journal")
    if looked is None:
        return Check("writer", "ok", "this home has no journal yet")
    journal, checksum = looked
    found, trail = await store.place(journal), Trail(home / "journal")
    if found.writer is None or trail.wrote(found.writer):
        by = f"this home, {told(found)}" if found.writer else "none so far"
        return Check("writer", "ok", by)
    own = checksum(found.pos)
    if own is None and found.pos == trail.pos:
        own = trail.checksum
    ours = session_name(home).rpartition("@")[0]
    others = [
        name
        for name in await store.sessions()
        if str(found.host).startswith(name.rpartition("@")[2]) and not name.startswith(ours)
    ]
    alive = f"; connected from there: {', '.join(others)}" if others else ""
    if is_ours(found, own, trail):
        text = f"a copy of this home stored last, {told(found)}, and nothing that is not here too"
        return Check("writer", "warn", f"{text}{alive}", "If it still runs, stop one of the two.")
    error = twin(found)
    return Check("writer", "fail", f"{error.message}{alive}", error.hint)


def _embedded_runs(settings: Settings) -> bool:
    from m26.embedded.postgres import server

    return server(settings.home, pg_bin=settings.pg_bin).process() is not None
