"""docs/DATA.md against a migrated database: tables, columns, types, codes, and every query."""

from __future__ import annotations

import re

import anyio
import asyncpg
import pytest
from tests.docs.pages import DOCS, ROOT, blocks, quoted, rows, section
from tests.support import wire

from m26.normalizer import Normalizer
from m26.status.metrics import Metrics
from m26.store.database import opened
from m26.store.load import Loader
from m26.store.rollups import Rollups
from m26.upstream.profile import Profile

PAGE = DOCS / "DATA.md"
RELATIONS = """
SELECT c.relname AS name, c.relkind = 'v' AS is_view
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'm26' AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition"""
COLUMNS = """
SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type
FROM pg_attribute AS a
WHERE a.attrelid = ('m26.' || $1)::regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum"""

PROVED = """
INSERT INTO m26.calibration VALUES
    ('file:test', 'ps5', 'absent, bought', '< 0.6', '< 4 h', 9, 8, 8, 8.1, 7.9, 497222, now())"""


async def fill(dsn: str) -> None:
    """A sold, an expired and a running auction, a sweep, a reject and a surprise."""
    sold = wire.auction(1, bid=5000, bids=3, auctionStatus="AUCTIONSTATUS_ENDED")
    bodies = (
        wire.body(wire.auction(1), wire.auction(2), wire.auction(3, currentBid=1.5)),
        wire.body(sold, wire.auction(2, newMember=1), at=wire.T0 + 60),
        b"<html>",
    )
    async with opened(dsn) as store:
        await store.migrate()
        loader = Loader(store, Normalizer(Profile.load("madden26").card))
        await loader.store("file:test", wire.records(*bodies, sweep=wire.T0 * 1_000_000))
        await Rollups(store, turn=anyio.Lock(), metrics=Metrics()).step()
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(PROVED)
    finally:
        await connection.close()


def documented(relation: str) -> list[tuple[str, str]]:
    table = section(PAGE, relation).split("\n\n| reason", 1)[0]
    return [(cells[0].strip("`"), cells[1]) for cells in rows(table)]


@pytest.mark.anyio
async def test_every_table_view_column_and_type_stands_there(database: str) -> None:
    await fill(database)
    connection = await asyncpg.connect(database)
    try:
        real = {row["name"]: row["is_view"] for row in await connection.fetch(RELATIONS)}
        for name in real:
            columns = [tuple(row) for row in await connection.fetch(COLUMNS, name)]
            assert documented(name) == columns, name
    finally:
        await connection.close()
    told = re.findall(r"^### (\w+)$", PAGE.read_text(), re.MULTILINE)
    assert sorted(told) == sorted(real)
    views = re.findall(r"^### (\w+)$", section(PAGE, "Views"), re.MULTILINE)
    assert set(views) == {name for name, is_view in real.items() if is_view}


@pytest.mark.anyio
async def test_every_query_can_be_executed_and_finds_something(database: str) -> None:
    await fill(database)
    connection = await asyncpg.connect(database)
    queries = [block for block in blocks(PAGE) if block.language == "sql"]
    assert len(queries) > 5
    found = []
    try:
        for block in queries:
            statements = filter(str.strip, block.text.split(";\n"))
            found += [(str(block), len(await connection.fetch(each))) for each in statements]
    finally:
        await connection.close()
    # The first asks for what expires after now, which no fixed fixture has.
    assert [where for where, count in found[1:] if not count] == []


def test_every_reason_of_the_quarantine_stands_there() -> None:
    codes = re.findall(r'Self::\w+ => "([a-z_0-9]+)"', (ROOT / "rust/src/error.rs").read_text())
    for path in (ROOT / "python/m26/store").glob("*.py"):
        codes += re.findall(r'"([a-z]+_(?:refused|damaged))"', path.read_text())
    table = section(PAGE, "reject").split("\n\n| reason", 1)[1]
    assert sorted({cells[0].strip("`") for cells in rows("| reason" + table)}) == sorted(set(codes))


def test_every_kind_of_surprise_stands_there() -> None:
    kinds = re.findall(r'Self::\w+ => "([a-z_]+)"', (ROOT / "rust/src/drift.rs").read_text())
    assert kinds
    assert {*kinds, "many_versions"} <= set(quoted(section(PAGE, "drift")))


def test_every_kind_of_event_and_outcome_stands_there() -> None:
    sources = [
        (ROOT / "rust/src" / name).read_text() for name in ("rows/record.rs", "market/lot.rs")
    ]
    words = set(re.findall(r'Self::\w+ => "([a-z_]+)"', "".join(sources)))
    assert {"listed", "bid", "changed", "closed", "sold"} <= words
    assert words <= set(quoted(section(PAGE, "What is an event")))
