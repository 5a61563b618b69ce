"""What ``m26 doctor`` asks a database: settings in; how its schema and its stream head are, out.

A doctor starts no server: what does not run is not looked at.
"""

from __future__ import annotations

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
        return [await schema(store), await stream_head(store)]


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


def _embedded_runs(settings: Settings) -> bool:
    from m26.embedded.postgres import server

    return server(settings.home, pg_bin=settings.pg_bin).process() is not None
