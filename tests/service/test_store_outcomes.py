"""What became of auctions: bought out, sold to the last bidder, expired, or nobody can tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from tests.support.wire import T0, auction, body, records

from m26.normalizer import Normalizer
from m26.servertime import Dating
from m26.store.database import opened
from m26.store.load import Loader
from m26.upstream.profile import Profile

pytestmark = pytest.mark.anyio
RULES = Profile.load("madden26").card
END = 3_600
"""Seconds after T0 at which the auctions end, as they say while they are active."""
BOUGHT = ("sold", "buyout", "status", 0.98, 5000)
UNKNOWN = ("unknown", None, "status", 0.0, None)
EXPIRED = ("expired", None, "status", 1.0, None)

Seen = tuple[str, int, dict[str, Any]]


def _seen(status: str, at: int, **fields: Any) -> Seen:
    """An observation, `at` seconds after T0."""
    return status, at, fields


LISTED = _seen("ACTIVE", 0)
BIDS = {"bid": 900, "bids": 2}
CASES: dict[str, tuple[list[Seen], tuple[Any, ...]]] = {
    "early": ([LISTED, _seen("ENDED", 99)], BOUGHT),
    "early, with bids": ([LISTED, _seen("ENDED", 99, **BIDS)], BOUGHT),
    "6 s early": ([LISTED, _seen("ENDED", END - 6)], BOUGHT),
    "5 s early": ([LISTED, _seen("ENDED", END - 5)], UNKNOWN),
    "after its time": ([LISTED, _seen("ENDED", END + 1)], UNKNOWN),
    "after its time, with bids": (
        [LISTED, _seen("ACTIVE", 50, **BIDS), _seen("ENDED", END + 1, **BIDS)],
        ("sold", "bid", "status", 1.0, 900),
    ),
    "after its time, the last bid was the buyout price": (
        [LISTED, _seen("ENDED", END + 1, bid=5000, bids=2)],
        ("sold", "buyout", "status", 1.0, 5000),
    ),
    "early, without buyout price": ([LISTED, _seen("ENDED", 99, buyoutPrice=0)], EXPIRED),
    "bids, and no buyout price": (
        [LISTED, _seen("ENDED", END, buyoutPrice=0, **BIDS)],
        ("sold", "bid", "status", 1.0, 900),
    ),
    "never seen active": ([_seen("ENDED", 99)], UNKNOWN),
    "never seen active, with bids": ([_seen("ENDED", 99, **BIDS)], UNKNOWN),
    "never seen active, and ended twice": (
        [_seen("ENDED", 99, **BIDS), _seen("ENDED", 120, bid=950, bids=3)],
        UNKNOWN,
    ),
    "seen before, but never active": (
        [_seen("PAUSED", 0, secondsRemaining=END), _seen("ENDED", 99)],
        UNKNOWN,
    ),
    "ended twice": ([LISTED, _seen("ENDED", 99), _seen("ENDED", END + 9, **BIDS)], BOUGHT),
    "ended, then expired": ([LISTED, _seen("ENDED", 99), _seen("EXPIRED", 120)], EXPIRED),
    "unknown, then expired": ([_seen("ENDED", 99), _seen("EXPIRED", 120)], EXPIRED),
    "the buyout price changed": (
        [LISTED, _seen("ACTIVE", 50, buyoutPrice=4000), _seen("ENDED", 99, buyoutPrice=4000)],
        ("sold", "buyout", "status", 0.98, 4000),
    ),
    "a late bid moved the end": (
        [LISTED, _seen("ACTIVE", 3590, secondsRemaining=60, **BIDS), _seen("ENDED", 3620)],
        BOUGHT,
    ),
    "the end came nearer": (
        [LISTED, _seen("ACTIVE", 50, secondsRemaining=40), _seen("ENDED", 99)],
        UNKNOWN,
    ),
    "clocks differ by some seconds": (
        [LISTED, _seen("ACTIVE", 9, secondsRemaining=END - 5), _seen("ENDED", END - 4)],
        UNKNOWN,
    ),
    "listed again by its old id": (
        [_seen("ENDED", 9), _seen("ACTIVE", 60, secondsRemaining=900), _seen("ENDED", 99)],
        BOUGHT,
    ),
    "set behind another": ([LISTED, _seen("ACTIVE", 3550), _seen("ENDED", 99)], BOUGHT),
    "set behind another, but in time": (
        [LISTED, _seen("ACTIVE", END + 60, secondsRemaining=0), _seen("ENDED", END)],
        UNKNOWN,
    ),
}


def _body(auction_id: int, status: str, at: int, fields: dict[str, Any]) -> bytes:
    left = max(0, END - at) if status == "ACTIVE" else 0
    said = {"auctionStatus": f"AUCTIONSTATUS_{status}", "secondsRemaining": left}
    return body(auction(auction_id, **(said | fields)), at=T0 + at)


async def _outcomes(dsn: str) -> dict[int, tuple[Any, ...]]:
    """Of each auction; its last closed event has to say the same."""
    columns = "auction_id, outcome, outcome_via, evidence, confidence, final_price"
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(f"SELECT {columns} FROM m26.auction")
        events = await connection.fetch(
            f"SELECT {columns} FROM m26.auction_event WHERE kind = 'closed' ORDER BY seq"
        )
    finally:
        await connection.close()
    found = {row["auction_id"]: _plain(row) for row in rows}
    closed = {row["auction_id"]: _plain(row) for row in events}
    assert {id_: found[id_] for id_ in closed} == closed
    return found


def _plain(row: Any) -> tuple[Any, ...]:
    _, outcome, via, evidence, confidence, price = row
    return outcome, via, evidence, confidence if confidence is None else round(confidence, 6), price


@pytest.mark.parametrize("processes", ["one batch", "one process", "restarts"])
async def test_an_auction_that_ended_before_its_time_was_bought_out_and_no_other(
    database: str, processes: str
) -> None:
    bodies = [_body(id_, *one) for id_, (seen, _) in enumerate(CASES.values(), 1) for one in seen]
    dated = Dating()  # as they are when they are received
    pages = [replace(r, page=dated(r.page)) for r in records(*bodies) if r.page]
    async with opened(database) as store:
        await store.migrate()
        loader = Loader(store, Normalizer(RULES))
        size = len(bodies) if processes == "one batch" else 1
        for pos in range(0, len(bodies), size):
            if processes == "restarts":
                loader = Loader(store, Normalizer(RULES))
            await loader.store("j", pages[pos : pos + size])
    found = await _outcomes(database)

    assert {name: found[id_] for id_, name in enumerate(CASES, 1)} == {
        name: outcome for name, (_, outcome) in CASES.items()
    }
