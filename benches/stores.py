"""How others store the same pages: streams of batches in, a committed transaction for each out.

All but the usual way stage rows by COPY and merge them by the same SQL (`merge.py`), so that only
the path up to the staged rows differs. Peers keep their connection and leave out what costs ours a
round trip (new partitions, sweeps, the pool's reset): what they are spared is theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg
import pgpq
import pyarrow as pa
from anyio.to_thread import run_sync
from benches import merge
from benches.pages import PLATFORM
from benches.peers import SECOND, STATUS, TYPED, Cards, Reader

from m26 import _native
from m26.models import Record
from m26.store import statements

PART = "bench"
COLUMNS = [name for name, _ in _native.AUCTION_COLUMNS]
_PG_EPOCH = 946_684_800 * SECOND
_CHUNK = 50
_SLICE = 256 << 10
_KEY = ("platform", "auction_id")

if TYPE_CHECKING:
    Connection = asyncpg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Way:
    """One way from reply bodies to rows in the stage."""

    read: Callable[[Sequence[bytes]], Any]
    """Before the lock is taken, as the product does."""
    stage: Callable[[Connection, Any], Awaitable[None]]
    """Given what `read` gave."""


def by_records(reader: Reader) -> Way:
    """Tuples of `reader` by ``copy_records_to_table``."""

    async def stage(connection: Connection, rows: Sequence[Any]) -> None:
        table = merge.AUCTION_STAGE
        await connection.copy_records_to_table(
            table, schema_name="pg_temp", columns=COLUMNS, records=rows
        )

    return Way(lambda pages: reader(pages).auctions, stage)


def by_arrow(cards: Cards) -> Way:
    """Typed structs of msgspec as Arrow columns, encoded by pgpq."""
    return Way(lambda pages: _encode(_columns(pages, cards)), _copy_stage)


def by_buffer() -> Way:
    """Buffers that were made beforehand: what no reader in front of this merge can beat."""
    return Way(list, _copy_stage)


class Tally(NamedTuple):
    """Auctions of a stream, by what became of them."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0


class Merged:
    """The merge behind some way of staging.

    Args:
        connection: of its own.
        way: up to the stage.
        part: whose cursor moves.
    """

    def __init__(self, connection: Connection, way: Way, *, part: str = PART) -> None:
        self._connection = connection
        self._way = way
        self._part = part

    async def store(self, batches: Sequence[Sequence[Record]]) -> Tally:
        """Commit one batch after the other."""
        return total([await self.commit(batch, self._read(batch)) for batch in batches])

    async def store_overlapped(self, batches: Sequence[Sequence[Record]]) -> Tally:
        """The same, each batch read in a thread while the one before it is committed."""
        tallies, read = [], await run_sync(self._read, batches[0])
        for batch, following in zip(batches, [*batches[1:], ()], strict=True):
            ahead = asyncio.create_task(run_sync(self._read, following))
            tallies.append(await self.commit(batch, read))
            read = await ahead
        return total(tallies)

    async def store_read(self, batches: Sequence[tuple[Sequence[Record], Any]]) -> Tally:
        """Commit batches whose reading was done beforehand."""
        return total([await self.commit(batch, read) for batch, read in batches])

    async def commit(self, records: Sequence[Record], read: Any) -> Tally:
        """One transaction: what `read` holds, of consecutive records."""
        connection = self._connection
        begin, positions = records[0].pos, [record.pos for record in records]
        async with connection.transaction():
            await connection.execute(merge.SESSION)
            seq = await lock(connection, self._part, begin, begin + len(records))
            await connection.execute(merge.CREATE_STAGE)
            await self._way.stage(connection, read)
            if await connection.fetchval(merge.MAY_BE_LATE):
                await connection.fetchval(statements.FOLD_SIGHTINGS, 1 << 30)
            rows = await connection.fetch(merge.MERGE, seq, self._part, positions)
            if any(row["closed"] for row in rows):
                await connection.execute(merge.CLOSE_AUCTIONS, seq)
            seq += sum(row["events"] for row in rows)
            await connection.execute(MOVE_HEAD, seq)
        new, changed, seen = (sum(row[name] for row in rows) for name in ("new", "changed", "seen"))
        return Tally(new, changed, seen - new - changed)

    def _read(self, records: Sequence[Record]) -> Any:
        return self._way.read(bodies(records))


class Usual:
    """The usual way: every row an upsert, 50 at a time. Current state alone: no events."""

    def __init__(self, connection: Connection, reader: Reader) -> None:
        self._connection = connection
        self._reader = reader

    async def store(self, batches: Sequence[Sequence[Record]]) -> int:
        """Commit one batch after the other; the number of rows."""
        return sum([await self._commit(batch) for batch in batches])

    async def _commit(self, records: Sequence[Record]) -> int:
        upserts = [row[2:] for row in self._reader(bodies(records)).auctions]
        async with self._connection.transaction():
            for begin in range(0, len(upserts), _CHUNK):
                await self._connection.executemany(_UPSERT, upserts[begin : begin + _CHUNK])
        return len(upserts)


async def lock(connection: Connection, part: str, begin: int, end: int) -> int:
    """Begin a batch as the product does: the stream head locked, the cursor moved; the head."""
    seq: int = await connection.fetchval("SELECT seq FROM m26.stream_head FOR UPDATE")
    assert await connection.fetchval(_MOVE_CURSOR, part, begin, end) == end
    return seq


def total(tallies: Sequence[Tally]) -> Tally:
    """All of them together."""
    return Tally(*map(sum, zip(*tallies, strict=True)))


async def connected(dsn: str) -> Connection:
    """A connection that takes times as integers: no datetime is made for each of them."""
    connection: Connection = await asyncpg.connect(dsn)
    await connection.set_type_codec(
        "timestamptz",
        schema="pg_catalog",
        encoder=lambda micros: (micros - _PG_EPOCH,),
        decoder=lambda value: value[0] + _PG_EPOCH,
        format="tuple",
    )
    return connection


def bodies(records: Sequence[Record]) -> list[bytes]:
    """The reply bodies of records that all have a page."""
    return [record.page.body for record in records if record.page is not None]


MOVE_HEAD = "UPDATE m26.stream_head SET seq = $1"
_MOVE_CURSOR = """
INSERT INTO m26.ingest_cursor AS c (part, pos) VALUES ($1, $3)
ON CONFLICT (part) DO UPDATE SET pos = $3 WHERE c.pos = $2 RETURNING pos"""
_STATE = COLUMNS[2:]  # without the place in the batch
_UPSERT = f"""
INSERT INTO m26.auction AS a ({", ".join(_STATE)}, first_seen, last_seen)
VALUES ({", ".join(f"${i + 1}" for i in range(len(_STATE)))}, ${len(_STATE)}, ${len(_STATE)})
ON CONFLICT (platform, auction_id) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in _STATE if name not in _KEY)},
    start_price = coalesce(excluded.start_price, a.start_price), last_seen = excluded.last_seen"""
_UPSERT = _UPSERT.replace("start_price = excluded.start_price, ", "")

_TYPES = {"integer": pa.int32(), "bigint": pa.int64(), "text": pa.string()}
_ARROW = pa.schema(
    # A time is eight bytes on the wire, as a bigint is: it goes as one, counted from 2000 on.
    [(name, _TYPES.get(kind, pa.int64())) for name, kind in _native.AUCTION_COLUMNS]
)


def _encode(batch: pa.RecordBatch) -> bytes:
    encoder = pgpq.ArrowToPostgresBinaryEncoder(_ARROW)
    return encoder.write_header() + encoder.write_batch(batch) + encoder.finish()


async def copy(connection: Connection, table: str, buffer: Any, *, schema: str = "m26") -> None:
    """COPY a buffer into a table, in messages as large as the product's."""
    source = _slices(buffer)
    await connection.copy_to_table(table, schema_name=schema, source=source, format="binary")


async def _slices(buffer: Any) -> AsyncIterator[memoryview]:
    view = memoryview(buffer)
    for begin in range(0, len(view), _SLICE):
        yield view[begin : begin + _SLICE]


async def _copy_stage(connection: Connection, buffer: Any) -> None:
    await copy(connection, merge.AUCTION_STAGE, buffer, schema="pg_temp")


def _columns(pages: Sequence[bytes], cards: Cards) -> pa.RecordBatch:
    values = [TYPED.decode(page).response_info.value for page in pages]
    read = [
        (page, value.response_data.response_time, value.details)
        for page, value in enumerate(values)
    ]
    rows = [a for _, _, details in read for a in details]
    at = [time - _PG_EPOCH for _, time, details in read for _ in details]
    ids = [a.card.card_id for a in rows]
    columns = [
        [page for page, _, details in read for _ in details],
        [item for _, _, details in read for item in range(len(details))],
        [PLATFORM] * len(rows),
        [a.auction_id for a in rows],
        ids,
        [cards.versions[card_id] for card_id in ids],
        [a.card.card_instance_id for a in rows],
        [
            a.card.acquisition_timestamp - _PG_EPOCH if a.card.acquisition_timestamp else None
            for a in rows
        ],
        [a.posting_time * SECOND - _PG_EPOCH for a in rows],
        [time + a.seconds_remaining * SECOND for time, a in zip(at, rows, strict=True)],
        [STATUS[a.auction_status] for a in rows],
        [
            a.current_bid if a.number_of_bids == 0 and a.current_bid == a.next_bid else None
            for a in rows
        ],
        [a.buyout_price or None for a in rows],
        [a.current_bid for a in rows],
        [a.next_bid for a in rows],
        [a.number_of_bids for a in rows],
        [a.median_auction_price for a in rows],
        [a.min_listing_price for a in rows],
        [a.max_listing_price for a in rows],
        at,
    ]
    arrays = [pa.array(c, field.type) for c, field in zip(columns, _ARROW, strict=True)]
    return pa.record_batch(arrays, schema=_ARROW)
