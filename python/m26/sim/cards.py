"""A seed in, distinct cards of the real wire shape out, and auctions assembled from them as bytes.

A card is rendered once and cut open where the members of the physical copy stand, so that an
auction costs a few joins and no JSON encoding.
"""

from __future__ import annotations

import bisect
import itertools
import math
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from m26.sim import shape
from m26.sim.definition import CUT, definition, player_values
from m26.sim.lots import Lots, lots

_GOLDEN = 0x9E3779B1
_FIRST_PLAYER, _FIRST_PROGRAM = 10_000, 101
_POPULARITY = 0.9
"""Exponent of the power law: a tenth of the cards makes up two thirds of the market."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What is known of a card's price while one auction of it runs, coins."""

    fair: int
    median: int
    """What the upstream shows as such."""
    least: int
    most: int
    """Of listings."""

    def within(self, price: float, step: int = 50) -> int:
        """A price that a seller may ask, in such steps."""
        return min(self.most, max(self.least, round(price / step) * step))


@dataclass(frozen=True, slots=True, eq=False)
class Card:
    """One card's definition, rendered up to what belongs to a copy."""

    card_id: int
    name: str
    overall: int
    value: int
    """What the market pays for it, coins; where prices move, about what it usually pays."""
    parts: tuple[bytes, bytes, bytes, bytes]

    def prices(self, instance_id: int, value: float | None = None) -> Prices:
        """Its prices while one copy is on offer: the median is off by up to 6 %.

        Args:
            instance_id: the copy.
            value: what the card is worth; default: its own value.
        """
        fair = self.value if value is None else max(1, round(value))
        drawn = instance_id * _GOLDEN % 1_000 / 1_000
        median = round(fair * (0.94 + 0.12 * drawn))
        least = max(100, median // 250 * 50)
        return Prices(fair, median, least, max(10 * least, median // 10 * 50))

    def copy(self, *, instance_id: int, acquired: int) -> bytes:
        """The wire form of one physical copy.

        Args:
            instance_id: its cardInstanceId.
            acquired: when its owner got it, microseconds since 1970.
        """
        date = datetime.fromtimestamp(acquired / 1e6, UTC).strftime('"%m/%d/%Y"')
        one, two, three, four = self.parts
        members = (one, b"%d" % acquired, two, date.encode(), three, b"%d" % instance_id, four)
        return b"".join(members)


class Deck:
    """`size` distinct cards, each a function of the seed and its number alone."""

    def __init__(self, seed: int, size: int = 3000) -> None:
        self.seed = seed
        self.size = size
        self._cards: dict[int, Card] = {}
        weights = (1 / (rank + 1) ** _POPULARITY for rank in range(size))
        self._cumulative = list(itertools.accumulate(weights))

    def card(self, number: int) -> Card:
        """Card `number` (0 to size - 1), rendered at its first use."""
        card = self._cards.get(number)
        if card is None:
            card = self._cards[number] = _render(self.seed, number, self.size)
        return card

    def number(self, card_id: int) -> int:
        """The number of the card with that id.

        Raises:
            ValueError: there is none.
        """
        program, player = divmod(card_id, 100_000)
        place = player - _FIRST_PLAYER
        number = (program - _FIRST_PROGRAM) * _players(self.size) + place
        if not (0 <= place < _players(self.size) and 0 <= number < self.size):
            raise ValueError(f"no card {card_id}")
        return number

    def draw(self, rng: Lots) -> int:
        """The number of a card, popular ones more often."""
        return bisect.bisect(self._cumulative, rng.random() * self._cumulative[-1])


def auction_json(  # noqa: PLR0913 - each is a member on the wire
    card: Card,
    *,
    auction_id: int,
    instance_id: int,
    acquired: int,
    buyout: int,
    current_bid: int,
    next_bid: int,
    bids: int,
    posted: int,
    seconds_remaining: int,
    status: str = "ACTIVE",
    value: float | None = None,
) -> bytes:
    """One element of ``details``, compact, its own numbers after the card as on the wire.

    Args:
        card: the definition that is sold.
        auction_id: its id.
        instance_id: the physical copy.
        acquired: when the seller got the copy, microseconds since 1970.
        buyout: coins; 0 for none.
        current_bid: coins; the start price while there is no bid.
        next_bid: least next bid, coins.
        bids: number of bids.
        posted: seconds since 1970.
        seconds_remaining: until it ends; 0 once it did.
        status: what follows ``AUCTIONSTATUS_``.
        value: what the card was worth when it was posted; default: its own value.
    """
    prices = card.prices(instance_id, value)
    return b"".join(
        (
            b'{"auctionId":%d,"buyoutPrice":%d,"buyerId":1,"card":' % (auction_id, buyout),
            card.copy(instance_id=instance_id, acquired=acquired),
            b',"currentBid":%d,"secondsRemaining":%d' % (current_bid, seconds_remaining),
            b',"medianAuctionPrice":%d,"maxListingPrice":%d' % (prices.median, prices.most),
            b',"minListingPrice":%d,"nextBid":%d' % (prices.least, next_bid),
            b',"numberOfBids":%d' % bids,
            b',"postingTime":%d,"sellerId":1,"auctionStatus":"AUCTIONSTATUS_' % posted,
            status.encode(),
            b'"}',
        )
    )


def _render(seed: int, number: int, size: int) -> Card:
    rng = lots("card", seed, number)
    players = _players(size)
    player = _FIRST_PLAYER + number % players  # last five digits of a card id name the player
    program = _FIRST_PROGRAM + number // players
    first, last = _name(seed, player)
    overall = min(99, max(62, round(rng.gauss(78, 7))))
    value = max(150, round(300 * math.exp((overall - 70) / 5.2) * rng.lognormvariate(0, 0.2)))
    values = player_values(rng, player, program, overall, first, last)
    block = orjson.Fragment(orjson.dumps({name: values[name] for name in shape.PLAYER_FIELDS}))
    card_id = program * 100_000 + player
    members = definition(rng, card_id, values, block, value)
    one, two, three, four = orjson.dumps(members).split(CUT)
    return Card(card_id, f"{first} {last}", overall, value, (one, two, three, four))


def _players(size: int) -> int:
    return max(1, math.ceil(size / len(shape.PROGRAMS)))


def _name(seed: int, player: int) -> tuple[str, str]:
    rng = lots("name", seed, player)
    return rng.choice(shape.FIRST_NAMES), rng.choice(shape.LAST_NAMES)
