"""How PostgreSQL goes about a batch: what must not grow with the history."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import asyncpg
import pytest
from tests.support.wire import T0, auction, body, records

from m26.normalizer import Normalizer
from m26.store.database import opened
from m26.store.load import Loader
from m26.upstream.profile import Profile

pytestmark = pytest.mark.anyio
RULES = Profile.load("madden26").card
SCANS = "SELECT seq_scan, idx_scan FROM pg_stat_user_tables WHERE relid = 'm26.auction'::regclass"


async def store(dsn: str, pages: Sequence[bytes], *, start: int) -> None:
    async with opened(dsn) as opening:
        await opening.migrate()
        loader = Loader(opening, Normalizer(RULES))
        await loader.store("j", records(*pages, start=start))


async def scans(dsn: str, *, more_than: int) -> tuple[int, int]:
    """Whole and index scans of `auction`, once a session that ended has told of its own."""
    connection = await asyncpg.connect(dsn)
    try:
        with anyio.fail_after(20):
            while (found := tuple(await connection.fetchrow(SCANS)))[1] <= more_than:
                await anyio.sleep(0.02)
    finally:
        await connection.close()
    return found


async def test_a_batch_finds_its_auctions_by_index_however_small_the_table(database: str) -> None:
    pages = [body(*(auction(page * 100 + n) for n in range(1, 101))) for page in range(4)]
    await store(database, pages, start=0)
    before, looked_up = await scans(database, more_than=0)
    connection = await asyncpg.connect(database)
    await connection.execute("ANALYZE m26.auction")
    await connection.close()

    await store(database, [body(*(auction(n) for n in range(1, 101)), at=T0 + 60)], start=4)

    after, looked_up_then = await scans(database, more_than=looked_up)
    assert after == before
    assert looked_up_then - looked_up >= 100
