"""The database as other parts of m26 see it: open it, write batches, read back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from m26.errors import OutageError, StorageError
from m26.store import connection as connections
from m26.store import holder as holders
from m26.store import migrate, partitions, sizes, statements
from m26.store.batch import Cursor
from m26.store.connection import within
from m26.store.holder import Holder
from m26.store.sizes import Sizes

if TYPE_CHECKING:
    from asyncpg.pool import Pool, PoolAcquireContext

_log = structlog.get_logger()
_FOLDED = 200
"""Sightings, a page each, that are folded while other writers wait: some 20,000 rows at most."""


class Store:
    """One database. What readers of other stages call raises StorageError in an outage."""

    def __init__(self, pool: Pool[Any], connect: Callable[..., Awaitable[Pool[Any]]]) -> None:
        self._pool, self._connect = pool, connect

    async def reopen(self, *, statement_cache: bool) -> None:
        """Replace the connections by ones with or without cached statements."""
        old, self._pool = self._pool, await self._connect(statement_cache=statement_cache)
        old.terminate()

    async def heed(self, error: Exception) -> None:
        """Do without cached statements where a pooler has lost them."""
        if connections.is_pooler(error):
            _log.warning("store.pooler", advice="A transaction pooler: statement cache is now off.")
            await self.reopen(statement_cache=False)

    def close(self) -> None:
        """End all connections."""
        self._pool.terminate()  # nothing is in flight: every caller has left its transaction

    async def holder(
        self, *, deadline: float, limit: float | None = None, grace: float = holders.GRACE
    ) -> Holder | None:
        """Who holds the stream head, by a connection of its own; None: nobody does.

        Args:
            deadline: longest time to find out, seconds.
            limit: end an m26 that has held it for longer than this and `grace` seconds, as
                nothing else does while it is frozen inside a COPY.
            grace: for the server, which as a rule ends it at the limit by itself.

        Raises:
            StorageError: the server does not say so in time.
        """
        with answering():
            async with self._pool.acquire(timeout=deadline) as connection:
                found = await within(deadline, connection, holders.find(connection))
                if found is not None and limit is not None:
                    ending = holders.end_if_stuck(connection, found, after=limit + grace)
                    if await within(deadline, connection, ending):
                        _log.warning("store.frozen_ended", holder=str(found))
                return found

    async def schema_epoch(self) -> int:
        """The newest migration's number, as the database has it; 0 before it was kept."""
        with answering():
            return int(await self._pool.fetchval(statements.EPOCH) or 0)

    async def ping(self) -> str:
        """The server's version."""
        with answering():
            return str(await self._pool.fetchval("SHOW server_version"))

    async def migrate(self) -> list[str]:
        """Bring the schema up to date; the names of the migrations applied now."""
        with answering():
            async with self._pool.acquire() as connection:
                return await migrate.migrate(connection)

    async def migration_status(self) -> list[dict[str, Any]]:
        """Each shipped migration and when it was applied, None if it was not."""
        with answering():
            async with self._pool.acquire() as connection:
                applied = await migrate.applied_at(connection)
        return [
            {"name": m.name, "checksum": m.checksum, "applied_at": applied.get(m.name)}
            for m in migrate.shipped()
        ]

    async def database_id(self) -> str:
        """The uuid made with this database."""
        with answering():
            return str(await self._pool.fetchval("SELECT id FROM m26.database_info"))

    async def head(self) -> int:
        """Sequence number of the newest committed event."""
        with answering():
            return int(await self._pool.fetchval("SELECT seq FROM m26.stream_head"))

    async def first_seq(self) -> int:
        """Sequence number of the oldest event still kept; 0 when there is none."""
        with answering():
            return int(await self._pool.fetchval("SELECT min(seq) FROM m26.auction_event") or 0)

    async def cursor(self, part: str) -> int:
        """Records of `part` that are stored."""
        return (await self.place(part)).pos

    async def place(self, part: str) -> Cursor:
        """How far `part` is stored, and by whom."""
        with answering():
            row = await self._pool.fetchrow(statements.CURSOR, part)
        return Cursor(*row) if row else Cursor()

    async def sessions(self) -> list[str]:
        """What the sessions of m26 on this database call themselves."""
        with answering():
            query = (
                "SELECT DISTINCT application_name FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name LIKE 'm26 %' ORDER BY 1"
            )
            return [row[0] for row in await self._pool.fetch(query)]

    async def begin_cursor(self, part: str, *, pos: int, checksum: int | None, host: str) -> None:
        """Let `part`, a new one, begin at `pos`: what is before it is stored under another name."""
        with answering():
            await self._pool.execute(statements.BEGIN_CURSOR, part, pos, checksum, host)

    async def events(self, after: int, limit: int) -> list[tuple[int, str]]:
        """(seq, JSON) of up to `limit` events after `after`, in order."""
        with answering():
            rows = await self._pool.fetch(
                "SELECT seq, data FROM m26.event_json WHERE seq > $1 ORDER BY seq LIMIT $2",
                after,
                limit,
            )
        return [(row["seq"], row["data"]) for row in rows]

    async def card_name(self, card_id: int, version: str) -> str | None:
        """The name of a card by its id and the hex digits of its version; None: it has none."""
        with answering():
            name: str | None = await self._pool.fetchval(statements.CARD_NAME, card_id, version)
        return name

    async def sightings(self) -> int:
        """Pages whose sightings are not folded yet."""
        with answering():
            return int(await self._pool.fetchval("SELECT count(*) FROM m26.sighting"))

    async def make_partition(self) -> None:
        """Make the partition of events that comes next, beside whatever else goes on."""
        with answering():
            async with self._pool.acquire() as connection:
                await partitions.ahead(connection)

    async def fold_sightings(self, *, at_most: int = _FOLDED) -> None:
        """Move the sightings into `auction.last_seen`, `at_most` of them while others wait.

        Raises:
            SchemaNewerError: a newer m26 has migrated the database.
            StorageError: it does not answer.
        """
        left = True
        while left:
            with answering():
                async with self._pool.acquire() as connection, connection.transaction():
                    epoch = await connection.fetchval(statements.LOCK_HEAD)
                    migrate.check_epoch(epoch)
                    done = await connection.fetchval(statements.FOLD_SIGHTINGS, at_most)
            left = done == at_most

    async def reject_list(
        self, *, limit: int, reason: str | None = None, state: str | None = None
    ) -> list[dict[str, Any]]:
        """Quarantined items, newest first, without their bytes."""
        rows = await self._pool.fetch(
            "SELECT id, part, pos, item, byte_from, byte_to, reason, detail, state, created_at,"
            " length(raw) AS bytes FROM m26.reject WHERE ($2::text IS NULL OR reason = $2)"
            " AND ($3::text IS NULL OR state = $3) ORDER BY id DESC LIMIT $1",
            limit,
            reason,
            state,
        )
        return [dict(row) for row in rows]

    async def reject(self, reject_id: int) -> dict[str, Any] | None:
        """One quarantined item with its raw bytes."""
        row = await self._pool.fetchrow("SELECT * FROM m26.reject WHERE id = $1", reject_id)
        return dict(row) if row else None

    async def calibration(self) -> list[dict[str, Any]]:
        """What inferred outcomes said of themselves, and how many of them proved right."""
        with answering():
            return [dict(row) for row in await self._pool.fetch(statements.CALIBRATION)]

    async def sizes(self, older: timedelta) -> Sizes:
        """What the tables take and how fast they grow; what is older than `older` may be pruned."""
        with answering():
            async with self.unhurried() as pool, pool.acquire() as connection:
                return await sizes.measure(connection, older)

    @asynccontextmanager
    async def unhurried(self) -> AsyncIterator[Pool[Any]]:
        """Connections of their own for the block, which the server does not end for being slow."""
        pool = await self._connect(statement_cache=False, limit=0)
        try:
            yield pool
        finally:
            pool.terminate()

    def acquire(self, *, timeout: float) -> PoolAcquireContext[Any]:
        """A connection of its own, for the block; who uses it sees the driver's errors."""
        return self._pool.acquire(timeout=timeout)


@contextmanager
def answering() -> Iterator[None]:
    """Turn what a database call may raise into one error that other stages know."""
    try:
        yield
    except connections.OUTAGES as error:
        reason = connections.plain(error)
        if connections.is_passing(error):
            raise OutageError(
                f"PostgreSQL does not answer: {reason}",
                hint="Is it running? `m26 doctor` checks it.",
            ) from error
        raise StorageError(
            f"PostgreSQL refuses what m26 asks: {reason}", hint="`m26 doctor` looks into it."
        ) from error


async def connect(
    dsn: str,
    *,
    name: str = "",
    statement_cache: bool = True,
    limit: float = connections.LIMIT,
    most: int = connections.MOST,
) -> Store:
    """Connect to a database; the caller closes the store.

    Args:
        dsn: the database.
        name: what the sessions call themselves, see `session_name`.
        statement_cache: False behind a pooler that loses prepared statements.
        limit: seconds after which the server ends a transaction.
        most: connections.

    Raises:
        ConfigError: the DSN is malformed.
        StorageError: the server does not answer or refuses us.
    """
    connect = partial(connections.connect, dsn, name=name, limit=limit, most=most)
    try:
        pool = await connect(statement_cache=statement_cache)
    except connections.OUTAGES as error:
        may_pass = connections.is_passing(error) and not connections.is_misfit(error)
        kind = OutageError if may_pass else StorageError
        raise kind(
            f"cannot connect to PostgreSQL: {connections.plain(error)}",
            hint=connections.advice(error),
        ) from error
    return Store(pool, connect)


@asynccontextmanager
async def opened(
    dsn: str,
    *,
    name: str = "",
    statement_cache: bool = True,
    limit: float = connections.LIMIT,
    most: int = connections.MOST,
) -> AsyncIterator[Store]:
    """`connect`, and close at the end of the block."""
    store = await connect(dsn, name=name, statement_cache=statement_cache, limit=limit, most=most)
    try:
        yield store
    finally:
        store.close()
