"""Auctions in, pages of them out: in the order in which the upstream lists them now."""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from m26.sim.behaviour import Behaviour
from m26.sim.lots import Lots
from m26.sim.records import Listing, State, Worth


@dataclass(slots=True)
class Auction:
    """One auction as it stands now."""

    listing: Listing
    state: State
    lot: float = field(default=0.0, kw_only=True)
    """Its place in a list that has no order."""
    worth: Worth | None = field(default=None, kw_only=True)
    """What was behind its price, where prices were not plain when it was posted."""

    @property
    def ended(self) -> float | None:
        """When it ended; None while it is alive."""
        return None if self.state.status == "ACTIVE" else self.state.at

    @property
    def id(self) -> int:
        """Its auctionId."""
        return self.listing.auction_id

    def seconds_remaining(self, now: int) -> int:
        """Seconds until it ends, seen at `now`; 0 once it did."""
        return 0 if self.ended is not None else max(0, self.listing.expires - now)


_Place = tuple[float, int, int]
"""What an auction is sorted by, and its id."""


class Shelf:
    """All that a search can find: what is alive, and what ended and is still shown."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self._auctions: dict[int, Auction] = {}
        self._places: list[_Place] = []  # sorted
        self._ended: deque[Auction] = deque()  # the first to end first

    def __len__(self) -> int:
        return len(self._auctions)

    def __getitem__(self, auction_id: int) -> Auction:
        return self._auctions[auction_id]

    @property
    def ended(self) -> int:
        """How many of them have ended."""
        return len(self._ended)

    def get(self, auction_id: int) -> Auction | None:
        """The auction of that id, if it is here."""
        return self._auctions.get(auction_id)

    def behave(self, behaviour: Behaviour) -> None:
        """List like this from now on."""
        self.behaviour = behaviour
        self._places = sorted(map(self._place, self._auctions.values()))

    def add(self, auction: Auction) -> None:
        """Put an auction in its place."""
        self._auctions[auction.id] = auction
        bisect.insort(self._places, self._place(auction))

    def end(self, auction: Auction) -> None:
        """Take note that an auction has ended."""
        self._ended.append(auction)

    def clear(self, until: float) -> None:
        """Take out what ended no later than `until`, seconds since 1970."""
        while self._ended and self._ended[0].state.at <= until:
            auction = self._ended.popleft()
            del self._auctions[auction.id]
            del self._places[bisect.bisect_left(self._places, self._place(auction))]

    def page(
        self, offset: int, count: int, rng: Lots, wanted: Callable[[Auction], bool] | None = None
    ) -> list[Auction]:
        """A page.

        Args:
            offset: how many to pass over.
            count: how many at the most.
            rng: draws a page where each request gets another one.
            wanted: whether an auction counts; default: all do.
        """
        places = self._places
        if wanted is not None:
            places = [place for place in places if wanted(self._auctions[place[-1]])]
        if self.behaviour.order == "random":
            found = rng.sample(places, min(count, len(places)))
        else:
            found = places[offset : min(offset + count, self.behaviour.truncate or len(places))]
        return [self._auctions[place[-1]] for place in found]

    def _place(self, auction: Auction) -> _Place:
        match self.behaviour.order:
            case "ending":
                return auction.listing.expires, auction.id, auction.id
            case "none":
                return auction.lot, 0, auction.id
        return -auction.listing.posted, -auction.id, auction.id
