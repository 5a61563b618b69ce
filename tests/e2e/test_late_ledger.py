"""Homes that overtake each other, against the simulator's ledger in the order it served."""

from __future__ import annotations

import random
from array import array
from collections import defaultdict
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from tests.oracle import reading
from tests.oracle.order import judge_order
from tests.oracle.trial import require
from tests.oracle.verdict import judge_stream
from tests.support.wire import page

from m26.models import Page, Record
from m26.normalizer import Normalizer
from m26.publish.client import connect
from m26.publish.relay import Relay
from m26.sim import replies
from m26.sim.behaviour import variant
from m26.sim.cards import Deck
from m26.sim.ledger import Ledger
from m26.sim.market import Market
from m26.sim.records import Request
from m26.sim.tempo import Tempo
from m26.status.telemetry import Telemetry
from m26.store.database import Store, opened
from m26.store.load import Loader
from m26.upstream.profile import Profile
from m26.wake import Wake

pytestmark = pytest.mark.anyio
_START = 1_790_000_000.0
_SEARCH = "Mobile_SearchAuctions"
_HOMES = ("near", "far", "second account")


def _served(path: Path, rng: random.Random) -> Iterator[tuple[str, Page]]:
    """A lively market, seen by several accounts in turn: whose page, and the page."""
    deck = Deck(7, size=30)
    with Ledger(path) as ledger:
        ledger.fact("seed", deck.seed)
        market = Market(
            "sim",
            deck,
            ledger,
            Tempo(size=60, speed=864, activity=8.0),
            now=_START,
            behaviour=variant("demo"),
        )
        for number in range(150):
            now = _START + 3 * number
            market.advance(now)
            listed = market.search(0, 100)
            found = rng.sample(listed, k=min(40, len(listed)))
            reply = replies.auctions(
                _SEARCH,
                [market.render(auction, int(now)) for auction in found],
                shown=array("q", [auction.state.state_id for auction in found]),
                now=int(now),
                cached=0,
            )
            request = Request(
                at=now,
                connection=1,
                account="demo",
                platform="sim",
                kind="process",
                status=200,
                answer="ok",
                response_time=reply.response_time,
            )
            ledger.record(request, reply.shown)
            yield rng.choice(_HOMES), page(reply.body, platform="sim")


def _loader(store: Store, home: str) -> Loader:
    return Loader(store, Normalizer(Profile.load("sim").card), far=home == "far")


async def test_no_state_is_missing_none_is_doubled_and_each_is_dated_by_its_first_sight(
    tmp_path: Path, database: str, redis_url: str, seed: int
) -> None:
    """One home is away for 40 s, one stores some pages late, and each starts anew now and then.

    Then captures of everything are replayed, as one part and in the order served.
    """
    rng = random.Random(seed)
    ledger = tmp_path / "ledger.db"
    served = list(_served(ledger, rng))
    journals: dict[str, list[Record]] = defaultdict(list)
    stored = dict.fromkeys(_HOMES, 0)
    async with opened(database) as store, aclosing(connect(redis_url)) as redis:
        await store.migrate()
        loaders = {home: _loader(store, home) for home in _HOMES}

        async def store_up(home: str) -> None:
            records = journals[home][stored[home] :]
            while records:
                batch, records = records[:7], records[7:]
                stored[home] = (await loaders[home].store(home, batch)).pos

        def relay() -> Relay:
            return Relay(redis, store, maxlen=10**6, wake=Wake(), telemetry=Telemetry())

        for number, (home, each) in enumerate(served):
            journals[home].append(Record(len(journals[home]), each))
            if (home == "far" and 40 <= number < 80) or rng.random() < 0.3:
                continue
            await store_up(home)
            if rng.random() < 0.1:
                loaders[home] = _loader(store, home)
                await store.fold_sightings()
                await relay().catch_up()
        for home in _HOMES:
            await store_up(home)
        await relay().catch_up()
        history = await reading.history(database, redis_url)
        seen = reading.observations(ledger)
        require(judge_order(seen, history), judge_stream(history))
        assert sum(event.late for _, event in history.events) > 20

        whole = [Record(pos, each) for pos, (_, each) in enumerate(served)]
        for start in range(0, len(whole), 16):
            came = await _loader(store, "near").store("file:all", whole[start : start + 16])
            assert (came.late, came.new, came.changed) == (0, 0, 0)
        assert (await reading.history(database, redis_url)).events == history.events
