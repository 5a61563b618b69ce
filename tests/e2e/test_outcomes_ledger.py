"""A day and a half of the simulator's market, looked at now and then: labels against its ledger."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path
from random import Random

import asyncpg
import pytest
from tests.support.trading import SEARCH, batches, record

from m26.models import Record
from m26.normalizer import Normalizer
from m26.sim import replies
from m26.sim.behaviour import variant
from m26.sim.cards import Deck
from m26.sim.ledger import Ledger
from m26.sim.market import Market
from m26.sim.records import Truth
from m26.sim.tempo import Tempo
from m26.store.database import opened
from m26.store.load import Loader
from m26.upstream.profile import Profile

pytestmark = pytest.mark.anyio
_START = 1_790_000_000
_STEP = 120
_HOURS = 36
_SURE = """
SELECT auction_id, outcome, outcome_via, final_price, evidence FROM m26.auction
WHERE confidence >= 0.9 AND coalesce(price_confidence, 1) >= 0.9"""


def looked_at(market: Market, seed: int) -> Iterator[Record]:
    """Pages and refreshes of a collector without a plan."""
    draw, seen = Random(seed), dict[int, float]()
    for number in range(_HOURS * 3600 // _STEP):
        now = _START + number * _STEP
        market.advance(now)
        over = [each for each, end in seen.items() if end < now]
        if number % 3 == 2 and seen:
            ids = [*over[:40], *draw.sample(sorted(seen), min(len(seen), 10))]
            query, found = {"auctionIdList": ids}, list(market.find(ids))
            if market.behaviour.ended == "omitted":
                found = [each for each in found if each.ended is None]
            for each in over[:40]:
                del seen[each]
        else:
            offset = draw.choice((0, 0, 0, 50, 150))
            query, found = {**SEARCH, "offset": offset, "count": 100}, market.search(offset, 100)
            seen |= {each.id: now + each.seconds_remaining(now) for each in found}
        reply = replies.auctions(
            "Mobile_SearchAuctions",
            [market.render(each, now) for each in found],
            shown=array("q", [each.state.state_id for each in found]),
            now=now,
            cached=0,
        )
        yield record(number, query, reply.body, now - _START, platform="sim")


@pytest.mark.parametrize(("name", "least"), [("default", 300), ("ended-omitted", 60)])
async def test_what_is_labelled_sure_is_right(
    database: str, tmp_path: Path, name: str, least: int
) -> None:
    with Ledger(tmp_path / "ledger") as ledger:
        market = Market(
            "sim",
            Deck(7, size=60),
            ledger,
            Tempo(size=400, speed=1.0, mix="thirds"),
            now=_START,
            behaviour=variant(name),
        )
        given = list(looked_at(market, seed=5))
    with Ledger.open_readonly(tmp_path / "ledger") as reader:
        truths = {truth.listing.auction_id: truth for truth in reader.truths()}
    connection = await asyncpg.connect(database)
    try:
        async with opened(database) as store:
            await store.migrate()
            loader = Loader(store, Normalizer(Profile.load("sim").card))
            for batch in batches(given, 24):
                await loader.store("j", batch)
        sure = [tuple(row) for row in await connection.fetch(_SURE)]
    finally:
        await connection.close()
    wrong = [row for row in sure if not is_right(row, truths.get(row[0]))]
    assert len(sure) >= least
    assert len(wrong) <= 0.03 * len(sure) * (name != "default"), wrong


def is_right(row: tuple[object, ...], truth: Truth | None) -> bool:
    _, outcome, _, price, _ = row
    return truth is not None and (outcome, price) == (truth.outcome, truth.final_price)
