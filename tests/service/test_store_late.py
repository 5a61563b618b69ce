"""What another collector has overtaken: several parts in one database, committed in any order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import pytest
from tests.support.wire import T0, auction, body, page, records

from m26 import peek
from m26.models import Record
from m26.normalizer import Normalizer
from m26.status.metrics import Metrics
from m26.store.batch import CursorMovedError
from m26.store.corrections import Corrections
from m26.store.database import Store, opened
from m26.store.load import Loader
from m26.upstream.profile import Profile

pytestmark = pytest.mark.anyio
RULES = Profile.load("madden26").card
ENDED = {"auctionStatus": "AUCTIONSTATUS_ENDED", "secondsRemaining": 0}
SWEEP = T0 * 1_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """A migrated database, near or far, and a connection of its own for looking."""

    store: Store
    connection: asyncpg.Connection[Any]
    far: bool

    def home(self) -> Loader:
        """The loader of a process that has just started."""
        return Loader(self.store, Normalizer(RULES), far=self.far)

    async def history(self, auction_id: int = 7) -> list[tuple[Any, ...]]:
        """Seconds, bids, kind and whether it came late of each event, in the order of time."""
        rows = await self.connection.fetch(
            "SELECT * FROM m26.auction_event WHERE auction_id = $1 ORDER BY observed_at, seq",
            auction_id,
        )
        return [
            (row["observed_at"].timestamp() - T0, row["bids"], row["kind"], row.get("late", False))
            for row in rows
        ]

    async def row(self) -> asyncpg.Record:
        found: asyncpg.Record = await self.connection.fetchrow(
            "SELECT * FROM m26.auction WHERE auction_id = 7"
        )
        return found

    async def numbers(self) -> list[int]:
        rows = await self.connection.fetch("SELECT seq FROM m26.auction_event ORDER BY seq")
        return [row["seq"] for row in rows]


@pytest.fixture(params=[False, True], ids=["near", "far"])
async def place(database: str, request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    async with opened(database) as store:
        await store.migrate()
        connection = await asyncpg.connect(database)
        try:
            yield Place(store, connection, far=request.param)
        finally:
            await connection.close()


def seen(at: int, bids: int, **fields: Any) -> bytes:
    """Auction 7 with so many bids, as a reply shows it `at` seconds after the first."""
    left = {"secondsRemaining": 3600 - at, **fields}
    return body(auction(7, bid=100 + 50 * bids, bids=bids, **left), at=T0 + at)


def timed(records: list[Record]) -> list[Record]:
    """With times that were decided before, as of what is retried: these may stand in any order."""
    pages = [record.page for record in records]
    times = [peek(page.body).response_time for page in pages if page is not None]
    return [
        Record(record.pos, replace(page, served_at=at, observed_at=at))
        for record, page, at in zip(records, pages, times, strict=True)
        if page is not None and at is not None
    ]


async def test_a_state_that_only_the_home_that_was_away_saw_is_an_event(place: Place) -> None:
    here, away = place.home(), place.home()
    await here.store("a", records(seen(0, 0), seen(60, 2)))
    before = await place.row()
    stored = await away.store("b", records(seen(10, 0), seen(30, 1), sweep=SWEEP))

    assert await place.history() == [
        (0, 0, "listed", False),
        (30, 1, "bid", True),
        (60, 2, "bid", False),
    ]
    assert (stored.late, stored.changed, stored.unchanged, stored.kinds["bid"]) == (1, 0, 1, 1)
    assert await place.row() == before
    sweep = await place.connection.fetchrow("SELECT * FROM m26.sweep")
    assert (sweep["seen"], sweep["changed"], sweep["late"]) == (2, 0, 1)


async def test_a_state_is_dated_by_its_first_sight_whoever_stores_first(place: Place) -> None:
    here, away = place.home(), place.home()
    await here.store("a", records(seen(0, 0), seen(60, 1)))
    before = await place.row()
    stored = await away.store("b", timed(records(seen(30, 1), seen(20, 1))))

    assert await place.history() == [(0, 0, "listed", False), (20, 1, "bid", False)]
    assert (stored.late, stored.unchanged, stored.seq) == (0, 2, 2)
    assert await place.row() == before


async def test_an_auction_that_was_listed_before_its_first_stored_sight_is_listed_then(
    place: Place,
) -> None:
    here, away = place.home(), place.home()
    await here.store("a", records(seen(60, 1)))
    await away.store("b", records(seen(10, 0), seen(40, 1)))

    assert await place.history() == [(10, 0, "listed", True), (40, 1, "listed", False)]
    row = await place.row()
    assert row["first_seen"].timestamp() == T0 + 10
    assert (row["bids"], row["observed_at"].timestamp()) == (1, T0 + 60)


async def test_an_end_that_was_overtaken_is_told_without_an_outcome(place: Place) -> None:
    here, away = place.home(), place.home()
    await here.store("a", records(seen(0, 1), seen(90, 3)))
    await away.store("b", records(seen(50, 2, **ENDED)))

    assert await place.history() == [
        (0, 1, "listed", False),
        (50, 2, "changed", True),
        (90, 3, "bid", False),
    ]
    late = (await place.connection.fetch("SELECT * FROM m26.auction_event ORDER BY seq"))[-1]
    assert (late["status"], late["outcome"], late["final_price"]) == ("ended", None, None)
    assert late["expires_at"].timestamp() == T0 + 3600  # as was known then
    assert (await place.row())["outcome"] is None


async def test_the_same_late_state_of_two_homes_is_one_event(place: Place) -> None:
    here = place.home()
    await here.store("a", records(seen(0, 0), seen(60, 2)))
    for part, at in (("b", 30), ("c", 35), ("d", 20)):
        await place.home().store(part, records(seen(at, 1)))

    assert await place.history() == [
        (0, 0, "listed", False),
        (20, 1, "bid", True),
        (60, 2, "bid", False),
    ]


async def test_a_late_batch_that_is_offered_again_adds_nothing(place: Place) -> None:
    here, away = place.home(), place.home()
    await here.store("a", records(seen(0, 0), seen(60, 2)))
    batch = records(seen(30, 1), seen(40, 0))
    await away.store("b", batch)
    told = await place.history()
    with pytest.raises(CursorMovedError):
        await away.store("b", batch)
    await place.home().store("the same capture, in another file", batch)

    assert len(told) == 4
    assert await place.history() == told
    assert await place.numbers() == [1, 2, 3, 4]


async def test_an_older_capture_that_is_replayed_after_live_tells_what_live_did_not_see(
    place: Place,
) -> None:
    live = place.home()
    await live.store("live", records(seen(100, 3)))
    await place.store.fold_sightings()
    await place.home().store("file:1", records(seen(0, 0), seen(5, 1), seen(9, 1), seen(99, 2)))
    await live.store("live", records(seen(120, 4), start=1))

    assert await place.history() == [
        (0, 0, "listed", True),
        (5, 1, "bid", True),
        (99, 2, "bid", True),
        (100, 3, "listed", False),
        (120, 4, "bid", False),
    ]


async def test_two_accounts_of_one_home_lose_no_state_of_each_other(place: Place) -> None:
    first, second = place.home(), place.home()
    await first.store("a", records(seen(0, 0), seen(20, 2), seen(40, 4)))
    await second.store("b", records(seen(10, 1), seen(30, 3), seen(50, 5)))
    await first.store("a", records(seen(60, 6), start=3))

    assert [(at, bids) for at, bids, *_ in await place.history()] == [
        (at, at // 10) for at in range(0, 70, 10)
    ]
    assert await place.numbers() == list(range(1, 8))


async def test_a_state_that_a_late_one_interrupts_is_told_again(place: Place) -> None:
    here = place.home()
    await here.store("a", records(seen(0, 0), seen(60, 0)))
    stored = await place.home().store("b", records(seen(30, 1)))

    assert await place.history() == [
        (0, 0, "listed", False),
        (30, 1, "bid", True),
        (60, 0, "changed", True),
    ]
    assert (stored.late, stored.seq, stored.kinds.total()) == (1, 3, 2)
    await place.home().store("c", records(seen(45, 0)))
    assert (await place.history())[-1] == (45, 0, "changed", True)


async def test_what_a_process_knows_stays_what_the_table_says(place: Place) -> None:
    here = place.home()
    await here.store("a", records(seen(0, 0), seen(60, 2)))
    await here.store("a", timed(records(seen(30, 1), start=2)))
    known = await here.store("a", records(seen(70, 2), seen(80, 2), start=3))
    anew = await place.home().store("a", records(seen(90, 2), start=5))

    assert (known.unchanged, anew.unchanged) == (2, 1)
    assert len(await place.numbers()) == 3


async def test_an_end_is_judged_by_what_the_row_has_learned_whatever_came_late(
    place: Place,
) -> None:
    """Seen active by a late sight alone: memory and table must not differ on it."""
    batches = [records(seen(60, 2, **ENDED)), records(seen(30, 2)), records(seen(70, 3, **ENDED))]
    here = place.home()
    for part, batch in zip("abc", batches, strict=True):
        await here.store(part, batch)
    kept = await place.row()
    await place.connection.execute(
        "TRUNCATE m26.auction, m26.auction_event, m26.sighting, m26.ingest_cursor;"
        " UPDATE m26.stream_head SET seq = 0"
    )
    for part, batch in zip("abc", batches, strict=True):
        await place.home().store(part, batch)

    assert await place.row() == kept
    assert kept["outcome"] == "unknown"


async def test_an_outcome_of_an_older_rule_is_not_corrected_by_a_late_sight(place: Place) -> None:
    here = place.home()
    await here.store("a", records(seen(0, 0), seen(3700, 0, **ENDED)))
    await here.store("a", records(body(auction(8)), start=2))
    await place.home().store("b", records(seen(20, 1, **ENDED)))
    before = await place.row()
    made = Corrections(place.store, committed=lambda: None, metrics=Metrics(), pause=0)
    await made.run()

    assert (before["outcome"], made.corrected) == ("unknown", 0)
    assert await place.row() == before


async def test_a_late_row_that_is_refused_costs_only_itself(place: Place) -> None:
    await place.connection.execute(
        "ALTER TABLE m26.auction_event ADD CHECK (buyout_price <> 666 AND auction_id < 9)"
    )
    here = place.home()
    await here.store("a", records(body(*(auction(n) for n in range(1, 9)), at=T0 + 60)))
    late = [
        auction(n, bid=50, buyoutPrice=666 if n == 3 else 4000, secondsRemaining=3590)
        for n in range(1, 9)
    ]
    stored = await place.home().store("b", records(body(*late, auction(9), at=T0 + 10)))

    assert (stored.late, stored.rejects) == (7, {"auction_refused": 2})
    for auction_id in range(1, 9):
        told = [(at, kind) for at, _, kind, _ in await place.history(auction_id)]
        assert told == [(10, "listed")] * (auction_id != 3) + [(60, "listed")]


async def test_late_states_of_many_auctions_in_one_batch(place: Place) -> None:
    """Interleaved, out of order, and beside what is new."""
    ids = range(1, 40)

    def shown(at: int, bids: int) -> Record:
        auctions = (auction(n, bid=100 + bids, bids=bids, secondsRemaining=3600 - at) for n in ids)
        return Record(0, page(body(*auctions, at=T0 + at)))

    def batch(*pages: tuple[int, int], start: int = 0) -> list[Record]:
        return [Record(start + n, shown(*each).page) for n, each in enumerate(pages)]

    await place.home().store("a", batch((0, 0), (50, 5)))
    stored = await place.home().store(
        "b", timed(batch((40, 4), (10, 1), (60, 6), (30, 3), (20, 2)))
    )

    assert (stored.late, stored.changed, stored.new) == (4 * len(ids), len(ids), 0)
    for auction_id in ids:
        told = [(at, bids) for at, bids, *_ in await place.history(auction_id)]
        assert told == [(10 * n, n) for n in range(7)]
    assert await place.numbers() == list(range(1, 7 * len(ids) + 1))
