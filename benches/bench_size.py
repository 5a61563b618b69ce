"""Bytes on disk: what an auction, an event and a card come to, and a page in the journal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import asyncpg
import orjson
from anyio.from_thread import BlockingPortal
from benches import bars, databases, figures
from benches.bars import TIMES
from benches.figures import Figure
from benches.live import journal_in
from benches.pages import BATCH, PER_PAGE, RULES, START, Lot, Market, page, records
from benches.stores import PART
from pytest_benchmark.fixture import BenchmarkFixture

from m26.normalizer import Normalizer
from m26.store.database import Store, opened
from m26.store.load import Loader

AUCTIONS = BATCH * PER_PAGE
FOLDED_EVERY = 600
"""Seconds of market time of a step: m26 folds its sightings that often."""
USUAL = """
CREATE TABLE usual (
    auction_id bigint PRIMARY KEY, auction jsonb NOT NULL, card jsonb NOT NULL)"""
USUAL_SIZE = "SELECT pg_total_relation_size('usual')"


async def grown(dsn: str, *, steps: int) -> tuple[dict[str, int], int, int]:
    """A market of some hours: bytes of each table, auctions, and events.

    In every step a batch of auctions is new, those of the step before it have all got a bid, half
    of those before that another one, and older ones are seen unchanged: 2.5 events for each auction
    at the end.
    """
    market = Market()
    async with opened(dsn) as store:
        await store.migrate()
        loader = Loader(store, Normalizer(RULES))
        pos = rewritten = auctions = 0
        listed: list[list[Lot]] = []
        for step in range(steps + 3):
            at = START + FOLDED_EVERY * step
            seen: list[Sequence[Lot]] = []
            if step < steps:
                listed.append(market.lots(AUCTIONS, at=at))
                seen.append(listed[-1])
            for ago, share in ((1, 1.0), (2, 0.5), (3, 0.0)):
                if 0 <= step - ago < steps:
                    listed[step - ago] = market.bid(listed[step - ago], share=share)
                    seen.append(listed[step - ago])
            for lots in seen:
                batch = records(market.pages(lots, at=at), start=pos)
                stored = await loader.store(PART, batch)
                pos, rewritten = stored.pos, rewritten + stored.changed
                auctions += stored.new
            await store.fold_sightings()
            if rewritten > auctions / 5:  # as autovacuum does, which takes its time to look
                await databases.execute(dsn, "VACUUM m26.auction")
                rewritten = 0
        return await _sizes(store, dsn), auctions, await store.head()


async def _sizes(store: Store, dsn: str) -> dict[str, int]:
    await databases.execute(dsn, "ANALYZE")
    return {each.table: each.bytes for each in (await store.sizes(timedelta(days=400))).tables}


async def usual(dsn: str, pages: Sequence[bytes]) -> float:
    """Bytes of an auction in a table with its JSON and its card's in two JSONB columns."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(USUAL)
        shown = [
            auction
            for body in pages
            for auction in orjson.loads(body)["responseInfo"]["value"]["details"]
        ]
        rows = [
            (each["auctionId"], orjson.dumps(each).decode(), orjson.dumps(each["card"]).decode())
            for each in shown
        ]
        await connection.copy_records_to_table("usual", records=rows)
        return float(await connection.fetchval(USUAL_SIZE)) / len(rows)
    finally:
        await connection.close()


def test_bytes_on_disk(
    benchmark: BenchmarkFixture, portal: BlockingPortal, database: str, smoke: bool
) -> None:
    measure = partial(portal.call, partial(grown, database, steps=2 if smoke else 12))
    sizes, auctions, events = benchmark.pedantic(measure, rounds=1)
    columns = portal.call(usual, database, Market(first_id=10**9).batch(pages=5))
    cards = portal.call(databases.row, database, "SELECT count(*) FROM m26.card")[0]
    an_auction = (sizes["auction"] + sizes["auction_event"] + sizes["sighting"]) / auctions
    assert events == 2.5 * auctions
    figures.note(
        benchmark,
        title="Bytes on disk",
        note=f"{auctions:,} auctions at {events / auctions} events each, stored step by step with "
        "indexes, sightings folded, vacuumed when a fifth of the rows is dead. Beside it the usual "
        "table: an auction's JSON and its card's in two JSONB columns, with its key.",
        figures=[
            Figure("an auction with its events", an_auction, "bytes"),
            Figure("its current state", sizes["auction"] / auctions, "bytes"),
            Figure("one event", sizes["auction_event"] / events, "bytes"),
            Figure("one card, stored once", sizes["card"] / cards, "bytes"),
            Figure("an auction in two JSONB columns", columns, "bytes"),
            Figure(
                "an auction with its events, so many times smaller",
                columns / an_auction,
                TIMES,
                at_least=15,
                id="P6",
                against="its JSON in two JSONB columns",
                tolerance=bars.SIZE,
            ),
        ],
    )


def test_bytes_in_the_journal(benchmark: BenchmarkFixture, tmp_path: Path, smoke: bool) -> None:
    bodies = Market().batch(pages=20 if smoke else 100)

    def keep() -> float:
        with journal_in(tmp_path / "journal") as journal:
            for body in bodies:
                journal.append(page(body))
            return journal.size / len(bodies)

    kept = benchmark.pedantic(keep, rounds=1)
    raw = sum(map(len, bodies)) / len(bodies)
    figures.note(
        benchmark,
        title="Bytes in the journal",
        note=f"{len(bodies)} pages of {PER_PAGE} fresh auctions.",
        figures=[
            Figure("a page as received", raw, "bytes"),
            Figure("a page in the journal", kept, "bytes"),
            Figure(
                "a page in the journal, so many times smaller",
                raw / kept,
                TIMES,
                at_least=15,
                id="P6",
                against="the page as received",
                tolerance=bars.SIZE,
            ),
        ],
    )
