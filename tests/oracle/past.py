"""What was known at a moment, from the text of docs/DATA.md alone: events in, auctions out.

One event after the other, in Python, where the product has SQL; it shares nothing with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import asyncpg

Row = dict[str, Any]

_OUTCOME = (
    *("outcome", "outcome_via", "evidence", "confidence", "final_price"),
    *("price_confidence", "closed_after", "closed_before", "closed_at"),
)
_STATE = (
    *("platform", "auction_id", "card_id", "card_version", "card_instance_id", "posted_at"),
    *("expires_at", "status", "start_price", "buyout_price", "current_bid", "next_bid", "bids"),
    *("median_price", "min_price", "max_price"),
)
_ROW = (*_STATE, *_OUTCOME, "observed_at", "first_seen", "last_seen")
_TOLD = {"platform", "auction_id", "status", "buyout_price", "current_bid", "next_bid", "bids"}


def auctions(events: Iterable[Row], at: datetime) -> list[Row]:
    """The auctions that the events up to a moment, taken one by one, come to."""
    seen: dict[tuple[str, int], list[Row]] = {}
    said: dict[tuple[str, int], Row | None] = {}
    for event in sorted(events, key=lambda event: event["seq"]):
        if event["observed_at"] > at:
            continue
        key = event["platform"], event["auction_id"]
        before = said.get(key)
        if event["kind"] == "closed":
            said[key] = event
        elif event["kind"] == "changed" and event["status"] == "active" and not event["late"]:
            said[key] = before if before and before["evidence"] == "status" else None
        if event["evidence"] in {None, "status"}:
            seen.setdefault(key, []).append(event)
    return [_row(states, said.get(key)) for key, states in seen.items()]


def _row(states: list[Row], said: Row | None) -> Row:
    newest = max(states, key=lambda event: (event["observed_at"], event["seq"]))
    return {
        **{name: newest[name] for name in _STATE},
        **{name: said[name] if said else None for name in _OUTCOME},
        "observed_at": newest["observed_at"],
        "first_seen": min(event["observed_at"] for event in states),
        "last_seen": newest["observed_at"],
    }


def told(row: Row) -> Row:
    """What of an auction's row every change of makes an event."""
    return {name: row[name] for name in (*sorted(_TOLD), *_OUTCOME)}


async def rebuild(
    connection: asyncpg.Connection[Any], events: list[Row], cards: list[Row], at: datetime
) -> None:
    """Fill an empty database with what was known at a moment."""
    known = [event for event in events if event["observed_at"] <= at]
    for table, rows in (
        ("card", cards),
        ("auction_event", known),
        ("auction", [{name: row[name] for name in _ROW} for row in auctions(events, at)]),
    ):
        if rows:
            await connection.copy_records_to_table(
                table,
                schema_name="m26",
                columns=list(rows[0]),
                records=[tuple(row.values()) for row in rows],
            )
    head = max((event["seq"] for event in known), default=0)
    await connection.execute("UPDATE m26.stream_head SET seq = $1", head)
