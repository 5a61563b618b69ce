"""Copies in; what they are offered for, bid and washed at, by what cards are worth, out.

What comes of an auction is drawn from the seed, its copy and its posting alone; where prices are
not plain, what the card was worth then is a note in the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from m26.sim import fate
from m26.sim.cards import Deck
from m26.sim.ledger import Ledger
from m26.sim.lots import lots
from m26.sim.records import Listing, Worth
from m26.sim.shelf import Auction
from m26.sim.tempo import Tempo
from m26.sim.values import DAY, KINDS, Values, noise, washed

MICROS = 1_000_000
Copy = tuple[int, int, int]
"""A card's number, its copy's id, when its owner got it in microseconds since 1970."""
_BURSTS = 0.018
"""Share of the postings of a washed card that begin a burst of wash trades: one sale in twenty of
the market is one where a third of the cards are washed."""
_SALES, _HEIGHT = (4, 11), (1.5, 5.0)
"""Of a burst, and how far above the value."""
_SEVERAL, _COPIES = 0.3, (2, 4)
"""Share of the bursts with several copies, and how many."""
_PAUSE = 900
"""Seconds to the next sale of a burst, in the mean."""


@dataclass(frozen=True, slots=True)
class Burst:
    """Wash trades to come."""

    copies: tuple[Copy, ...]
    """They are sold in turn, the first one next."""
    left: int
    height: float
    """How many times the value is paid, about."""

    def after(self, at: float) -> Burst | None:
        """What is left of it once the next sale was at `at`."""
        (card, instance_id, _), *others = self.copies
        copies = *others, (card, instance_id, int(at) * MICROS)
        return Burst(copies, self.left - 1, self.height) if self.left > 1 else None


class Trade:
    """Who sells what on one platform, and for how much."""

    def __init__(self, platform: str, deck: Deck, ledger: Ledger, tempo: Tempo) -> None:
        self.platform = platform
        self.how = "plain"
        """What prices do for those who post now, see `Behaviour.prices`."""
        self._deck, self._ledger, self._tempo = deck, ledger, tempo

    def fresh(self, at: float, card: int | None = None) -> Copy:
        """A copy that was in no auction yet, of a card that is drawn unless it is given."""
        instance_id = self._ledger.reserve("instance")
        rng = lots("copy", self._deck.seed, instance_id)
        acquired = int(at) - round(self._tempo.clock(rng.uniform(30, 5 * DAY)))
        drawn = self._deck.draw(rng)
        return drawn if card is None else card, instance_id, acquired * MICROS

    def burst(self, copy: Copy, at: float) -> Burst | None:
        """The wash trades that a posting begins, if it does."""
        card, instance_id, _ = copy
        seed = self._deck.seed
        if self.how == "plain" or not washed(seed, self.platform, card, KINDS[self.how]):
            return None
        rng = lots("burst", seed, instance_id)
        if rng.random() >= _BURSTS:
            return None
        more = rng.randint(*_COPIES) - 1 if rng.random() < _SEVERAL else 0
        copies = copy, *(self.fresh(at, card) for _ in range(more))
        return Burst(copies, rng.randint(*_SALES), rng.uniform(*_HEIGHT))

    def pause(self, auction_id: int) -> float:
        """Seconds of the clock from a wash trade to the next one."""
        rng = lots("pause", self._deck.seed, auction_id)
        return self._tempo.clock(rng.expovariate(1 / _PAUSE))

    def value(self, how: str, card: int, at: float) -> float:
        """What a card is worth at a time of the clock where prices are not plain, coins."""
        values = Values(self._deck.seed, self.platform, KINDS[how].moves)
        return values.at(card, self._deck.card(card).value, at * self._tempo.speed / DAY)

    def posted(
        self, listing: Listing, opened: float, burst: Burst | None = None
    ) -> tuple[fate.Offer, Worth | None]:
        """What is asked for a copy that is posted now, and what is behind it."""
        if self.how == "plain":
            return self.offer(listing, opened, None), None
        worth = Worth(
            listing.auction_id,
            self.how,
            "honest" if burst is None else "wash",
            self.value(self.how, listing.card, opened),
        )
        offer = self.offer(listing, opened, worth, 1.0 if burst is None else burst.height)
        return offer, replace(worth, motive=offer.motive)

    def offer(
        self, listing: Listing, opened: float, worth: Worth | None, height: float = 1.0
    ) -> fate.Offer:
        """What is, or was, asked for a copy, and what comes of it."""
        seed, tempo, card, expires = self._deck.seed, self._tempo, listing.card, listing.expires
        value = None if worth is None else worth.value
        prices = self._deck.card(card).prices(listing.instance_id, value)
        rng = lots("fate", seed, listing.instance_id, listing.posted)
        if worth is None:
            return fate.fate(rng, prices, tempo, opened=opened, expires=float(expires))
        if worth.motive == "wash":
            return fate.wash(rng, prices, tempo, opened=opened, height=height)
        how = worth.prices
        known = fate.Known(noise(seed, card), lambda at: self.value(how, card, at))
        return fate.near(rng, prices, tempo, known, opened=opened, expires=float(expires))

    def bid(self, auction: Auction, at: float) -> int | None:
        """What a bidder offers; None: he does not, for it is too dear, or as dear as a buyout."""
        state, worth, card = auction.state, auction.worth, auction.listing.card
        rng = lots("bid", self._deck.seed, auction.id, state.bids)
        if worth is None:
            price = fate.bid(rng, self._deck.card(card).value, state.next_bid)
            if state.buyout and price >= state.buyout:
                price = state.next_bid
        else:
            value = self.value(worth.prices, card, at)
            price = fate.limit(rng, value, noise(self._deck.seed, card))
            price = min(price, state.buyout - 1) if state.buyout else price
        possible = state.next_bid <= price and (not state.buyout or price < state.buyout)
        return price if possible else None
