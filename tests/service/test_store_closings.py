"""Outcomes that no observation says: one event each in the batch's transaction, near and far."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from tests.support.storing import Process
from tests.support.wire import T0, auction, body

from m26.store.closings import Closing, Inferred
from m26.store.database import opened

pytestmark = pytest.mark.anyio
MICROS = T0 * 1_000_000


def sold(evidence: str, confidence: float, price: int = 300) -> Closing:
    ends = (MICROS, MICROS + 90_000_000, MICROS + 60_000_000)
    return "sold", "bid", evidence, confidence, price, confidence / 2, *ends


def closing(page: int, auction_id: int, evidence: str, confidence: float) -> Inferred:
    return page, "ps5", auction_id, MICROS + 100_000_000, sold(evidence, confidence)


@asynccontextmanager
async def process(dsn: str, *, far: bool = False) -> AsyncIterator[Process]:
    async with opened(dsn) as store:
        await store.migrate()
        connection = await asyncpg.connect(dsn)
        try:
            yield Process(connection, far)
        finally:
            await connection.close()


@pytest.mark.parametrize("far", [False, True])
async def test_a_closing_between_pages_is_one_event_and_the_row_says_the_same(
    database: str, far: bool
) -> None:
    async with process(database, far=far) as at:
        await at.store(body(auction(1), auction(2, bid=200, bids=1)))
        stored = await at.store(
            body(auction(3), at=T0 + 60),
            body(auction(4), at=T0 + 120),
            inferred=[closing(1, 2, "absent", 0.6), closing(2, 3, "relisted", 0.9)],
        )
        assert (stored.seq, stored.kinds["closed"], stored.kinds["listed"]) == (6, 2, 2)
        assert await at.events() == [
            (1, "listed", 1, "active", 100, None, None, 2000, False),
            (2, "listed", 2, "active", 200, None, None, 2000, False),
            (3, "listed", 3, "active", 100, None, None, 2000, False),
            (4, "closed", 2, "active", 200, "sold", "absent", 2000, False),
            (5, "listed", 4, "active", 100, None, None, 2000, False),
            (6, "closed", 3, "active", 100, "sold", "relisted", 2000, False),
        ]
        told = "price_confidence, closed_after, closed_before, closed_at"
        for auction_id, seq, confidence in ((2, 4, 0.6), (3, 6, 0.9)):
            columns = f"outcome, outcome_via, evidence, confidence, final_price, {told}"
            row = await at.row(auction_id, columns)
            assert row == (await at.events(columns))[seq - 1]
            assert row[3:6] == pytest.approx((confidence, 300, confidence / 2))
            assert [t.timestamp() - T0 for t in row[6:]] == [0, 90, 60]
        observed, expires = (await at.events("observed_at, expires_at"))[3]
        assert (observed.timestamp(), expires.timestamp()) == (T0 + 100, T0 + 3600)
        assert await at.connection.fetchval("SELECT seq FROM m26.stream_head") == 6

        # remembered: as strong is nothing, weaker neither, stronger is one more
        stored = await at.store(body(at=T0 + 130), inferred=[closing(0, 3, "relisted", 0.9)])
        assert stored.seq == 6
        stored = await at.store(
            body(at=T0 + 140), inferred=[closing(0, 2, "gap", 1.0), closing(1, 2, "relisted", 0.5)]
        )
        assert (stored.seq, await at.row(2)) == (7, ("sold", "bid", "relisted", 0.5))


@pytest.mark.parametrize("far", [False, True])
async def test_seen_on_offer_again_an_inferred_outcome_is_withdrawn(
    database: str, far: bool
) -> None:
    async with process(database, far=far) as at:
        await at.store(body(auction(1), auction(2)))
        await at.store(body(at=T0 + 60), inferred=[closing(0, 1, "absent", 0.6)])
        await at.store(body(auction(1), auction(2), at=T0 + 120))

        assert (await at.events("kind, auction_id, outcome, evidence, closed_at"))[2:] == [
            ("closed", 1, "sold", "absent", (await at.events("closed_at"))[2][0]),
            ("changed", 1, None, None, None),
        ]
        every = (
            "outcome, outcome_via, evidence, confidence, final_price, price_confidence,"
            " closed_after, closed_before, closed_at"
        )
        assert await at.row(1, every) == (None,) * 9
        assert (await at.store(body(auction(1), at=T0 + 130))).seq == 4


async def test_what_is_rolled_back_is_forgotten_and_what_a_process_does_not_hold_is_read(
    database: str,
) -> None:
    async with process(database) as at:
        await at.store(body(auction(1)), inferred=[closing(1, 1, "absent", 0.6)])
        later = Process(at.connection, far=False, pos={"j": 1})
        await at.connection.execute("ALTER TABLE m26.auction ADD CHECK (current_bid <> 666)")
        with pytest.raises(asyncpg.CheckViolationError):
            await later.store(body(auction(2, bid=666)), inferred=[closing(0, 1, "relisted", 0.9)])
        assert await at.row(1) == ("sold", "bid", "absent", 0.6)
        later.known.reads_back = False  # nothing of the rows may be there: of this one it is
        stored = await later.store(
            body(at=T0 + 60),
            inferred=[closing(0, 1, "absent", 0.5), closing(0, 1, "relisted", 0.9)],
        )
        assert (stored.seq, await at.row(1)) == (3, ("sold", "bid", "relisted", 0.9))
        # an auction that nobody has
        assert (await later.store(body(), inferred=[closing(0, 9, "absent", 0.6)])).seq == 3


async def test_a_row_that_is_refused_costs_no_closing(database: str) -> None:
    async with process(database) as at:
        await at.store(body(*(auction(n) for n in range(1, 5))))
        await at.connection.execute("ALTER TABLE m26.auction ADD CHECK (current_bid <> 666)")
        stored = await at.store(
            body(auction(5), at=T0 + 60),
            body(auction(6, bid=666, bids=1), at=T0 + 61),
            body(auction(7), at=T0 + 62),
            inferred=[closing(page, page + 1, "absent", 0.6) for page in range(4)],
            careful=True,
        )
        assert stored.rejects.total() == 1
        assert [tuple(e) for e in (await at.events("seq, kind, auction_id"))[4:]] == [
            (5, "closed", 1),
            (6, "listed", 5),
            (7, "closed", 2),
            (8, "closed", 3),
            (9, "listed", 7),
            (10, "closed", 4),
        ]


async def test_a_late_observation_looks_past_what_was_inferred(database: str) -> None:
    async with process(database) as at:
        await at.store(body(auction(1)), body(auction(1), at=T0 + 60))
        await at.store(body(at=T0 + 100), inferred=[closing(0, 1, "absent", 0.6)])
        await at.store(body(auction(1, bid=200, bids=1), at=T0 + 30))
        told = await at.events("kind, current_bid, extract(epoch FROM observed_at)::int, late")
        assert [(kind, bid, seen - T0, late) for kind, bid, seen, late in told] == [
            ("listed", 100, 0, False),
            ("closed", 100, 100, False),
            ("bid", 200, 30, True),
            ("changed", 100, 60, True),
        ]
        assert await at.row(1) == ("sold", "bid", "absent", 0.6)
