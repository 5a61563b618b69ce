"""The quarantine as its operator works on it: chosen rejects counted, read in order, or dropped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from m26.errors import StorageError, UsageError
from m26.store import connection as connections
from m26.store import migrate
from m26.store import statements as sql
from m26.store.database import Store

DEADLINE = 60.0
_BATCH = 16
"""Rejects that are read at once: each may be a page of 16 MiB."""
_DROPPED = 2_000
"""Rejects that are dropped while other writers wait."""

_CHOSEN = "($1::bigint[] IS NULL OR id = ANY ($1)) AND ($2::text IS NULL OR reason = $2)"
_COUNT = f"""
SELECT count(*), coalesce(max(id), 0)
FROM m26.reject WHERE {_CHOSEN} AND ($1 IS NOT NULL OR state = 'new')"""  # noqa: S608 - of ours
_FOLLOWING = f"""
SELECT id, part, pos, item, byte_from, byte_to, reason, raw, origin
FROM m26.reject WHERE {_CHOSEN} AND state = 'new' AND id > $3 AND id <= $4
ORDER BY id LIMIT {_BATCH}"""  # noqa: S608 - as above
_DROP = f"""
WITH dropped AS (
    UPDATE m26.reject SET state = 'dropped', raw = '' WHERE id IN (
        SELECT id FROM m26.reject WHERE {_CHOSEN} AND state = 'new' AND id <= $3
        ORDER BY id LIMIT {_DROPPED})
    RETURNING id
)
SELECT count(*) FROM dropped"""  # noqa: S608 - as above


@dataclass(frozen=True, slots=True)
class Choice:
    """Which rejects: those of these numbers, or all that are new, or of them those of a reason."""

    ids: tuple[int, ...] | None = None
    reason: str | None = None


async def chosen(store: Store, choice: Choice) -> tuple[int, int]:
    """How many are chosen, and the highest of their numbers.

    Raises:
        UsageError: there is no reject of a chosen number.
        OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError: as the driver has it.
    """
    async with store.acquire(timeout=DEADLINE) as connection:
        ((found, top),) = await connection.fetch(_COUNT, choice.ids, choice.reason)
        if choice.ids is not None and found < len(choice.ids):
            known = "SELECT id FROM m26.reject WHERE id = ANY ($1)"
            ids = {row["id"] for row in await connection.fetch(known, choice.ids)}
            raise UsageError(
                f"there is no reject {', '.join(map(str, sorted({*choice.ids} - ids)))}",
                hint="`m26 rejects ls` lists them.",
            )
    return found, top


async def following(store: Store, choice: Choice, after: int, top: int) -> list[Mapping[str, Any]]:
    """Some chosen rejects that are new, in order: those numbered behind `after`, up to `top`.

    Raises:
        OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError: as the driver has it.
    """
    async with store.acquire(timeout=DEADLINE) as connection:
        found = await connection.fetch(_FOLLOWING, choice.ids, choice.reason, after, top)
        return list(found)


async def drop(store: Store, choice: Choice) -> int:
    """Give up chosen rejects that are new, and their bytes; how many.

    Raises:
        UsageError: there is no reject of a chosen number.
        StorageError: the database does not answer, or is of a newer m26.
    """
    dropped, done = 0, _DROPPED
    try:
        _, top = await chosen(store, choice)
        while done == _DROPPED:
            async with store.acquire(timeout=DEADLINE) as connection, connection.transaction():
                # As a retry does: neither waits for rows that the other has.
                migrate.check_epoch(await connection.fetchval(sql.LOCK_HEAD))
                done = await connection.fetchval(_DROP, choice.ids, choice.reason, top)
            dropped += done
    except connections.OUTAGES as error:
        raise StorageError(
            f"PostgreSQL does not answer: {connections.plain(error)}; {dropped} are dropped",
            hint="Run the same command again: it goes on from there.",
        ) from error
    return dropped
