"""What a batch changes, over the boundary and into a real PostgreSQL."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from tests.support.wire import T0, auction, body

from m26 import _native
from m26._native import Batch, Delta, States

PART = "0b8e7d0e-6a2a-4b61-9d36-1c1f6a2d8a11"
MICROS = T0 * 1_000_000
OUTCOME = ("outcome", "evidence")
SOLD = ("sold", "bid", "relisted", 0.9, 300, 0.5, MICROS, MICROS + 9, MICROS + 5)


def read(*pages: bytes, platform: str = "ps5") -> Batch:
    native = _native.Normalizer(per_copy=["cardInstanceId"], positions={})
    count = len(pages)
    return native.normalize(pages, platforms=[platform] * count, fetched_at=[0] * count)


def derive(states: States, batch: Batch, head: int = 0) -> Delta:
    pages, rows = batch.counts["pages"], batch.counts["auctions"]
    return states.derive(batch, 0, rows, head=head, part=PART, positions=range(pages))


def held(batch: Batch, **fields: Any) -> tuple[Any, ...]:
    """The committed state that the batch's only row would give."""
    names = [name for name, _ in _native.AUCTION_COLUMNS]
    row: dict[str, Any] = dict(zip(names, batch.rows()[0], strict=True))
    row |= {"confidence": None, "newest": row["observed_at"]}
    row |= {"price_confidence": None, "closed_after": None, "was_active": True} | fields
    is_closed = row["confidence"] is not None
    outcome = ("sold", "status") if is_closed else (None, None)
    row |= dict(zip(OUTCOME, outcome, strict=True))
    return tuple(row[name] for name, _ in _native.STATE_COLUMNS)


def test_states_become_committed_by_accept_and_commit() -> None:
    states, batch = States(capacity=10), read(body(auction(1), auction(2)), body(auction(2)))
    assert states.unheld(batch, 0, 3) == [("ps5", 1), ("ps5", 2)]
    delta = derive(states, batch, head=5)
    assert (delta.events.rows, delta.listed.rows, delta.rewritten.rows) == (2, 2, 0)
    assert delta.sightings.rows == 2
    assert delta.pages == [(0, 2, 2, 0, 0, 2, 0, 0, 2), (1, 1, 0, 0, 0, 0, 0, 0, 0)]
    states.accept(delta)
    assert (len(states), states.unheld(batch, 1, 3)) == (0, [])
    states.abort()
    assert states.unheld(batch, 2, 3) == [("ps5", 2)]
    states.accept(delta)
    states.commit()
    assert len(states) == 2
    assert derive(states, batch).events.rows == 0
    states.forget()
    assert (len(states), derive(states, batch).events.rows) == (0, 2)


def test_states_are_learned_from_tuples() -> None:
    states, batch = States(), read(body(auction(1, bid=300, bids=1, auctionStatus="ENDED")))
    states.learn([held(batch, confidence=1.0)])
    assert derive(states, batch).events.rows == 0
    states.learn([held(batch, confidence=math.nextafter(0.8, 1))])
    assert derive(states, batch).pages[0][7:] == (1, 1)
    states.learn([held(batch, confidence=0.8, was_active=False)])
    assert derive(states, batch).pages[0][7:] == (0, 0)
    states.learn([held(batch, newest=MICROS + 1)])
    late = derive(states, batch)
    assert (late.pages, late.wanted) == ([], [("ps5", 1)])
    for misfit in (held(batch)[:-1], held(batch, bids="1"), held(batch, platform=None)):
        with pytest.raises((TypeError, ValueError)):
            states.learn([misfit])
    with pytest.raises(OverflowError):
        states.learn([held(batch, current_bid=2**63)])


def test_late_rows_are_told_beside_the_events_of_their_auction() -> None:
    states, batch = States(), read(body(auction(1, bid=300, bids=1), at=T0 + 5))
    states.learn([held(batch, newest=MICROS + 60_000_000)])
    first = ("ps5", 1, 8, MICROS + 9_000_000, "active", 5000, 300, 350, 1, MICROS, None)
    rest = {"head": 9, "part": PART, "positions": [0]}
    delta = states.derive(batch, 0, 1, events=[first], **rest)
    assert (delta.wanted, delta.sooner) == ([], [(8, MICROS + 5_000_000)])
    assert delta.first_seen == [("ps5", 1, MICROS + 5_000_000)]
    assert (delta.again, delta.events.rows) == ([], 0)

    before = ("ps5", 1, 8, MICROS, "active", 5000, 100, 100, 0, MICROS, 100)
    delta = states.derive(batch, 0, 1, events=[before], **rest)
    assert (delta.events.rows, delta.sooner) == (1, [])
    assert delta.again == [(11, 8, MICROS + 60_000_000)]
    assert delta.pages == [(0, 1, 0, 0, 1, 0, 1, 0, 2)]
    for misfit in (before[:-1], (*before[:8], "0", *before[9:])):
        with pytest.raises((TypeError, ValueError)):
            states.derive(batch, 0, 1, events=[misfit], **rest)


def test_what_is_inferred_closes_auctions_between_pages() -> None:
    states, batch = States(), read(body(auction(1)), body(auction(2)))
    rest = {"head": 9, "part": PART, "positions": [0, 1]}
    closing = (1, "ps5", 1, MICROS + 7, SOLD)
    delta = states.derive(batch, 0, 2, inferred=[closing], **rest)
    sold = pytest.approx(SOLD)
    assert delta.closed == [(11, "ps5", 1, MICROS + 7, MICROS + 3_600_000_000, sold)]
    assert sum(events for *_, events in delta.pages) == 2
    states.accept(delta)
    states.commit()
    again = states.derive(batch, 0, 0, inferred=[closing], **rest)
    assert again.closed == []  # what stands is as strong
    others = [("ps5", 1), ("ps5", 3), ("ps5", 2)]
    assert states.unheld_others(others, batch, 0, 2) == ([], [("ps5", 3)])
    assert States().unheld_others(others, batch, 0, 1) == (others[:1], others[1:])

    for misfit in (
        [closing, (0, *closing[1:])],
        [(*closing[:4], ("burnt", *SOLD[1:]))],
        [(*closing[:4], ("sold", "gift", *SOLD[2:]))],
        [(*closing[:4], (*SOLD[:2], "rumour", *SOLD[3:]))],
        [(*closing[:4], ("expired", *SOLD[1:]))],
        [(*closing[:4], (*SOLD[:4], None, *SOLD[5:]))],
    ):
        with pytest.raises(ValueError, match=r"inferred|no outcome|sold|no evidence"):
            states.derive(batch, 0, 2, inferred=misfit, **rest)


def test_auctions_of_before_are_pruned_and_not_told() -> None:
    states, batch = States(), read(body(auction(1), auction(2, postingTime=T0 - 9_000)))
    rest = {"head": 9, "part": PART, "positions": [0], "since": MICROS - 8_500_000_000}
    old = (*SOLD[:6], None, None, MICROS - 9_000_000_000)
    inferred = [(1, "ps5", 3, MICROS, old), (1, "ps5", 4, MICROS, SOLD)]
    delta = states.derive(batch, 0, 2, inferred=inferred, **rest)
    assert delta.pruned == [2, 3]
    assert (delta.events.rows, delta.listed.rows) == (1, 1)
    assert delta.pages == [(0, 1, 1, 0, 0, 1, 0, 0, 1)]


def test_misuse_raises() -> None:
    states, batch = States(), read(body(auction(1)), body())
    for start, stop in ((0, 2), (1, 0), (2, 2)):
        with pytest.raises(IndexError):
            states.unheld(batch, start, stop)
        with pytest.raises(IndexError):
            states.derive(batch, start, stop, head=0, part=PART, positions=[1, 2])
    with pytest.raises(ValueError, match="one position a page"):
        states.derive(batch, 0, 1, head=0, part=PART, positions=[1])
    for capacity in (0, 2**28 + 1):
        with pytest.raises(ValueError, match="capacity"):
            States(capacity=capacity)
    with pytest.raises(TypeError):
        Delta()


def test_cards_are_missing_until_somebody_knows_them() -> None:
    native = _native.Normalizer(per_copy=["cardInstanceId"], positions={})
    pages = [body(auction(1), auction(2, card=auction(2)["card"] | {"tier": 5}))]
    first, second = (native.normalize(pages, platforms=["ps5"], fetched_at=[0]) for _ in range(2))
    keys = native.missing(first)
    assert keys == [(row[0], row[1]) for row in first.card_rows()]
    assert bytes(native.cards(first)) == bytes(first.cards)
    native.know(keys[:1])
    assert (native.missing(second), native.cards(second).rows) == (keys[1:], 1)
    assert bytes(native.cards(second)) == bytes(first.cards.slice(1, 2))
    native.confirm(first)
    assert (native.missing(second), native.cards(second).rows) == ([], 0)
    assert second.cards.rows == 2  # as it was read


async def _copied(dsn: str, columns: Any, buffer: Any) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(dsn)
    try:
        fields = ", ".join(f'"{name}" {pg_type}' for name, pg_type in columns)
        await connection.execute(f"CREATE TEMP TABLE copied ({fields})")
        await connection.copy_to_table("copied", source=buffer, format="binary")
        return [dict(row) for row in await connection.fetch("SELECT * FROM copied")]
    finally:
        await connection.close()


@pytest.mark.anyio
async def test_postgres_reads_a_delta_as_it_is_meant(database: str) -> None:
    states, first = States(), read(body(auction(8), auction(7, bid=300)))
    states.learn([held(read(body(auction(7))))])
    batch = read(body(auction(8), auction(7, bid=300, bids=1, auctionStatus="ENDED"), at=T0 + 0.25))
    states.accept(derive(states, first))
    delta = derive(states, batch, head=2**40)
    now = datetime.fromtimestamp(T0 + 0.25, UTC)

    [event] = await _copied(database, _native.EVENT_COLUMNS, delta.events)
    told = {
        "seq": 2**40 + 1,
        "kind": "closed",
        "platform": "ps5",
        "auction_id": 7,
        "observed_at": now,
        "expires_at": datetime.fromtimestamp(T0 + 3600, UTC),
        "status": "ended",
        "current_bid": 300,
        "bids": 1,
        "outcome": "sold",
        "outcome_via": "buyout",
        "evidence": "status",
        "confidence": pytest.approx(0.98),
        "final_price": 5000,
        "price_confidence": pytest.approx(0.98),
        "closed_after": datetime.fromtimestamp(T0, UTC),
        "closed_before": now,
        "closed_at": now,
    }
    assert {name: event[name] for name in told} == told

    [row] = await _copied(database, _native.AUCTION_ROW_COLUMNS, delta.rewritten)
    told.pop("seq"), told.pop("kind")
    told |= {"last_seen": now, "start_price": event["start_price"]}
    assert {name: row[name] for name in told} == told

    [sighting] = await _copied(database, _native.SIGHTING_COLUMNS, delta.sightings)
    assert sighting == {
        "part": PART,
        "pos": 0,
        "platform": "ps5",
        "observed_at": now,
        "auction_ids": [8, 7],
    }
