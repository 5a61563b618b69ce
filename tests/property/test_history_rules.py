"""Any observations, in any batches: PostgreSQL has the history that the rules alone give."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import replace

import asyncpg
import pytest
from anyio.from_thread import BlockingPortal
from tests.oracle import reading
from tests.oracle.rules import SECOND, Seen, fold, in_order
from tests.oracle.verdict import judge_history
from tests.support import servers, wire

from m26.embedded.postgres import Postgres
from m26.models import Page, Record
from m26.normalizer import Normalizer
from m26.servertime import Dating
from m26.store.database import Store, opened
from m26.store.load import Loader
from m26.upstream.profile import Profile

_STATUSES = ("active", "active", "active", "active", "ended", "expired", "cancelled")
_LIFE = 3_600


@pytest.fixture(scope="module")
def dsn(portal: BlockingPortal, postgres: Postgres) -> Iterator[str]:
    with servers.fresh_database(portal, postgres) as made:
        yield made


def _observe(rng: random.Random, auction_id: int, request: int, position: int, at: int) -> Seen:
    """Few auctions, few values: states repeat, come back and contradict each other."""
    status, bids = rng.choice(_STATUSES), rng.choice((0, 0, 1, 2))
    bid = 100 + 50 * rng.choice((0, bids))
    left = _LIFE - (at - wire.T0) + rng.choice((0, 0, 3, 5, 6))
    remaining = rng.choice((0, left, 40)) if status == "active" else 0
    return Seen(
        request=request,
        position=position,
        owed=True,
        at=at * SECOND,
        platform="ps5",
        auction_id=auction_id,
        card_id=13522975,
        card_instance_id=auction_id,
        acquired_at=(wire.T0 - 9_000) * SECOND,
        posted_at=(wire.T0 - 8_000) * SECOND,
        seconds_remaining=remaining,
        status=status,
        buyout_price=rng.choice((None, 150, 5000)),
        current_bid=bid,
        next_bid=bid + rng.choice((0, 50)),
        bids=bids,
        median_price=2000,
        min_price=100,
        max_price=20000,
    )


def _pages(rng: random.Random) -> Iterator[list[Seen]]:
    """Replies in request order; now and then one that is older than the one before."""
    at = wire.T0
    for request in range(rng.randint(1, 30)):
        at += rng.choice((0, 3, 10, 30))
        served_at = at - rng.choice((0, 0, 0, 40))
        ids = rng.sample(range(1, 7), rng.randint(1, 6))
        yield [_observe(rng, id_, request, item, served_at) for item, id_ in enumerate(ids)]


def _page(page: list[Seen]) -> Page:
    auctions = (
        wire.auction(
            seen.auction_id,
            bid=seen.current_bid,
            bids=seen.bids,
            nextBid=seen.next_bid,
            buyoutPrice=seen.buyout_price or 0,
            secondsRemaining=seen.seconds_remaining,
            auctionStatus=f"AUCTIONSTATUS_{seen.status.upper()}",
        )
        for seen in page
    )
    return wire.page(wire.body(*auctions, at=page[0].at / SECOND))


def _loader(store: Store, rng: random.Random) -> Loader:
    """A process's, near or far, which holds nothing yet and may have room for very few states."""
    normalizer = Normalizer(Profile.load("madden26").card)
    return Loader(store, normalizer, kept=rng.choice((1, 3, 100)), far=rng.random() < 0.5)


Batch = tuple[str, int, list[list[Seen]]]
"""A journal, the position of the first page in it, and pages."""


def _batches(rng: random.Random, pages: list[list[Seen]]) -> Iterator[Batch]:
    """Batches of any size, of one or two journals that are stored in any order."""
    journals: dict[str, list[list[Seen]]] = {name: [] for name in rng.choice(("a", "ab"))}
    for page in pages:
        journals[rng.choice(sorted(journals))].append(page)
    done = dict.fromkeys(journals, 0)
    while waiting := [name for name, kept in journals.items() if done[name] < len(kept)]:
        name = rng.choice(waiting)
        start = done[name]
        done[name] = rng.randint(start + 1, len(journals[name]))
        yield name, start, journals[name][start : done[name]]


async def _store(dsn: str, batches: list[Batch], rng: random.Random) -> reading.History:
    """By processes that take turns and start anew now and then."""
    async with opened(dsn) as store:
        await store.migrate()
        loaders = [_loader(store, rng) for _ in range(rng.choice((1, 2)))]
        dated = {"a": Dating(), "b": Dating()}  # as pages are when they are received
        for journal, start, pages in batches:
            turn = rng.randrange(len(loaders))
            given = map(dated[journal], map(_page, pages))
            records = [Record(pos, page) for pos, page in enumerate(given, start)]
            await loaders[turn].store(journal, records)
            if rng.random() < 0.3:
                await store.fold_sightings()
            if rng.random() < 0.2:
                loaders[turn] = _loader(store, rng)
    connection = await asyncpg.connect(dsn)
    try:
        return await reading.stored(connection)
    finally:
        await connection.execute(
            "TRUNCATE m26.auction, m26.auction_event, m26.sighting, m26.ingest_cursor;"
            " UPDATE m26.stream_head SET seq = 0"
        )
        await connection.close()


@pytest.mark.parametrize("case", range(25))
def test_the_history_of_any_observations_is_that_of_the_rules(
    dsn: str, seed: int, case: int
) -> None:
    rng = random.Random(f"{seed}/{case}")
    batches = list(_batches(rng, list(_pages(rng))))
    history = asyncio.run(_store(dsn, batches, rng))

    shown: dict[str, list[Seen]] = {"a": [], "b": []}
    stored = ((name, page) for name, _, pages in batches for page in pages)
    for request, (name, page) in enumerate(stored):
        shown[name] += [replace(one, request=request) for one in page]
    dated = (one for part in shown.values() for one in in_order(part))
    seen = sorted(dated, key=lambda one: one.place)
    assert [event for _, event in history.events] == fold(seen)
    verdict = judge_history(seen, history)
    assert verdict, str(verdict)
