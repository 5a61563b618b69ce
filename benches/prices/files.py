"""A made market in; a trace (NDJSON) out, as `m26 market value` reads it."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
from benches.prices.model import EPOCH, Made


def lines(market: Made) -> Iterator[bytes]:
    """A header, the cards, an auction a line."""
    header = {"schema": 1, "epoch": EPOCH, "seed": market.seed, "days": market.days}
    yield orjson.dumps({"trace": header}) + b"\n"
    for card in market.cards:
        told = {
            "card_id": card.card_id,
            "name": f"Card {card.card_id}",
            "overall": card.overall,
            "position": card.position,
            "program": card.program,
        }
        yield orjson.dumps({"card": told}) + b"\n"
    for number, auction in enumerate(market.auctions):
        sold = auction.via in ("bid", "buyout")
        outcome = "sold" if sold else (auction.via or "expired")
        row = {
            "auction_id": 57_000_000 + 3 * number,
            "card_id": auction.card,
            "card_instance_id": auction.copy,
            "acquired_at": auction.acquired,
            "posted_at": auction.posted,
            "expires_at": auction.expires,
            "start_price": auction.start,
            "buyout_price": auction.buyout,
            "median_price": auction.median,
            "bids": auction.bids,
            "outcome": outcome,
            "outcome_via": auction.via if sold else None,
            "final_price": auction.final,
            "ended_at": auction.ended,
        }
        yield orjson.dumps(row) + b"\n"
