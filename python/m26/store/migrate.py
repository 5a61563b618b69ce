"""Numbered SQL files applied in order, once, under an advisory lock, each with its checksum."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import asyncpg
import structlog

from m26.errors import StorageError
from m26.store import holder
from m26.store.connection import is_busy, plain

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

_log = structlog.get_logger()
_LONGEST = 86_400
"""Seconds that a migration, or waiting for another process's, may take: tables can be large."""
_LOCK = 0x6D3236  # "m26": one migrator at a time per database
_PATIENCE = 600.0
_LOCK_TIMEOUT = 5.0
_PAUSE = 0.25
# It may take long, unlike everything else here; only a silence of ours ends it.
_SETTINGS = """
SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true),
    set_config('idle_in_transaction_session_timeout', '60s', true),
    CASE WHEN current_setting('transaction_timeout', true) IS NOT NULL
        THEN set_config('transaction_timeout', '0', true) END"""
_LEDGER = """
CREATE SCHEMA IF NOT EXISTS m26;
CREATE TABLE IF NOT EXISTS m26.schema_migration (
    name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One shipped SQL file."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of its text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def shipped() -> list[Migration]:
    """All migrations of this version, in order."""
    folder = files("m26") / "store" / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [Migration(name, (folder / name).read_text("utf-8")) for name in names]


@cache
def epoch() -> int:
    """What this m26 was built for: the number of its newest migration."""
    return int(shipped()[-1].name.partition("_")[0])


class SchemaNewerError(StorageError):
    """A newer m26 has migrated the database, and this one must not write to it."""


def check_epoch(found: int) -> None:
    """Compare what stands beside the stream head with what this m26 was built for.

    Raises:
        SchemaNewerError: the database is ahead.
    """
    if found > epoch():
        raise SchemaNewerError(
            f"the schema is of migration {found}, this m26 knows {epoch()}",
            hint="Upgrade m26 here, then start it again: the journal keeps what is not stored.",
        )


async def migrate(
    connection: PoolConnectionProxy[Any],
    *,
    patience: float = _PATIENCE,
    lock_timeout: float = _LOCK_TIMEOUT,
) -> list[str]:
    """Apply what is missing; returns the names applied now.

    Args:
        connection: not in a transaction.
        patience: how long other sessions' locks are waited out altogether, seconds.
        lock_timeout: how long a lock is waited for at a time, seconds; batches queue up behind.

    Raises:
        StorageError: a migration applied earlier has another text than the shipped one, the
            database was migrated by a newer m26, or others' locks stayed in the way.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            async with connection.transaction():
                return await _migrate(connection, lock_timeout)
        except asyncpg.PostgresError as error:
            if not is_busy(error):
                raise
            held = await holder.find(connection)
            why = f"{plain(error)}{f'; {held}' if held else ''}"
            if time.monotonic() > deadline:
                raise StorageError(
                    f"the schema was not migrated in {patience:.0f} s: {why}",
                    hint="End the other session, or stop the other m26, then run: m26 db migrate",
                ) from error
            _log.warning("schema.waits", reason=why, advice="Nothing to do: it is tried again.")
        await asyncio.sleep(_PAUSE)  # for those who queued up behind us


async def _migrate(connection: PoolConnectionProxy[Any], lock_timeout: float) -> list[str]:
    await connection.execute(_SETTINGS)
    if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK):
        _log.warning("schema.waits", reason="another m26 migrates this database")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK, timeout=_LONGEST)
    await connection.execute(_LEDGER)
    rows = await connection.fetch("SELECT name, checksum FROM m26.schema_migration")
    pending = _pending({row["name"]: row["checksum"] for row in rows})
    if not pending:
        return []
    await connection.execute(
        "SELECT set_config('lock_timeout', $1, true)", f"{lock_timeout * 1000:.0f}ms"
    )
    if await connection.fetchval("SELECT to_regclass('m26.stream_head')") is not None:
        # As every batch does. The table, not its row alone: who waits for the row has locks on
        # other tables by then, and those are what a migration wants next.
        await connection.execute("LOCK TABLE m26.stream_head IN EXCLUSIVE MODE")
    for migration in pending:
        await connection.execute(migration.sql, timeout=_LONGEST)
        await connection.execute(
            "INSERT INTO m26.schema_migration (name, checksum) VALUES ($1, $2)",
            migration.name,
            migration.checksum,
        )
    await connection.execute("UPDATE m26.stream_head SET schema_epoch = $1", epoch())
    return [migration.name for migration in pending]


def _pending(applied: Mapping[str, str]) -> list[Migration]:
    """What is shipped and not `applied` (checksums by name), in order."""
    ours = shipped()
    if unknown := sorted(set(applied) - {migration.name for migration in ours}):
        raise SchemaNewerError(
            f"the database holds migration {unknown[0]}, which this m26 does not know",
            hint="It was written by a newer m26: install that version.",
        )
    for migration in ours:
        if applied.get(migration.name, migration.checksum) != migration.checksum:
            raise StorageError(
                f"migration {migration.name} was applied with another text than this one",
                hint="Do not edit applied migrations; restore the file or reinstall m26.",
            )
    return [migration for migration in ours if migration.name not in applied]


async def applied_at(connection: PoolConnectionProxy[Any]) -> dict[str, datetime]:
    """When each applied migration was applied; empty for a database that m26 never saw."""
    if await connection.fetchval("SELECT to_regclass('m26.schema_migration')") is None:
        return {}
    rows = await connection.fetch("SELECT name, applied_at FROM m26.schema_migration")
    return {row["name"]: row["applied_at"] for row in rows}
