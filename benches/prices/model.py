"""Seed and kind in; the auctions of a market whose values are known at each moment out.

Cards differ in how often they sell, how much their price scatters and how fast their value moves.
Among the honest sales are snipes, overpaid ones and bursts of wash trades; asks stand beside them,
some of them far off. Figures in here are the model: a pricer must not know them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

DAY = 86_400.0
EPOCH = 1_788_220_800
"""2026-09-01, 00:00 UTC, in s."""
STEP = 3600.0
"""Between two points of a value's path, s."""
CARDS = 400
RATE, RATE_SPREAD = math.log(2.5), 1.1
"""Of a card's honest sales a day, in logs."""
NOISE = (0.04, 0.09)
"""Scatter of a card's honest prices around its value, in logs."""
VOLATILITY = (0.02, 0.09)
"""Of a card's value in a day, in logs."""
SNIPED, OVERPAID = 0.10, 0.04
LAUNCHED, LAUNCH_HEIGHT, LAUNCH_DAYS = 0.2, (0.4, 1.0), (2.0, 6.0)
"""Cards that came out meanwhile (share), how far over their level, how soon they fall to it."""
PROMO_EVERY, PROMO_DROP = 6.0, (0.06, 0.18)
WASHED, BURSTS, BURST, COPIES_DIFFER = 0.35, (1, 4), (4, 11), 0.3
"""Cards with wash trades (share), bursts of each, sales of one, bursts of several copies."""
SPREAD = 0.45
"""Of cards of one kind, in logs."""
UNSOLD = 1.3
"""Listings that nobody takes for each sale."""
POSITIONS = (
    "QB",
    "HB",
    "WR",
    "TE",
    "LT",
    "LG",
    "C",
    "RG",
    "RT",
    "LE",
    "RE",
    "DT",
    "MLB",
    "CB",
    "FS",
)
PROGRAMS = ("Core", "Legends", "Ultimate", "Season", "Team")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a market does."""

    moves: bool = True
    """Values drift, fall with promos, decay after a launch."""
    washed: float = WASHED
    sniped: float = SNIPED
    median: str = "near"
    """What the upstream shows: `near` the value, of the last 25 sales (`trailing`), or `none`."""


KINDS = {
    "static": Kind(moves=False, washed=0.1),
    "drift": Kind(washed=0.0),
    "drift-wash": Kind(),
    "drift-wash, trailing median": Kind(median="trailing"),
    "drift-wash, no median": Kind(median="none"),
}


@dataclass(slots=True)
class Auction:
    """One listing; times in s since 1970."""

    card: int
    copy: int
    acquired: int
    posted: float
    expires: float
    start: int
    buyout: int
    median: int
    fair: float
    bids: list[tuple[float, int]] = field(default_factory=list)
    via: str | None = None
    final: int | None = None
    ended: float = 0.0
    honest: bool = False


@dataclass(slots=True)
class Card:
    """A card, its habits, and the path of its value."""

    card_id: int
    overall: int
    position: str
    program: str
    rate: float
    noise: float
    volatility: float
    path: list[float]
    """Log value each STEP from the start on."""

    def log_value(self, at: float) -> float:
        """At `at`, s since the start."""
        return _between(self.path, at)


@dataclass(slots=True)
class Made:
    """A market: its cards, its auctions by posting, and the path of the index."""

    seed: int
    days: float
    cards: list[Card]
    auctions: list[Auction]
    index: list[float]

    def index_at(self, when: float) -> float:
        """Log level of the market at `when`, s since 1970."""
        return _between(self.index, when - EPOCH)


def made(seed: int, kind: Kind, days: float = 30.0, cards: int = CARDS) -> Made:
    """A market of so many days."""
    draw = random.Random(f"prices {seed}")
    index = _index(draw, kind, days)
    made_cards = [_card(draw, kind, days, index, place) for place in range(cards)]
    auctions: list[Auction] = []
    copies = iter(range(4_100_000_000, 5_000_000_000))
    for card in made_cards:
        auctions += _Seller(draw, kind, days, card, copies).auctions()
    auctions.sort(key=lambda auction: auction.posted)
    _show_medians(auctions, kind.median)
    return Made(seed, days, made_cards, auctions, index)


def _index(draw: random.Random, kind: Kind, days: float) -> list[float]:
    """Log level of the whole market: slow drift, and falls when a promo comes out."""
    steps = int(days * DAY / STEP) + 2
    if not kind.moves:
        return [0.0] * steps
    drift, level, path = draw.gauss(-0.004, 0.004), 0.0, []
    next_promo = draw.expovariate(1 / PROMO_EVERY)
    fall = 0.0
    for step in range(steps):
        if step * STEP / DAY >= next_promo:
            fall += draw.uniform(*PROMO_DROP)
            next_promo += draw.expovariate(1 / PROMO_EVERY)
        now = fall * (1 - math.exp(-STEP / (8 * 3600)))
        fall -= now
        level += (drift + draw.gauss(0, 0.008) / math.sqrt(24)) * STEP / DAY - now
        path.append(level)
    return path


def _show_medians(auctions: list[Auction], what: str) -> None:
    if what == "near":
        return
    sold = sorted((one for one in auctions if one.final is not None), key=lambda one: one.ended)
    last: dict[int, list[int]] = {}
    place = 0
    for auction in auctions:
        while place < len(sold) and sold[place].ended <= auction.posted:
            last.setdefault(sold[place].card, []).append(sold[place].final or 0)
            place += 1
        prices = sorted(last.get(auction.card, [])[-25:])
        auction.median = prices[len(prices) // 2] if prices and what == "trailing" else 0


def base(overall: int, position: str, program: str) -> float:
    """Log value of such a card, in the middle."""
    effects = random.Random(position).gauss(0, 0.25) + random.Random(program).gauss(0, 0.2)
    return 7.0 + 0.22 * (overall - 80) + effects


def _card(draw: random.Random, kind: Kind, days: float, index: list[float], place: int) -> Card:
    overall = min(99, max(70, round(draw.gauss(85, 6))))
    position, program = draw.choice(POSITIONS), draw.choice(PROGRAMS)
    usual = base(overall, position, program) + draw.gauss(0, SPREAD)
    volatility = draw.uniform(*VOLATILITY) if kind.moves else 0.0
    height, decay = 0.0, 1.0
    if kind.moves and draw.random() < LAUNCHED:
        height, decay = draw.uniform(*LAUNCH_HEIGHT), draw.uniform(*LAUNCH_DAYS)
    launched = draw.uniform(0, days / 2) if height else 0.0
    level, path = usual, []
    for step, market in enumerate(index):
        age = step * STEP / DAY - launched
        launch = height * math.exp(-age / decay) if age >= 0 else height
        path.append(level + market + launch)
        level += draw.gauss(0, volatility) * math.sqrt(STEP / DAY)
    rate = math.exp(draw.gauss(RATE, RATE_SPREAD))
    number = 10_000_000 + place * 7
    noise = draw.uniform(*NOISE)
    return Card(number, overall, position, program, rate, noise, volatility, path)


class _Seller:
    """All listings of one card."""

    def __init__(
        self, draw: random.Random, kind: Kind, days: float, card: Card, copies: Iterator[int]
    ) -> None:
        self.draw, self.kind, self.days, self.card, self.copies = draw, kind, days, card, copies

    def auctions(self) -> list[Auction]:
        """In no order."""
        made: list[Auction] = []
        at = 0.0
        while True:
            at += self.draw.expovariate(self.card.rate / DAY)
            if at >= self.days * DAY:
                break
            made.append(self._sale(at))
        unsold = range(int(len(made) * UNSOLD))
        made += [self._unsold(self.draw.uniform(-0.5, self.days) * DAY) for _ in unsold]
        if self.draw.random() < self.kind.washed:
            for _ in range(self.draw.randint(*BURSTS)):
                made += self._burst(self.draw.uniform(0, self.days) * DAY)
        return [auction for auction in made if auction.posted >= EPOCH]

    def _auction(
        self, posted: float, hours: float, price: float, copy: int | None = None
    ) -> Auction:
        draw = self.draw
        fair = math.exp(self.card.log_value(posted))
        buyout = max(2, round(price))
        start = max(1, int(buyout * draw.uniform(0.4, 0.95)))
        copy = next(self.copies) if copy is None else copy
        acquired = int(EPOCH + posted - draw.uniform(60, 5 * DAY))
        median = max(1, round(fair * draw.uniform(0.94, 1.06)))
        expires = EPOCH + posted + hours * 3600
        return Auction(
            self.card.card_id, copy, acquired, EPOCH + posted, expires, start, buyout, median, fair
        )

    def _sale(self, at: float) -> Auction:
        draw, card = self.draw, self.card
        honest = False
        value = card.log_value(at)
        by_bid = draw.random() < 0.35
        kind = draw.random()
        stood = draw.expovariate(1 / 2400.0)
        if kind < self.kind.sniped:
            price = value + math.log(draw.uniform(0.3, 0.85))
            stood = draw.expovariate(1 / 60.0)
        elif kind < self.kind.sniped + OVERPAID:
            price = value + math.log(draw.uniform(1.12, 1.5))
        else:
            honest = True
            price = value + draw.gauss(-0.02 if by_bid else 0.0, card.noise)
        final = max(2, round(math.exp(price)))
        hours = draw.choice((1, 4, 8, 24))
        if by_bid:
            auction = self._auction(at - hours * 3600, hours, final * draw.uniform(1.1, 1.6))
            auction.start = max(1, int(final * draw.uniform(0.3, 0.9)))
            auction.bids = [(auction.expires - draw.uniform(1, 600), final)]
            auction.via, auction.ended = "bid", auction.expires
        else:
            auction = self._auction(at - min(stood, hours * 3600), hours, final)
            auction.via, auction.ended = "buyout", EPOCH + at
        auction.final, auction.honest = final, honest
        return auction

    def _unsold(self, at: float) -> Auction:
        draw = self.draw
        value = self.card.log_value(max(0.0, at))
        over = 0.03 + abs(draw.gauss(0.0, 0.16))
        if draw.random() < 0.03:
            over = math.log(draw.uniform(3, 10))
        hours = draw.choice((1, 4, 8, 24, 24, 72))
        auction = self._auction(at, hours, math.exp(value + over))
        # what stands below the value is taken, by somebody else's sale or by its owner
        auction.ended = auction.expires
        for hour in range(hours):
            moment = at + hour * 3600
            if math.log(auction.buyout) < self.card.log_value(max(0.0, moment)) - 0.03:
                auction.ended = EPOCH + moment
                auction.via = "cancelled"
                break
        return auction

    def _burst(self, at: float) -> list[Auction]:
        draw = self.draw
        sales, height = draw.randint(*BURST), draw.uniform(1.5, 5.0)
        one = None if draw.random() < COPIES_DIFFER else next(self.copies)
        made = []
        for _ in range(sales):
            at += draw.expovariate(1 / 900.0)
            if at >= self.days * DAY:
                break
            price = math.exp(self.card.log_value(at)) * height * draw.uniform(0.9, 1.1)
            auction = self._auction(at - draw.uniform(5, 60), 1, price, one)
            auction.via, auction.final, auction.ended = "buyout", auction.buyout, EPOCH + at
            made.append(auction)
        return made


def value_at(card: Card, when: float) -> float:
    """The true value at `when`, s since 1970."""
    return math.exp(card.log_value(when - EPOCH))


def _between(path: list[float], at: float) -> float:
    place = min(max(at / STEP, 0.0), len(path) - 1.001)
    low = int(place)
    return path[low] + (path[low + 1] - path[low]) * (place - low)
