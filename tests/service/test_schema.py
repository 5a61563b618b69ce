"""The migrated tables have the native column tables' names and types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import asyncpg
import pytest
from anyio.from_thread import BlockingPortal
from tests.support import servers

from m26._native import (
    AUCTION_COLUMNS,
    AUCTION_ROW_COLUMNS,
    CARD_COLUMNS,
    EVENT_COLUMNS,
    SIGHTING_COLUMNS,
    STATE_COLUMNS,
)
from m26.embedded.postgres import Postgres
from m26.store.database import opened

pytestmark = pytest.mark.anyio
Columns = list[tuple[str, str]]


@pytest.fixture(scope="module")
def migrated(portal: BlockingPortal, postgres: Postgres) -> Iterator[str]:
    async def migrate(dsn: str) -> None:
        async with opened(dsn) as store:
            await store.migrate()

    with servers.fresh_database(portal, postgres) as dsn:
        portal.call(migrate, dsn)
        yield dsn


async def columns(dsn: str, table: str) -> Columns:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            "SELECT attname, atttypid::regtype::text FROM pg_attribute"
            " WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped"
            " ORDER BY attnum",
            table,
        )
    finally:
        await connection.close()
    return [tuple(row) for row in rows]


def spelled_out(native: Iterable[tuple[str, str]]) -> Columns:
    names = {"timestamptz": "timestamp with time zone"}
    return [(name, names.get(pg_type, pg_type)) for name, pg_type in native]


@pytest.mark.parametrize(
    ("table", "native"),
    [
        ("m26.card", CARD_COLUMNS),
        ("m26.auction", AUCTION_ROW_COLUMNS),
        ("m26.auction_event", EVENT_COLUMNS),
        ("m26.sighting", SIGHTING_COLUMNS),
    ],
)
async def test_tables_are_the_native_columns_in_order(
    migrated: str, table: str, native: Iterable[tuple[str, str]]
) -> None:
    assert await columns(migrated, table) == spelled_out(native)


async def test_states_are_read_back_from_columns_of_the_auctions(migrated: str) -> None:
    *kept, was_active, newest = spelled_out(STATE_COLUMNS)
    assert sorted(set(kept) - set(await columns(migrated, "m26.auction"))) == []
    assert was_active == ("was_active", "boolean")
    assert newest == ("newest", "timestamp with time zone")


@pytest.mark.parametrize(
    ("table", "not_kept"),
    [
        ("m26.auction", {"page", "item"}),
        ("m26.auction_event", {"page", "item", "acquired_at"}),
    ],
)
async def test_observations_keep_the_native_columns(
    migrated: str, table: str, not_kept: set[str]
) -> None:
    kept = await columns(migrated, table)
    expected = [column for column in spelled_out(AUCTION_COLUMNS) if column[0] not in not_kept]
    assert sorted(set(expected) - set(kept)) == []
    assert not_kept.isdisjoint(name for name, _ in kept)
