"""Numbered SQL files applied in order, once, under an advisory lock, each with its checksum."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from m26.errors import StorageError

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

_LONGEST = 86_400
"""Seconds that a migration, or waiting for another process's, may take: tables can be large."""
_LOCK = 0x6D3236  # "m26": one migrator at a time per database
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


async def migrate(connection: PoolConnectionProxy[Any]) -> list[str]:
    """Apply what is missing; returns the names applied now.

    Raises:
        StorageError: a migration applied earlier has another text than the shipped one, or the
            database was migrated by a newer m26.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK, timeout=_LONGEST)
        await connection.execute(_LEDGER)
        applied = {
            row["name"]: row["checksum"]
            for row in await connection.fetch("SELECT name, checksum FROM m26.schema_migration")
        }
        ours = shipped()
        unknown = sorted(set(applied) - {migration.name for migration in ours})
        if unknown:
            raise StorageError(
                f"the database holds migration {unknown[0]}, which this m26 does not know",
                hint="It was written by a newer m26: install that version.",
            )
        done = []
        for migration in ours:
            checksum = applied.get(migration.name)
            if checksum is None:
                await connection.execute(migration.sql, timeout=_LONGEST)
                await connection.execute(
                    "INSERT INTO m26.schema_migration (name, checksum) VALUES ($1, $2)",
                    migration.name,
                    migration.checksum,
                )
                done.append(migration.name)
            elif checksum != migration.checksum:
                raise StorageError(
                    f"migration {migration.name} was applied with another text than this one",
                    hint="Do not edit applied migrations; restore the file or reinstall m26.",
                )
        return done


async def applied_at(connection: PoolConnectionProxy[Any]) -> dict[str, datetime]:
    """When each applied migration was applied; empty for a database that m26 never saw."""
    if await connection.fetchval("SELECT to_regclass('m26.schema_migration')") is None:
        return {}
    rows = await connection.fetch("SELECT name, applied_at FROM m26.schema_migration")
    return {row["name"]: row["applied_at"] for row in rows}
