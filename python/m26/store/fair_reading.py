"""A snapshot of the database in; which cards are to be priced, and by what, out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from anyio.to_thread import run_sync

from m26._native import Pricer
from m26.clock import micros_of
from m26.store import fair_statements as statements
from m26.store import migrate
from m26.store.rollup_statements import BEHIND

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

_HOUR = timedelta(hours=1)
"""So long what holds for all cards is believed,"""
_GROWN = 1.1
"""or until there are so many times the events: a new market is learned as it comes."""
CHUNK = 100
"""Cards at a time: so many hold up what else the process does for less than 5 ms."""
T = TypeVar("T")


class Place(NamedTuple):
    """How far prices are, as a snapshot has it."""

    seq: int
    """Events up to this one touched cards that were priced since,"""
    age: float | None
    """so many seconds ago; None: never."""
    upto: int
    """Events up to this one are in the rest of `market_now`,"""
    head: int
    """of so many."""
    schema_epoch: int

    @property
    def is_behind(self) -> bool:
        """Whether the cards that are to be priced are not all in the rest of `market_now` yet."""
        return self.head - self.upto > BEHIND


@dataclass(slots=True)
class Market:
    """A platform's cards that are to be priced, and by what."""

    platform: str
    now: datetime
    seq: int
    """What is known of it is of events up to this one at least."""
    ids: Sequence[int]
    model: dict[str, Any]
    """Columns of `market_model`; of one that is to be learned, what it is to be learned with."""
    learns: bool
    is_new: bool
    """Nothing of it was ever learned."""
    pricer: Pricer
    cards: list[tuple[Any, ...]] = field(default_factory=list)
    """What else is known of them: rows of `KINDS` from `min_price` on."""


async def place(connection: PoolConnectionProxy[Any]) -> Place:
    """Where prices stand; the transaction is one of reading from here on.

    Raises:
        SchemaNewerError: a newer m26 has migrated the database.
    """
    await connection.execute(statements.SETTINGS)
    found = Place(*await connection.fetchrow(statements.PLACE))  # type: ignore[misc]
    migrate.check_epoch(found.schema_epoch)
    return found


async def markets(
    connection: PoolConnectionProxy[Any], at: Place, told: Callable[[float], None]
) -> list[Market]:
    """Those with cards to be priced, and all that is known of these.

    Args:
        connection: in the snapshot of `at`.
        at: where prices stand.
        told: is given the share of the cards that was read, while the first prices are made.
    """
    rows = await connection.fetch(statements.MARKETS)
    found = [await _market(connection, row, at) for row in rows]
    total, count = sum(len(market.ids) for market in found), 0
    for market in found:
        for ids in chunks(market.ids):
            await add(connection, market, ids)
            count += len(ids)
            if market.is_new:
                told(count / total)
    return [market for market in found if market.ids]


def chunks(ids: Sequence[T]) -> Iterator[Sequence[T]]:
    """Some at a time."""
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))


async def _market(
    connection: PoolConnectionProxy[Any], row: Mapping[str, Any], at: Place
) -> Market:
    platform, now, learned_at, model = row["market"], row["now"], row["at"], dict(row)
    is_new = learned_at is None
    is_young = not is_new and learned_at <= now < learned_at + _HOUR
    learns = not (is_young and at.seq and at.upto < _GROWN * row["seq"])
    if learns:
        ids = await connection.fetchval(statements.ALL, platform)
        positions, programs = await connection.fetchrow(statements.WORDS)  # type: ignore[misc]
        model = {"positions": positions or [], "programs": programs or []}
    else:
        ids = await connection.fetchval(statements.TOUCHED, platform, at.seq, at.upto)
    pricer = Pricer(now=micros_of(now), days=statements.DAYS)
    return Market(platform, now, at.upto, ids or [], model, learns, is_new, pricer)


async def add(connection: PoolConnectionProxy[Any], market: Market, ids: Sequence[int]) -> None:
    """Read some cards, all that is known of them."""
    given = (market.platform, ids, market.now)
    cards = await connection.fetch(statements.KINDS, *given)
    copied = []
    for query in (statements.SALES, statements.ASKS, statements.SHOWN):
        parts: list[bytes] = []
        await connection.copy_from_query(query, *given, output=_into(parts), format="binary")
        copied.append(b"".join(parts))
    words = [
        {word: number for number, word in enumerate(market.model[name])}
        for name in ("positions", "programs")
    ]
    kinds = [
        (overall, words[0].get(position), words[1].get(program))
        for overall, position, program, *_ in cards
    ]
    await run_sync(partial(market.pricer.add, kinds, *copied))
    # plain tuples of plain values are none of the garbage collector's business
    market.cards.extend(tuple(card)[3:] for card in cards)


def _into(parts: list[bytes]) -> Callable[[bytes], Any]:
    async def take(data: bytes) -> None:
        parts.append(data)

    return take
