"""A market and a moment in; a snapshot of the database, and what an answer holds for, out.

The statements of `m26.store.price_statements` name tables without a schema. Of the present they are
those of `m26`; of the past those that `m26.store.past` fills.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict, cast

import asyncpg
import orjson

from m26.clock import EPOCH
from m26.errors import UsageError
from m26.market.rows import AsOf, Bucket, BucketView
from m26.store import price_statements as statements
from m26.store.database import Store, answering
from m26.store.past import EVERYTHING, Needed, Past
from m26.store.retention import check_moment
from m26.store.rollup_statements import BEHIND

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

_DEADLINE = 28.0
"""Until there is a connection, seconds."""


class Card(TypedDict):
    """A card and its name."""

    card_id: int
    name: str | None


@dataclass(frozen=True, slots=True)
class Reading:
    """A snapshot, and what an answer from it holds for."""

    connection: PoolConnectionProxy[Any]
    as_of: AsOf

    async def text(self, statement: str, *values: object) -> str:
        """The JSON that a statement makes."""
        return str(await self.connection.fetchval(statement, *values))

    async def texts(self, statement: str, *values: object) -> Mapping[str, str]:
        """Several of them, by the names of the columns."""
        row = await self.connection.fetchrow(statement, *values)
        return cast("Mapping[str, str]", row)

    async def rows(self, statement: str, *values: object) -> list[Any]:
        """The same, read."""
        return cast("list[Any]", orjson.loads(await self.text(statement, *values)))

    @property
    def platform(self) -> str:
        """Whose market it is."""
        return self.as_of["platform"]

    @property
    def now(self) -> datetime:
        """Market time; the beginning of times where nothing was seen."""
        at = self.as_of["market_time"]
        return datetime.fromisoformat(at) if at else EPOCH

    def begin(self, step: timedelta, *, back: timedelta) -> datetime:
        """Of the bucket that a moment so long ago was in."""
        at = self.now - back
        return at - (at - EPOCH) % step

    async def card(self, card_id: int) -> Card | None:
        """A card and its name; None: nothing was seen of it on that platform."""
        row = await self.connection.fetchrow(statements.NAME, self.platform, card_id)
        return None if row is None else {"card_id": card_id, "name": row["name"]}

    async def buckets(
        self,
        card_id: int,
        bucket: Bucket,
        since: datetime | None,
        until: datetime | None = None,
    ) -> list[BucketView]:
        """A card's, the oldest first."""
        values = (self.platform, card_id, since, until)
        return await self.rows(statements.BUCKETS[bucket], *values)


@asynccontextmanager
async def asking(store: Store) -> AsyncIterator[PoolConnectionProxy[Any]]:
    """A connection for a question.

    Raises:
        StorageError: the database does not answer. Where a pooler has lost our prepared statements,
            the next question does without.
    """
    with answering():
        try:
            async with store.acquire(timeout=_DEADLINE) as connection:
                yield connection
        except asyncpg.PostgresError as error:
            await store.heed(error)
            raise


@asynccontextmanager
async def _snapshot(connection: PoolConnectionProxy[Any], *, writes: bool) -> AsyncIterator[None]:
    """A transaction in which names are those of the present: it begins by one round trip."""
    await connection.execute(statements.BEGIN.format("WRITE" if writes else "ONLY"))
    try:
        yield
    except BaseException:
        await connection.execute("ROLLBACK")
        raise
    await connection.execute("COMMIT")


@asynccontextmanager
async def reading(
    store: Store, platform: str, at: datetime | None, needed: Needed = EVERYTHING
) -> AsyncIterator[Reading]:
    """A snapshot of the present, or of a moment of the past.

    Args:
        store: the database.
        platform: whose market is asked about.
        at: the moment; None: the present.
        needed: what is asked about; of the present all is there.

    Raises:
        StorageError: the database does not answer.
        UsageError: the moment has not come yet, or its events are pruned.
    """
    async with asking(store) as connection, _snapshot(connection, writes=at is not None):
        row = await connection.fetchrow(statements.AS_OF, platform, at)
        assert row is not None, "there is a cursor from the migration on"
        as_of = _as_of(platform, row)
        if at is not None:
            await check_moment(connection, at)
            await Past(connection, platform, at).show(needed)
        yield Reading(connection, as_of)


def _as_of(platform: str, row: Mapping[str, Any]) -> AsOf:
    seq, head, moment = row["seq"], row["head"], row["moment"]
    if row["is_ahead"]:
        problem = f"{moment} has not come: on that market it is {row['market_time']}"
        raise UsageError(problem, hint="leave the moment out for the present")
    if moment is not None:  # all events are looked at
        return {
            "platform": platform,
            "at": moment,
            "seq": head,
            "market_time": moment,
            "building": None,
        }
    building = 100 * seq // head if head - seq > BEHIND else None
    return {
        "platform": platform,
        "at": None,
        "seq": seq,
        "market_time": row["market_time"],
        "building": building,
    }


def place(after: str | None) -> tuple[int | None, int | None]:
    """The two numbers of an answer's `next`.

    Raises:
        UsageError: no answer said so.
    """
    if after is None:
        return None, None
    first, _, second = after.partition("_")
    try:
        return int(first), int(second)
    except ValueError as error:
        hint = "take `next` of the answer before"
        raise UsageError(f"{after!r} is no place to go on from", hint=hint) from error
