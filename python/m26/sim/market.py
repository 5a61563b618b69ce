"""A seed and a clock in, an auction house that lists, bids, buys out, expires and cancels out.

What becomes of an auction is drawn from the seed, its copy and its posting alone, so that a market
goes on where it was after a restart.  Every state goes to the ledger before anyone can see it.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence

from m26.sim import fate
from m26.sim.behaviour import DEFAULT, Behaviour
from m26.sim.cards import Deck, auction_json
from m26.sim.ledger import Ledger
from m26.sim.lots import lots
from m26.sim.records import Listing, State
from m26.sim.shelf import Auction, Shelf
from m26.sim.tempo import HOURS, Tempo
from m26.sim.trade import MICROS, Burst, Copy, Trade


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
        self._arrivals = lots("arrivals", deck.seed, platform, now)
        self._shelf = Shelf(behaviour)
        self._trade = Trade(platform, deck, ledger, tempo)
        self._copies: dict[int, Copy] = {}  # to be listed again, by their last auction
        self._bursts: dict[int, Burst] = {}  # of wash trades, by the last auction
        self._due: list[tuple[float, int, str]] = []
        self._now = self._held = now
        self._trade.how = behaviour.prices
        self._resume()
        self._await(now)
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
        self._trade.how = behaviour.prices
        self._tidy()
        self._ledger.behaved(self._now, self.platform, behaviour, self._tempo.speed)

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
            value=None if auction.worth is None else auction.worth.value,
        )

    def advance(self, now: float) -> None:
        """Let everything happen that is due by `now`; nothing while the market is frozen."""
        self._now = now
        if self.frozen:
            self._held = now
            return
        while self._due and self._due[0][0] <= now:
            due, auction_id, cause = heapq.heappop(self._due)
            at = max(due, self._held)  # what fell due in a frozen time happens after it
            if cause == "new":
                copy = self._trade.fresh(at)
                self._list(copy, at, burst=self._trade.burst(copy, at))
                self._await(at)
            elif cause == "again":
                self._list(self._copies.pop(auction_id), at)
            elif cause == "wash":
                burst = self._bursts.pop(auction_id)
                self._list(burst.copies[0], at, burst=burst)
            else:
                self._step(auction_id, at, cause)
        self._tidy()

    def _resume(self) -> None:
        """Go on with the auctions the ledger knows as alive, then fill up to size."""
        now, self._held = self._now, -math.inf
        posted = self._ledger.opened(self.platform)
        for listing, state in self._ledger.alive(self.platform):
            worth = self._ledger.worth(listing.auction_id)
            self._enter(Auction(listing, state, worth=worth))
            offer = self._trade.offer(listing, posted[listing.auction_id], worth)
            self._plan(listing.auction_id, offer, after=state.at)
        self.advance(now)
        rng = lots("fill", self._deck.seed, now)
        found: list[tuple[float, Copy, int]] = []
        while len(self) + len(found) < self._tempo.size:
            duration = fate.duration(rng, self._tempo, alive=True)
            opened = now - rng.uniform(0, duration)
            copy = self._trade.fresh(opened)
            offer, _ = self._trade.posted(self._listing(copy, opened, duration), opened)
            if offer.ends > now:
                found.append((opened, copy, duration))
        for opened, copy, duration in sorted(found):
            self._list(copy, opened, duration)
        self.advance(now)
        self._held = now

    def _await(self, since: float) -> None:
        """Put the next posting of a new copy on the schedule."""
        rng, tempo = self._arrivals, self._tempo
        at, most = since, max(HOURS)
        while True:
            at += rng.expovariate(tempo.arrivals * most)
            if rng.random() * most < tempo.lively(at):
                heapq.heappush(self._due, (at, 0, "new"))
                return

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
        return None if row is None else Auction(*row, worth=self._ledger.worth(auction_id))

    def _listing(self, copy: Copy, at: float, duration: int, auction_id: int = 0) -> Listing:
        number, instance_id, acquired = copy
        return Listing(
            auction_id=auction_id,
            platform=self.platform,
            card=number,
            card_id=self._deck.card(number).card_id,
            instance_id=instance_id,
            acquired=acquired,
            posted=int(at),
            expires=int(at) + duration,
        )

    def _list(
        self, copy: Copy, at: float, duration: int | None = None, burst: Burst | None = None
    ) -> None:
        auction_id = self._ledger.reserve("auction")
        if duration is None:
            duration = fate.duration(lots("time", self._deck.seed, auction_id), self._tempo)
        listing = self._listing(copy, at, duration, auction_id)
        offer, worth = self._trade.posted(listing, at, burst)
        state = State(
            state_id=self._ledger.reserve("state"),
            auction_id=auction_id,
            at=at,
            cause="list",
            status="ACTIVE",
            buyout=offer.buyout,
            current_bid=offer.start,
            next_bid=offer.start,
            bids=0,
        )
        self._ledger.listed(listing, worth)
        self._ledger.changed(state)
        self._enter(Auction(listing, state, worth=worth))
        if burst is not None and (left := burst.after(offer.ends)) is not None:
            self._bursts[auction_id] = left
            pause = self._trade.pause(auction_id)
            heapq.heappush(self._due, (offer.ends + pause, auction_id, "wash"))
        self._plan(auction_id, offer)

    def _plan(self, auction_id: int, offer: fate.Offer, after: float = -math.inf) -> None:
        """Put what is still to happen to an auction on the schedule: its end is, in any case."""
        *bids, (ends, how) = offer.steps
        for at, cause in bids:
            if at > after:
                heapq.heappush(self._due, (at, auction_id, cause))
        heapq.heappush(self._due, (max(ends, after), auction_id, how))

    def _step(self, auction_id: int, at: float, cause: str) -> None:
        auction = self._shelf[auction_id]
        if cause == "bid":
            self._bid(auction, at)
        else:
            self._end(auction, at, cause)

    def _bid(self, auction: Auction, at: float) -> None:
        """Take a bid, unless it would cost as much as the buyout."""
        state = auction.state
        price = self._trade.bid(auction, at)
        if price is None:
            return
        auction.state = state.moved(
            state_id=self._ledger.reserve("state"),
            at=at,
            cause="bid",
            current_bid=price,
            next_bid=price + fate.increment(price),
            bids=state.bids + 1,
        )
        self._ledger.changed(auction.state)

    def _end(self, auction: Auction, at: float, cause: str) -> None:
        if not auction.state.bids and cause == "end":
            cause = "expire"
        status = {"expire": "EXPIRED", "cancel": "CANCELLED"}.get(cause, "ENDED")
        state = auction.state.moved(
            state_id=self._ledger.reserve("state"), at=at, cause=cause, status=status
        )
        if cause == "buyout" and self.behaviour.ended_price == "final":
            state = state.moved(current_bid=state.buyout, bids=state.bids + 1)
        auction.state = state
        self._shelf.end(auction)
        self._ledger.changed(state)
        if auction.worth is not None and auction.worth.motive == "wash":
            return  # it goes on with its burst
        listing = auction.listing
        rng = lots("again", self._deck.seed, auction.id)
        following = fate.again(rng, status, self._tempo, ended=at)
        if following is not None:
            acquired = int(at) * MICROS if status == "ENDED" else listing.acquired
            self._copies[auction.id] = listing.card, listing.instance_id, acquired
            heapq.heappush(self._due, (following, auction.id, "again"))

    def _card_name(self, auction: Auction) -> str:
        return self._deck.card(auction.listing.card).name
