"""What who is told the honest sales, the index and each card's habits makes of a market."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from statistics import median

from benches.prices.model import DAY, EPOCH, SPREAD, Auction, Card, Made, base

LAST = 60
HALF = 1.2816


class Oracle:
    """A local level on log price (Harvey 1989) with everything given but the values themselves."""

    def __init__(self, market: Made) -> None:
        self.market = market
        self.sales: dict[int, list[Auction]] = {card.card_id: [] for card in market.cards}
        for auction in sorted(market.auctions, key=lambda one: one.ended):
            if auction.final is not None:
                self.sales[auction.card].append(auction)
        self.ends = {card: [one.ended for one in sales] for card, sales in self.sales.items()}

    def honest(self, card: Card, when: float, days: float = math.inf) -> list[Auction]:
        """Honest sales up to `when`, of the last `days`."""
        sales = self.sales[card.card_id][: bisect_right(self.ends[card.card_id], when)]
        return [one for one in sales if one.honest and one.ended > when - days * DAY]

    def value(self, card: Card, when: float) -> tuple[float, float, float]:
        """Fair, low and high."""
        index = self.market.index_at
        now = index(when)
        mean, variance = base(card.overall, card.position, card.program) + now, SPREAD**2
        noise = max(card.noise, 0.001) ** 2
        before = None
        for sale in self.honest(card, when)[-LAST:]:
            if before is not None:
                variance += card.volatility**2 * (sale.ended - before) / DAY
            before = sale.ended
            seen = math.log(sale.final or 1) - index(sale.ended) + now
            gain = variance / (variance + noise)
            mean += gain * (seen - mean)
            variance *= 1 - gain
        if before is not None:
            variance += card.volatility**2 * (when - before) / DAY
        half = HALF * math.sqrt(variance)
        return math.exp(mean), math.exp(mean - half), math.exp(mean + half)

    def median_of_25(self, card: Card, when: float) -> float | None:
        """Of the last 25 sales, whatever they are."""
        count = bisect_right(self.ends[card.card_id], when)
        last = self.sales[card.card_id][max(0, count - 25) : count]
        return median(one.final or 0 for one in last) if last else None


def moments(market: Made, count: int) -> list[float]:
    """Moments of the last third, s since 1970."""
    draw = random.Random(f"moments {market.seed}")
    low, high = market.days * 2 / 3, market.days
    return sorted(EPOCH + draw.uniform(low, high) * DAY for _ in range(count))
