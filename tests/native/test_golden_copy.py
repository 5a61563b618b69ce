"""The golden COPY bytes, loaded into a real PostgreSQL and read back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest

from m26 import _native
from m26._native import AUCTION_COLUMNS, CARD_COLUMNS, Batch

pytestmark = pytest.mark.anyio
GOLDEN = Path(__file__).parents[1] / "golden"


def golden(name: str) -> bytes:
    lines = (GOLDEN / name).read_text().splitlines()
    return b"".join(bytes.fromhex(line.split(" ", 1)[1]) for line in lines if line[0] != "#")


def golden_batch() -> Batch:
    normalizer = _native.Normalizer(
        per_copy=["cardInstanceId", "acquisitionTimestamp"], positions={14: "MLB"}
    )
    page = (GOLDEN / "page.json").read_bytes()
    return normalizer.normalize([page], platforms=["ps5"], fetched_at=[0])


@asynccontextmanager
async def staged(dsn: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """A connection with a table of each column list."""
    connection = await asyncpg.connect(dsn)
    try:
        for table, columns in (("auctions", AUCTION_COLUMNS), ("cards", CARD_COLUMNS)):
            fields = ", ".join(f'"{name}" {pg_type}' for name, pg_type in columns)
            await connection.execute(f"CREATE TEMP TABLE {table} ({fields})")
        yield connection
    finally:
        await connection.close()


async def test_postgres_reads_the_golden_bytes_as_they_are_meant(database: str) -> None:
    batch = golden_batch()
    assert bytes(batch.auctions) == golden("auctions.copy.hex")
    assert bytes(batch.cards) == golden("cards.copy.hex")
    async with staged(database) as connection:
        await connection.copy_to_table("auctions", source=batch.auctions, format="binary")
        await connection.copy_to_table("cards", source=batch.cards, format="binary")
        first, second = await connection.fetch("SELECT * FROM auctions ORDER BY item")
        sanders, other = await connection.fetch("SELECT * FROM cards ORDER BY card_id DESC")

    observed = datetime(2026, 8, 15, 20, 57, 15, 250_000, UTC)
    assert dict(first) == {
        "page": 0,
        "item": 0,
        "platform": "ps5",
        "auction_id": 57828095,
        "card_id": 13522975,
        "card_version": sanders["version"],
        "card_instance_id": 4133423131,
        "acquired_at": datetime(2026, 8, 15, 20, 55, 39, tzinfo=UTC),
        "posted_at": datetime(2026, 8, 15, 20, 57, 15, tzinfo=UTC),
        "expires_at": datetime(2026, 8, 16, 20, 57, 14, 250_000, UTC),
        "status": "active",
        "start_price": None,
        "buyout_price": 2787,
        "current_bid": 250,
        "next_bid": 300,
        "bids": 1,
        "median_price": 2775,
        "min_price": 100,
        "max_price": 22200,
        "observed_at": observed,
    }
    assert (second["item"], second["status"], second["expires_at"]) == (1, "ended", observed)
    assert (second["start_price"], second["current_bid"]) == (9_000_000_000, 9_000_000_000)
    nulls = ("card_instance_id", "acquired_at", "buyout_price", "median_price", "max_price")
    assert [second[name] for name in nulls] == [None] * 5

    attributes = orjson.loads(sanders["attributes"])
    assert attributes["cardData"] == {"value": {"overallRating": 82, "position": 14}}
    assert "staticCardData" not in attributes
    assert {**sanders, "attributes": None} == {
        "card_id": 13522975,
        "version": first["card_version"],
        "name": "Drew Sanders",
        "position": "MLB",
        "overall": 82,
        "tier": 4,
        "program_id": 135,
        "program": "Team Builders",
        "team_id": 4,
        "type": "player",
        "discard_value": 270,
        "discard_currency": 4,
        "attributes": None,
        "first_seen": observed,
    }
    assert (other["name"], other["overall"], other["first_seen"]) == ('Zoë "Ω" 😀', None, observed)


async def test_rows_for_offline_use_are_what_postgres_reads(database: str) -> None:
    batch = golden_batch()
    async with staged(database) as connection:
        await connection.copy_to_table("auctions", source=batch.auctions, format="binary")
        await connection.copy_to_table("cards", source=batch.cards, format="binary")
        for table, columns, rows in (
            ("auctions", AUCTION_COLUMNS, batch.rows()),
            ("cards", CARD_COLUMNS, batch.card_rows()),
        ):
            read = await connection.fetch(f"SELECT * FROM {table}")
            assert [tuple(map(_plain, row)) for row in read] == [
                tuple(map(_parsed, row, (pg_type for _, pg_type in columns))) for row in rows
            ]


async def test_a_slice_loads_its_rows_alone(database: str) -> None:
    async with staged(database) as connection:
        slice_ = golden_batch().auctions.slice(1, 2)
        await connection.copy_to_table("auctions", source=slice_, format="binary")
        assert await connection.fetchval("SELECT array_agg(item) FROM auctions") == [1]


def _plain(value: Any) -> Any:
    """A fetched value in the form of `rows`: microseconds, JSON parsed."""
    if isinstance(value, datetime):
        return round(value.timestamp() * 1e6)
    if isinstance(value, str) and value.startswith("{"):
        return orjson.loads(value)
    return value


def _parsed(value: Any, pg_type: str) -> Any:
    return orjson.loads(value) if pg_type == "jsonb" else value
