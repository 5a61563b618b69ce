"""What the history has to say, from the text of docs/DATA.md alone: observations in, events out.

Written without a look at the product's SQL, and sharing nothing with it: one observation at a
time, where the product folds a whole batch at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

SECOND = 1_000_000
"""Times are microseconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One auction as one reply showed it; prices in coins, 0 bids means no bid."""

    request: int
    position: int
    owed: bool
    """The client has asked again since: it must have kept this reply."""
    at: int
    """The server's clock in the reply."""
    platform: str
    auction_id: int
    card_id: int
    card_instance_id: int
    acquired_at: int
    posted_at: int
    seconds_remaining: int
    status: str
    buyout_price: int | None
    current_bid: int
    next_bid: int
    bids: int
    median_price: int
    min_price: int
    max_price: int

    @property
    def key(self) -> tuple[str, int]:
        """Which auction it is."""
        return self.platform, self.auction_id

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands in the order of all replies."""
        return self.request, self.position

    @property
    def identity(self) -> tuple[object, ...]:
        """Two observations of the same identity show the same state."""
        return self.status, self.buyout_price, self.current_bid, self.next_bid, self.bids


class Event(NamedTuple):
    """One row of the history but for its number and its card's version."""

    kind: str
    platform: str
    auction_id: int
    card_id: int
    card_instance_id: int
    observed_at: int
    posted_at: int
    expires_at: int
    status: str
    start_price: int | None
    buyout_price: int | None
    current_bid: int
    next_bid: int
    bids: int
    median_price: int
    min_price: int
    max_price: int
    outcome: str | None
    outcome_via: str | None
    evidence: str | None
    confidence: float | None
    final_price: int | None

    @property
    def key(self) -> tuple[str, int]:
        """Which auction it is."""
        return self.platform, self.auction_id


class Memory(NamedTuple):
    """What is known of an auction after an observation."""

    identity: tuple[object, ...]
    bids: int
    current_bid: int
    newest: int
    start_price: int | None
    expires_at: int
    confidence: float | None


def step(memory: Memory | None, seen: Seen) -> tuple[Memory, Event | None]:
    """The next observation of one auction: what is known then, and the event that it is, if any."""
    if memory is not None and seen.at < memory.newest:
        return memory, None  # late: older than something that was seen already
    start = memory.start_price if memory else None
    if seen.bids == 0 and seen.current_bid == seen.next_bid:
        start = seen.current_bid
    expires = seen.at + seen.seconds_remaining * SECOND
    if memory is not None and (seen.status != "active" or not seen.seconds_remaining):
        expires = memory.expires_at  # an ended auction does not say any more when it was to end
    outcome, confidence = _outcome(seen)
    known = memory.confidence if memory else None
    closes = confidence is not None and (known is None or confidence > known)
    kind = "closed" if closes else _kind(memory, seen)
    after = Memory(
        identity=seen.identity,
        bids=seen.bids,
        current_bid=seen.current_bid,
        newest=seen.at,
        start_price=start,
        expires_at=expires,
        confidence=confidence if closes else known,
    )
    if kind is None:
        return after, None
    sold = closes and outcome == "sold"
    bought_out = seen.buyout_price is not None and seen.current_bid >= seen.buyout_price
    return after, Event(
        kind=kind,
        platform=seen.platform,
        auction_id=seen.auction_id,
        card_id=seen.card_id,
        card_instance_id=seen.card_instance_id,
        observed_at=seen.at,
        posted_at=seen.posted_at,
        expires_at=expires,
        status=seen.status,
        start_price=start,
        buyout_price=seen.buyout_price,
        current_bid=seen.current_bid,
        next_bid=seen.next_bid,
        bids=seen.bids,
        median_price=seen.median_price,
        min_price=seen.min_price,
        max_price=seen.max_price,
        outcome=outcome if closes else None,
        outcome_via=("buyout" if bought_out else "bid") if sold else None,
        evidence="status" if closes else None,
        confidence=confidence if closes else None,
        final_price=seen.current_bid if sold else None,
    )


def fold(observations: Iterable[Seen]) -> list[Event]:
    """The history of observations of any auctions, all of which were kept, in their order."""
    memories: dict[tuple[str, int], Memory] = {}
    events = []
    for seen in observations:
        memories[seen.key], event = step(memories.get(seen.key), seen)
        if event is not None:
            events.append(event)
    return events


def _kind(memory: Memory | None, seen: Seen) -> str | None:
    if memory is None:
        return "listed"
    if memory.identity == seen.identity:
        return None
    same_offer = memory.identity[:2] == seen.identity[:2]  # status and buyout price
    grew = seen.bids > memory.bids or seen.current_bid > memory.current_bid
    return "bid" if same_offer and grew else "changed"


def _outcome(seen: Seen) -> tuple[str | None, float | None]:
    match seen.status:
        case "expired" | "cancelled":
            return seen.status, 1.0
        case "ended" if seen.bids:
            return "sold", 1.0
        case "ended" if seen.buyout_price is None:
            return "expired", 1.0
        case "ended":
            return "unknown", 0.0  # bought out or expired: the reply does not say which
    return None, None
