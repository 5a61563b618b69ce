"""A seed in; pages of auctions in the real wire shape out, as bytes and as journal records.

Cards and envelope are the simulator's own, so that the shape stands in one place.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice

from m26.models import Page, Record
from m26.sim import replies
from m26.sim.cards import Deck, auction_json
from m26.sim.lots import lots
from m26.upstream.profile import Profile

SEED = 26
KNOWN_CARDS = 3_000
PER_PAGE = 100
BATCH = 20
"""Pages of one batch, the unit that is parsed and committed."""
PLATFORM = "sim"
RULES = Profile.load("sim").card
COMMAND = "Mobile_SearchAuctions"
START = 1_790_000_000
"""Server time of the first page, seconds since 1970."""
_LIFE = 86_400
_STEP = 50


@dataclass(frozen=True, slots=True)
class Lot:
    """An auction that can be rendered again at a later time."""

    number: int
    """Of its card in the deck."""
    auction_id: int
    acquired: int
    buyout: int
    current_bid: int
    next_bid: int
    bids: int
    posted: int


class Market:
    """Auctions nobody has seen before, drawn from one seed.

    Cards 0 to 2,999 are the known ones, drawn with the deck's skewed popularity; the `unseen`
    ones behind them are each drawn once, for batches that show new cards.
    """

    def __init__(self, *, seed: int = SEED, unseen: int = 0, first_id: int = 1) -> None:
        self._deck = Deck(seed, KNOWN_CARDS + unseen)
        self._rng = lots("bench", seed)
        self._ids = count(first_id)
        self._unseen = iter(range(KNOWN_CARDS, KNOWN_CARDS + unseen))

    def lots(self, number: int, *, at: int, new_cards: int = 0) -> list[Lot]:
        """`number` fresh auctions as they stand at `at`, `new_cards` of them of unseen cards."""
        cards = [*islice(self._unseen, new_cards)]
        cards += [self._popular() for _ in range(number - new_cards)]
        self._rng.shuffle(cards)
        return [self._lot(card, at) for card in cards]

    def bid(self, lots: Sequence[Lot], *, share: float) -> list[Lot]:
        """`lots` a while later: `share` of them, drawn anew, have got one more bid."""
        bidden = set(self._rng.sample(range(len(lots)), round(len(lots) * share)))
        return [_with_bid(lot) if place in bidden else lot for place, lot in enumerate(lots)]

    def catalogue(self, *, at: int = START) -> list[bytes]:
        """Pages that show every known card once."""
        return list(self.pages([self._lot(card, at) for card in range(KNOWN_CARDS)], at=at))

    def batch(self, *, at: int = START, pages: int = BATCH, new_cards: int = 0) -> list[bytes]:
        """Pages of fresh auctions."""
        return list(self.pages(self.lots(pages * PER_PAGE, at=at, new_cards=new_cards), at=at))

    def pages(self, lots: Sequence[Lot], *, at: int) -> Iterator[bytes]:
        """Search replies served at `at`, seconds since 1970, that show `lots`."""
        for begin in range(0, len(lots), PER_PAGE):
            shown = (self._render(lot, at) for lot in lots[begin : begin + PER_PAGE])
            cached = (START - 3_600) * 1_000_000
            yield replies.auctions(COMMAND, shown, shown=array("q"), now=at, cached=cached).body

    def _popular(self) -> int:
        while (number := self._deck.draw(self._rng)) >= KNOWN_CARDS:
            pass
        return number

    def _lot(self, number: int, at: int) -> Lot:
        rng, value = self._rng, self._deck.card(number).value
        start = max(100, round(value * rng.uniform(0.1, 0.9) / 50) * 50)
        bids = rng.choice((0, 0, 0, 1, 2, 5))
        return Lot(
            number=number,
            auction_id=next(self._ids),
            acquired=(at - rng.randint(_LIFE, 5 * _LIFE)) * 1_000_000,
            buyout=0 if rng.random() < 0.15 else start + 50 * rng.randint(8, 40),
            current_bid=start,
            next_bid=start + 50 if bids else start,
            bids=bids,
            posted=at - rng.randint(0, _LIFE // 2),
        )

    def _render(self, lot: Lot, at: int) -> bytes:
        return auction_json(
            self._deck.card(lot.number),
            auction_id=lot.auction_id,
            instance_id=4_000_000_000 + lot.auction_id,
            acquired=lot.acquired,
            buyout=lot.buyout,
            current_bid=lot.current_bid,
            next_bid=lot.next_bid,
            bids=lot.bids,
            posted=lot.posted,
            seconds_remaining=lot.posted + _LIFE - at,
        )


def _with_bid(lot: Lot) -> Lot:
    return replace(lot, current_bid=lot.next_bid, next_bid=lot.next_bid + _STEP, bids=lot.bids + 1)


def records(bodies: Iterable[bytes], *, start: int = 0) -> list[Record]:
    """`bodies` as the journal gives them out, from position `start` on."""
    return [Record(start + i, page(body)) for i, body in enumerate(bodies)]


def stream(bodies: Sequence[bytes], *, start: int = 0) -> list[list[Record]]:
    """`bodies` in the batches that are committed one after the other."""
    return [
        records(bodies[begin : begin + BATCH], start=start + begin)
        for begin in range(0, len(bodies), BATCH)
    ]


def page(body: bytes, fetched_at: int = 0, *, platform: str = PLATFORM) -> Page:
    """One reply as the collector hands it on; `fetched_at` in microseconds."""
    return Page(
        account=f"bench on {platform}",
        platform=platform,
        command=COMMAND,
        query='{"filters":[],"itemName":""}',
        status=200,
        content_type="application/json",
        fetched_at=fetched_at,
        body=body,
    )
