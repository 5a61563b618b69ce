"""A seed and a clock in, an auction house that lists, bids, buys out, expires and cancels out.

What an auction does next is drawn from (seed, auction id, bids so far) when its last step is
done.  Every state goes to the ledger before anyone can see it.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from m26.sim.behaviour import DEFAULT, Behaviour
from m26.sim.cards import Deck, auction_json
from m26.sim.ledger import Ledger
from m26.sim.lots import lots
from m26.sim.records import Listing, State
from m26.sim.shelf import Auction, Shelf

DAY = 86_400
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
    speed: float = 144.0
    """How much faster than real: one of the market's days is 86,400 / speed seconds."""
    activity: float = 1.0
    """Multiplies how likely a bid is."""

    @property
    def duration(self) -> int:
        """Seconds from listing to expiry."""
        return max(2, round(DAY / self.speed))


class Market:
    """One platform's auction house; `advance` moves it to a point in time."""

    def __init__(
        self,
        platform: str,
        deck: Deck,
        ledger: Ledger,
        tempo: Tempo,
        *,
        now: float,
        behaviour: Behaviour = DEFAULT,
    ) -> None:
        self.platform = platform
        self.frozen = False
        self._deck, self._ledger, self._tempo = deck, ledger, tempo
        self._rng = lots("search", deck.seed, platform, now)
        self._shelf = Shelf(behaviour)
        self._copies: deque[tuple[int, int, int]] = deque(maxlen=200)  # to be listed again
        self._due: list[tuple[float, int, str]] = []
        self._now = now
        self._resume()
        self.behave(behaviour)

    def __len__(self) -> int:
        """How many auctions are alive."""
        return len(self._shelf) - self._shelf.ended

    @property
    def listed(self) -> int:
        """How many auctions a search finds: alive, or ended a moment ago."""
        return len(self._shelf)

    @property
    def behaviour(self) -> Behaviour:
        """How its lists and refreshes behave."""
        return self._shelf.behaviour

    def behave(self, behaviour: Behaviour) -> None:
        """Behave like this from now on; the ledger notes it."""
        self._shelf.behave(behaviour)
        self._tidy()
        self._ledger.behaved(self._now, self.platform, behaviour)

    def loses(self) -> bool:
        """Whether this request is one of those that fail."""
        return self.behaviour.loss > 0 and self._rng.random() < self.behaviour.loss

    def search(self, offset: int, count: int, text: str = "") -> list[Auction]:
        """A page of what is listed, in its order.

        Args:
            offset: how many to pass over.
            count: how many at the most.
            text: only cards whose name contains it.
        """
        wanted = text.casefold()
        return self._shelf.page(
            offset,
            count,
            self._rng,
            (lambda auction: wanted in self._card_name(auction).casefold()) if text else None,
        )

    def find(self, ids: Sequence[int]) -> Iterator[Auction]:
        """Those of `ids` that are alive or not forgotten, in the order asked for."""
        for auction_id in dict.fromkeys(ids):
            found = self._shelf.get(auction_id) or self._past(auction_id)
            if found is not None and not self._forgotten(found):
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
            else:
                self._step(self._shelf[auction_id], at, cause)
        self._now = now
        if not self.frozen:
            self._tidy()

    def _resume(self) -> None:
        """Go on with the auctions the ledger knows as alive, then fill up to size."""
        now = self._now
        for listing, state in self._ledger.alive(self.platform):
            auction = self._enter(Auction(listing, state))
            if listing.expires <= now:
                self._end(auction, listing.expires, "end" if state.bids else "expire")
            else:
                self._plan(auction, now)
        self._tidy()
        rng = lots("fill", self._deck.seed, now)
        missing = max(0, self._tempo.size - len(self))
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

    def _enter(self, auction: Auction) -> Auction:
        auction.lot = lots("place", self._deck.seed, auction.id).random()
        self._shelf.add(auction)
        return auction

    def _tidy(self) -> None:
        self._shelf.clear(self._now - self.behaviour.visible / self._tempo.speed)

    def _forgotten(self, auction: Auction) -> bool:
        recall = self.behaviour.recall
        if auction.ended is None or recall is None:
            return False
        return auction.ended <= self._now - recall / self._tempo.speed

    def _past(self, auction_id: int) -> Auction | None:
        row = self._ledger.auction(self.platform, auction_id)
        return None if row is None else Auction(*row)

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
        return self._enter(Auction(listing, state))

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
        state = auction.state.moved(
            state_id=self._ledger.reserve("state"), at=at, cause=cause, status=status
        )
        if cause == "buyout" and self.behaviour.ended_price == "final":
            state = state.moved(current_bid=state.buyout, bids=state.bids + 1)
        auction.state = state
        self._shelf.end(auction)
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
