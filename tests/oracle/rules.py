"""What the history has to say, from the text of docs/DATA.md alone: observations in, events out.

Written without a look at the product's SQL, and sharing nothing with it: one observation at a
time, where the product folds a whole batch at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple

SECOND = 1_000_000
"""Times are microseconds since 1970."""
_MOVED = 5 * SECOND
"""An end that moved by no more than this counts as the same."""
OUTCOME = (
    *("outcome", "outcome_via", "evidence", "confidence", "final_price"),
    *("price_confidence", "closed_after", "closed_before", "closed_at"),
)
_CLOCKS = 5 * SECOND
"""Seen ended no more than this before its time, an auction may have run its full time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One auction as one reply showed it; prices in coins, 0 bids means no bid."""

    request: int
    position: int
    owed: bool
    """The client has asked again since: it must have kept this reply."""
    at: int
    """The server's clock in the reply; never before that of the reply before (`in_order`)."""
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
    behind: int = 0
    """By how much `at` was set forward."""
    account: str = ""
    """Who asked; one request of an account is in flight at a time."""

    @property
    def told(self) -> int:
        """What the reply's time left counts from."""
        return self.at - self.behind

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
    price_confidence: float | None
    closed_after: int | None
    closed_before: int | None
    closed_at: int | None
    late: bool = False

    @property
    def key(self) -> tuple[str, int]:
        """Which auction it is."""
        return self.platform, self.auction_id

    @property
    def identity(self) -> tuple[object, ...]:
        """As that of an observation."""
        return self.status, self.buyout_price, self.current_bid, self.next_bid, self.bids


class _Said(NamedTuple):
    """What one observation says of the outcome."""

    outcome: str
    confidence: float
    via: str | None = None
    price: int | None = None
    price_confidence: float | None = None

    def replaces(self, known: _Said | None) -> bool:
        """What says something replaces what does not; of two that do, the surer one.

        Of two that say the same it is the price that has to be surer.
        """
        if known is None:
            return True
        if (self.outcome == "unknown") != (known.outcome == "unknown"):
            return known.outcome == "unknown"
        (price, known_price) = (
            said.confidence if said.price_confidence is None else said.price_confidence
            for said in (self, known)
        )
        if self.outcome == known.outcome:
            return (price, self.confidence) > (known_price, known.confidence)
        return (self.confidence, price) > (known.confidence, known_price)


class Memory(NamedTuple):
    """What is known of an auction after an observation."""

    identity: tuple[object, ...]
    bids: int
    current_bid: int
    newest: int
    start_price: int | None
    expires_at: int
    outcome: _Said | None
    closed_after: int | None
    was_active: bool
    on_offer: bool
    """It was when it was seen last."""


def step(memory: Memory | None, seen: Seen) -> tuple[Memory, Event | None]:
    """The next observation of one auction: what is known then, and the event that it is, if any."""
    if memory is not None and seen.at < memory.newest:
        return memory, None  # late: no state of the auction
    start = memory.start_price if memory else None
    if seen.bids == 0 and seen.current_bid == seen.next_bid:
        start = seen.current_bid
    expires = seen.told + seen.seconds_remaining * SECOND
    change = _kind(memory, seen)
    if memory is not None and (seen.status != "active" or not seen.seconds_remaining):
        expires = memory.expires_at  # an ended auction does not say any more when it was to end
    elif memory is not None and change is None and abs(expires - memory.expires_at) <= _MOVED:
        expires = memory.expires_at
    said = _outcome(seen, expires, was_active=memory is not None and memory.was_active)
    known = memory.outcome if memory else None
    closes = said is not None and said.replaces(known)
    kind = "closed" if closes else change
    now = said if closes else None
    begin = memory and (memory.newest if memory.on_offer else memory.closed_after)
    over = max(expires, begin or 0)
    after = Memory(
        identity=seen.identity,
        bids=seen.bids,
        current_bid=seen.current_bid,
        newest=seen.at,
        start_price=start,
        expires_at=expires,
        outcome=now or known,
        closed_after=begin if now else memory and memory.closed_after,
        was_active=seen.status == "active" or (memory is not None and memory.was_active),
        on_offer=seen.status == "active",
    )
    if kind is None:
        return after, None
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
        outcome=now.outcome if now else None,
        outcome_via=now.via if now else None,
        evidence="status" if now else None,
        confidence=now.confidence if now else None,
        final_price=now.price if now else None,
        price_confidence=now.price_confidence if now else None,
        closed_after=begin if now else None,
        closed_before=min(seen.at, max(expires + _CLOCKS, over)) if now else None,
        closed_at=min(seen.at, over) if now else None,
    )


def in_order(observations: Iterable[Seen]) -> list[Seen]:
    """What the replies of one part and platform showed, none sooner than the reply before."""
    dated: list[Seen] = []
    newest = 0
    for _, reply in groupby(observations, key=lambda seen: seen.request):
        shown = list(reply)
        behind = newest + 1 - shown[0].at if shown[0].at < newest else 0
        dated += [replace(seen, at=seen.at + behind, behind=behind) for seen in shown]
        newest = dated[-1].at
    return dated


def fold(observations: Iterable[Seen]) -> list[Event]:
    """The history of observations of any auctions, all of which were kept, in their order."""
    memories: dict[tuple[str, int], Memory] = {}
    events: list[Event] = []
    for seen in observations:
        memory = memories.get(seen.key)
        if memory is not None and seen.at < memory.newest:
            _tell_late(events, seen, memory)
            continue
        memories[seen.key], event = step(memory, seen)
        if event is not None:
            events.append(event)
    return events


def state_of(event: Event, before: Event | None) -> Event | None:
    """An event but for what it says of the outcome; None if it says nothing else."""
    if before is not None and before.identity == event.identity:
        return None
    kind = event.kind if event.kind != "closed" else "listed" if before is None else "changed"
    return event._replace(kind=kind, **dict.fromkeys(OUTCOME))


def by_time(events: Sequence[Event]) -> list[int]:
    """Places of events in the order of time; of equal times, that of their numbers."""
    return sorted(range(len(events)), key=lambda n: events[n].observed_at)


def _tell_late(events: list[Event], seen: Seen, memory: Memory) -> None:
    """An observation older than the newest one: what it adds to the history."""
    line = [n for n in by_time(events) if events[n].key == seen.key]
    earlier = [n for n in line if events[n].observed_at <= seen.at]
    after = line[len(earlier)] if len(earlier) < len(line) else None
    before = events[earlier[-1]] if earlier else None
    if before is not None and before.identity == seen.identity:
        return
    if after is not None and events[after].identity == seen.identity:
        if before is None or before.observed_at < seen.at or earlier[-1] < after:
            events[after] = events[after]._replace(observed_at=seen.at)
        return
    context = before and memory._replace(
        identity=before.identity,
        bids=before.bids,
        current_bid=before.current_bid,
        start_price=before.start_price,
        expires_at=before.expires_at,
        newest=seen.at,
        outcome=_Said("", 2.0),  # more certain than anything: a late sight gives no outcome
    )
    _, event = step(context, seen)
    if event is not None:
        nothing = dict.fromkeys(OUTCOME)
        kind = event.kind if before else "listed"
        events.append(event._replace(kind=kind, late=True, **nothing))
        if before is not None and after is None:  # it is the current state, and was seen since
            again = before._replace(kind="changed", observed_at=memory.newest, late=True)
            events.append(again._replace(**nothing))


def _kind(memory: Memory | None, seen: Seen) -> str | None:
    if memory is None:
        return "listed"
    if memory.identity == seen.identity:
        return None
    same_offer = memory.identity[:2] == seen.identity[:2]  # status and buyout price
    grew = seen.bids > memory.bids or seen.current_bid > memory.current_bid
    return "bid" if same_offer and grew else "changed"


def _outcome(seen: Seen, expires: int, *, was_active: bool) -> _Said | None:
    ask, bid = seen.buyout_price, seen.current_bid
    match seen.status:
        case "expired" | "cancelled":
            said = _Said(seen.status, 1.0)
        case "ended" if ask is None and not seen.bids:
            said = _Said("expired", 1.0)  # nobody could have bought it
        case "ended" if not was_active:
            said = _Said("unknown", 0.0)  # nor is it known when it was to end
        case "ended" if ask is None:
            said = _Said("sold", 1.0, "bid", bid, 1.0)
        case "ended" if expires - seen.told > _CLOCKS:
            said = _Said("sold", 0.98, "buyout", ask, 0.98)
        case "ended" if not seen.bids:
            said = _Said("unknown", 0.0)  # bought out or expired: the reply does not say which
        case "ended" if bid >= ask:
            said = _Said("sold", 1.0, "buyout", bid, 1.0)
        case "ended":
            said = _Said("sold", 1.0, "bid", bid, 0.95)
        case _:
            return None
    return said
