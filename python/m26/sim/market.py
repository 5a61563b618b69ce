"""A seed and a clock in, an auction house that lists, bids, buys out, expires and cancels out.

What an auction does next is drawn from (seed, auction id, bids so far) when its last step is
done.  Every state goes to the ledger before anyone can see it.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from m26.sim.cards import Deck, auction_json
from m26.sim.ledger import Ledger
from m26.sim.lots import lots
from m26.sim.records import Listing, State

DAY = 86_400
_RECALL = 3_600
"""Seconds for which an ended auction can still be asked for by its id."""
_NO_BUYOUT = 0.15
_BUYOUT, _CANCEL, _FIRST_BID = 0.25, 0.28, 0.8
"""Cumulative shares of what happens first to an auction without a bid; the rest expires."""
_NEXT_BID = 0.6
_RELISTED = 0.15
"""Share of listings whose copy was in an auction that ended lately."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tempo:
    """How big and how lively a market is."""

    size: int = 400
    """Auctions alive at a time."""
    scale: float = 144.0
    """How much faster than real: a listing lives 86,400 / scale seconds."""
    activity: float = 1.0
    """Multiplies how likely a bid is."""

    @property
    def duration(self) -> int:
        """Seconds from listing to expiry."""
        return max(2, round(DAY / self.scale))


@dataclass(slots=True)
class Auction:
    """One auction as it stands now."""

    listing: Listing
    state: State
    ended: float | None = None

    @property
    def id(self) -> int:
        """Its auctionId."""
        return self.listing.auction_id

    def seconds_remaining(self, now: int) -> int:
        """Seconds until it ends, seen at `now`; 0 once it did."""
        return 0 if self.ended is not None else max(0, self.listing.expires - now)


class Market:
    """One platform's auction house; `advance` moves it to a point in time."""

    def __init__(
        self, platform: str, deck: Deck, ledger: Ledger, tempo: Tempo, *, now: float
    ) -> None:
        self.platform = platform
        self.frozen = False
        self.linger = 5.0
        """Seconds for which a search still finds an ended auction."""
        self._deck, self._ledger, self._tempo = deck, ledger, tempo
        self._listed: dict[int, Auction] = {}  # oldest posting first
        self._recent: dict[int, Auction] = {}  # ended, no longer listed
        self._copies: deque[tuple[int, int, int]] = deque(maxlen=200)  # to be listed again
        self._due: list[tuple[float, int, str]] = []
        self._now = now
        self._resume()

    def __len__(self) -> int:
        """How many auctions are alive."""
        return sum(auction.ended is None for auction in self._listed.values())

    @property
    def listed(self) -> int:
        """How many auctions a search finds: alive, or ended a moment ago."""
        return len(self._listed)

    def search(self, offset: int, count: int, text: str = "") -> list[Auction]:
        """A page of what is listed, newest first.

        Args:
            offset: how many to pass over.
            count: how many at the most.
            text: only cards whose name contains it.
        """
        found = list(reversed(self._listed.values()))
        if text:
            wanted = text.casefold()
            found = [a for a in found if wanted in self._card_name(a).casefold()]
        return found[offset : offset + count]

    def find(self, ids: Sequence[int]) -> Iterator[Auction]:
        """Those of `ids` that are listed or ended lately, in the order asked for."""
        for auction_id in dict.fromkeys(ids):
            found = self._listed.get(auction_id) or self._recent.get(auction_id)
            if found is not None:
                yield found

    def render(self, auction: Auction, now: int) -> bytes:
        """An auction's wire form at `now`, seconds since 1970."""
        listing, state = auction.listing, auction.state
        return auction_json(
            self._deck.card(listing.card),
            auction_id=listing.auction_id,
            instance_id=listing.instance_id,
            acquired=listing.acquired,
            buyout=state.buyout,
            current_bid=state.current_bid,
            next_bid=state.next_bid,
            bids=state.bids,
            posted=listing.posted,
            seconds_remaining=auction.seconds_remaining(now),
            status=state.status,
        )

    def advance(self, now: float) -> None:
        """Let everything happen that is due by `now`; nothing while the market is frozen."""
        while not self.frozen and self._due and self._due[0][0] <= now:
            due, auction_id, cause = heapq.heappop(self._due)
            at = max(due, self._now)  # what fell due in a frozen time happens after it
            if cause == "list":
                auction = self._list(at)
                self._plan(auction, at)
            elif cause == "unlist":
                self._recent[auction_id] = self._listed.pop(auction_id)
            else:
                self._step(self._listed[auction_id], at, cause)
        self._now = now
        while self._recent:
            oldest = next(iter(self._recent.values()))
            if oldest.ended is not None and oldest.ended > now - _RECALL:
                break
            del self._recent[oldest.id]

    def _resume(self) -> None:
        """Go on with the auctions the ledger knows as alive, then fill up to size."""
        now = self._now
        for listing, state in self._ledger.alive(self.platform):
            auction = Auction(listing, state)
            if listing.expires <= now:
                self._end(auction, now, "end" if state.bids else "expire")
                self._recent[auction.id] = auction
            else:
                self._listed[auction.id] = auction
                self._plan(auction, now)
        rng = lots("fill", self._deck.seed, now)
        missing = max(0, self._tempo.size - len(self._listed))
        ages = (rng.uniform(0, self._tempo.duration - 1) for _ in range(missing))
        for age in sorted(ages, reverse=True):
            auction = self._list(now - age)
            due, cause = self._draw(auction, now - age)
            while due <= now and cause == "bid":
                self._bid(auction, due)
                due, cause = self._draw(auction, due)
            if due <= now:  # it would be gone; as it has to be there, it runs its full time
                due, cause = auction.listing.expires, "end" if auction.state.bids else "expire"
            heapq.heappush(self._due, (due, auction.id, cause))
        by_posting = sorted(self._listed.values(), key=lambda a: (a.listing.posted, a.id))
        self._listed = {auction.id: auction for auction in by_posting}

    def _list(self, at: float) -> Auction:
        auction_id = self._ledger.reserve("auction")
        rng = lots("list", self._deck.seed, auction_id)
        if self._copies and rng.random() < _RELISTED:
            number, instance_id, acquired = self._copies.popleft()
        else:
            number, instance_id = self._deck.draw(rng), self._ledger.reserve("instance")
            acquired = (int(at) - rng.randint(30, 5 * DAY)) * 1_000_000
        card = self._deck.card(number)
        listing = Listing(
            auction_id=auction_id,
            platform=self.platform,
            card=number,
            card_id=card.card_id,
            instance_id=instance_id,
            acquired=acquired,
            posted=int(at),
            expires=int(at) + self._tempo.duration,
        )
        start = _rounded(card.value * rng.uniform(0.1, 0.9))
        ask = max(_rounded(card.value * rng.lognormvariate(0, 0.25)), start + _increment(start))
        state = State(
            state_id=self._ledger.reserve("state"),
            auction_id=auction_id,
            at=at,
            cause="list",
            status="ACTIVE",
            buyout=0 if rng.random() < _NO_BUYOUT else ask,
            current_bid=start,
            next_bid=start,
            bids=0,
        )
        self._ledger.listed(listing)
        self._ledger.changed(state)
        auction = self._listed[auction_id] = Auction(listing, state)
        return auction

    def _plan(self, auction: Auction, since: float) -> None:
        due, cause = self._draw(auction, since)
        heapq.heappush(self._due, (due, auction.id, cause))

    def _draw(self, auction: Auction, since: float) -> tuple[float, str]:
        """When an auction's next step is due, and what it is."""
        state, expires = auction.state, float(auction.listing.expires)
        rng = lots("step", self._deck.seed, auction.id, state.bids)
        roll, left, activity = rng.random(), max(0.0, expires - since), self._tempo.activity
        can_bid = not state.buyout or state.next_bid < state.buyout
        if state.bids:
            if can_bid and roll < min(0.9, _NEXT_BID * activity):
                return since + left * rng.betavariate(1, 1.5), "bid"
            return expires, "end"
        if roll < _BUYOUT and state.buyout:
            return since + left * rng.betavariate(1, 3), "buyout"
        if _BUYOUT <= roll < _CANCEL:
            return since + left * rng.random(), "cancel"
        if roll < min(0.95, _FIRST_BID * activity) and can_bid:
            return since + left * rng.betavariate(1.5, 1.5), "bid"
        return expires, "expire"

    def _step(self, auction: Auction, at: float, cause: str) -> None:
        if cause == "bid":
            self._bid(auction, at)
            self._plan(auction, at)
            return
        self._end(auction, at, cause)
        rng = lots("pause", self._deck.seed, auction.id)
        heapq.heappush(self._due, (at + self.linger, auction.id, "unlist"))
        heapq.heappush(self._due, (at + rng.expovariate(1.0), 0, "list"))

    def _bid(self, auction: Auction, at: float) -> None:
        state = auction.state
        rng = lots("bid", self._deck.seed, auction.id, state.bids)
        price = state.next_bid + rng.choice((0, 0, 0, 1, 2)) * _increment(state.next_bid)
        if state.buyout:
            price = min(price, state.buyout)
        auction.state = state.moved(
            state_id=self._ledger.reserve("state"),
            at=at,
            cause="bid",
            current_bid=price,
            next_bid=price + _increment(price),
            bids=state.bids + 1,
        )
        self._ledger.changed(auction.state)

    def _end(self, auction: Auction, at: float, cause: str) -> None:
        status = {"expire": "EXPIRED", "cancel": "CANCELLED"}.get(cause, "ENDED")
        auction.state = auction.state.moved(
            state_id=self._ledger.reserve("state"), at=at, cause=cause, status=status
        )
        auction.ended = at
        self._ledger.changed(auction.state)
        listing = auction.listing
        acquired = int(at) * 1_000_000 if status == "ENDED" else listing.acquired
        self._copies.append((listing.card, listing.instance_id, acquired))

    def _card_name(self, auction: Auction) -> str:
        return self._deck.card(auction.listing.card).name


def _increment(price: int) -> int:
    """The least step between two bids."""
    for limit, step in ((1_000, 50), (10_000, 100), (50_000, 250)):
        if price < limit:
            return step
    return 500


def _rounded(price: float) -> int:
    return max(100, round(price / 50) * 50)
