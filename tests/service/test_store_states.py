"""Committed states that a process keeps: when they hold, and what a rival or a restart does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson
import pytest
from tests.support.wire import T0, auction, body, card, records

from m26.normalizer import Normalizer
from m26.store.database import Store, opened
from m26.store.load import Loader
from m26.upstream.profile import Profile

pytestmark = pytest.mark.anyio
RULES = Profile.load("madden26").card


@dataclass(frozen=True, slots=True)
class Place:
    """A migrated database, and a connection of its own for looking."""

    store: Store
    connection: asyncpg.Connection[Any]

    def process(self) -> Loader:
        """The loader of a process that has just started."""
        return Loader(self.store, Normalizer(RULES))

    async def kinds(self) -> list[tuple[int, str]]:
        """Auction and kind of each event, in order."""
        rows = await self.connection.fetch("SELECT * FROM m26.auction_event ORDER BY seq")
        return [(row["auction_id"], row["kind"]) for row in rows]


@pytest.fixture
async def place(database: str) -> AsyncIterator[Place]:
    async with opened(database) as store, looking(database) as connection:
        await store.migrate()
        yield Place(store, connection)


@asynccontextmanager
async def looking(dsn: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def test_a_process_that_starts_anew_knows_an_auction_from_the_table(place: Place) -> None:
    await place.process().store("j", records(body(auction(7))))
    stored = await place.process().store(
        "j", records(body(auction(7, bid=150, bids=1), auction(8), at=T0 + 60), start=1)
    )

    assert (stored.new, stored.changed) == (1, 1)
    assert await place.kinds() == [(7, "listed"), (7, "bid"), (8, "listed")]


async def test_an_old_auction_among_new_ones_is_found_when_its_row_is_in_the_way(
    place: Place,
) -> None:
    await place.process().store("j", records(body(auction(7))))
    loader = place.process()
    await loader.store("j", records(body(auction(8), at=T0 + 1), start=1))  # finds none to read
    stored = await loader.store(
        "j", records(body(auction(9), auction(7, bid=150, bids=1), at=T0 + 2), start=2)
    )

    assert (stored.new, stored.changed, stored.rejects.total()) == (1, 1, 0)
    assert await place.kinds() == [(7, "listed"), (8, "listed"), (9, "listed"), (7, "bid")]
    assert await place.connection.fetchval("SELECT seq FROM m26.stream_head") == 4


async def test_a_state_that_a_rival_changed_is_not_taken_for_the_old_one(place: Place) -> None:
    mine, rival = place.process(), place.process()
    await mine.store("j", records(body(auction(7))))
    await rival.store("r", records(body(auction(7, buyoutPrice=4000), at=T0 + 1)))
    await mine.store("j", records(body(auction(7), at=T0 + 2), start=1))

    assert await place.kinds() == [(7, "listed"), (7, "changed"), (7, "changed")]


async def test_a_rival_that_only_saw_an_auction_makes_an_older_observation_late(
    place: Place,
) -> None:
    mine, rival = place.process(), place.process()
    await mine.store("j", records(body(auction(7))))
    await rival.store("r", records(body(auction(7), at=T0 + 60)))  # no event: the head stays 1
    stored = await mine.store("j", records(body(auction(7, bid=150, bids=1), at=T0 + 30), start=1))

    assert (stored.late, stored.changed) == (1, 0)
    assert await place.kinds() == [(7, "listed"), (7, "bid"), (7, "changed")]  # back at 60 s


async def test_a_batch_that_was_taken_back_leaves_no_state_behind(place: Place) -> None:
    loader = place.process()
    await loader.store("j", records(body(auction(7))))
    await place.connection.execute(
        "ALTER TABLE m26.sighting RENAME TO hidden"  # the last COPY of a batch fails
    )
    with pytest.raises(asyncpg.UndefinedTableError):
        await loader.store(
            "j", records(body(auction(7, bid=150, bids=1), auction(8), at=T0 + 1), start=1)
        )
    await place.connection.execute("ALTER TABLE m26.hidden RENAME TO sighting")
    stored = await loader.store(
        "j", records(body(auction(7, bid=150, bids=1), auction(8), at=T0 + 1), start=1)
    )

    assert (stored.new, stored.changed) == (1, 1)
    assert await place.kinds() == [(7, "listed"), (7, "bid"), (8, "listed")]


async def test_a_card_that_is_stored_is_not_sent_again_by_the_next_process(place: Place) -> None:
    await place.process().store("j", records(body(auction(7))))
    await place.connection.execute(
        "CREATE RULE watched AS ON INSERT TO m26.card DO INSTEAD NOTHING"  # COPY refuses rules
    )
    other = auction(8, card=card(instance=8))
    stored = await place.process().store("j", records(body(other, at=T0 + 1), start=1))

    assert (stored.new, stored.rejects.total()) == (1, 0)


async def test_batches_that_are_read_before_the_one_ahead_is_stored_come_to_the_same(
    place: Place,
) -> None:
    loader = place.process()
    first = await loader.prepare("j", records(body(auction(7))))
    second = await loader.prepare(
        "j", records(body(auction(7, bid=150, bids=1), at=T0 + 1), start=1)
    )
    await loader.commit(first)
    stored = await loader.commit(second)

    assert (stored.new, stored.changed, stored.pos) == (0, 1, 2)
    assert await place.connection.fetchval("SELECT count(*) FROM m26.card") == 1


async def test_an_outcome_stays_when_a_later_batch_only_moves_the_state(place: Place) -> None:
    end = auction(7, bids=2, bid=900) | {"auctionStatus": "AUCTIONSTATUS_ENDED"}
    loader = place.process()
    begin = body(auction(7, bids=2, bid=900, secondsRemaining=0), at=T0 - 1)
    await loader.store("j", records(begin, body(end | {"secondsRemaining": 0})))
    await loader.store("j", records(body(auction(7, bids=3, bid=950), at=T0 + 5), start=2))

    row = await place.connection.fetchrow("SELECT * FROM m26.auction")
    assert (row["outcome"], row["outcome_via"], row["final_price"]) == ("sold", "bid", 900)
    assert (row["status"], row["bids"]) == ("active", 3)
    assert await place.kinds() == [(7, "listed"), (7, "closed"), (7, "changed")]


async def test_a_changed_row_that_is_refused_costs_only_itself(place: Place, seed: int) -> None:
    bad = 1 + seed % 40
    loader = place.process()
    await loader.store("j", records(body(*(auction(n) for n in range(1, 41)))))
    await place.connection.execute("ALTER TABLE m26.auction ADD CHECK (buyout_price <> 666)")
    changed = [auction(n, buyoutPrice=666 if n == bad else 4000) for n in range(1, 41)]
    stored = await loader.store("j", records(body(*changed, at=T0 + 5), start=1))

    assert (stored.changed, stored.rejects) == (39, {"auction_refused": 1})
    prices = await place.connection.fetch("SELECT auction_id, buyout_price FROM m26.auction")
    assert {row["auction_id"]: row["buyout_price"] for row in prices} == {
        n: 5000 if n == bad else 4000 for n in range(1, 41)
    }


async def test_a_card_that_cannot_be_stored_as_it_is_costs_no_auction_and_is_told_once(
    place: Place,
) -> None:
    odd = auction(7, card=card(1, description="a\0b", novelty=2**64 - 1))
    page = body(odd, auction(8))
    for process, start in enumerate((0, 1)):  # the second one has just started
        stored = await place.process().store("j", records(page, start=start))
        assert (stored.new, stored.rejects.total()) == ((2, 1), (0, 0))[process]

    assert await place.kinds() == [(7, "listed"), (8, "listed")]
    seen = await place.connection.fetchrow(
        "SELECT c.* FROM m26.auction AS a JOIN m26.card AS c"
        " ON (c.card_id, c.version) = (a.card_id, a.card_version) WHERE a.auction_id = 7"
    )
    assert seen is not None
    assert (seen["name"], seen["overall"]) == ("Drew Sanders", 82)
    attributes = orjson.loads(seen["attributes"])
    assert (attributes["description"], attributes["novelty"]) == ("a\ufffdb", 2**64 - 1)
    (kept,) = await place.connection.fetch("SELECT * FROM m26.reject")
    assert (kept["item"], kept["reason"]) == (0, "card_mended")
    assert kept["raw"] == page[kept["byte_from"] : kept["byte_to"]]
    drift = await place.connection.fetch("SELECT path, kind FROM m26.drift")
    assert ("card.description", "unusable") in map(tuple, drift)
