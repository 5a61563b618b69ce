"""The bound without foresight: what a planner could reach that knows every rate, but no event.

Of a trace only frequencies are taken: how long listings live (those that are sold apart), how many
come by hour of the day, and how many are sold.

Seen: pages at the newest edge, spread over the hours as serves best. A listing is seen if it lives
up to the next page, and a page holds so many; each further page is one more request.

Known: sales so cheap that nine of ten such listings are bought out, once seen; and the requests
that remain read a batch each of auctions that did sell. That is not tight where
requests run short: nobody knows beforehand which are sold. Nor is it where a refresh tells less.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from itertools import accumulate

from benches.market.trace import BUYOUT, DAY, SOLD, US, Trace
from benches.market.variants import Flags, Variant

SURE = 0.9
GAPS = tuple(1.5 * 1.13**step for step in range(60))
"""Seconds between two looks that are tried."""
SHARES = tuple(step / 40 for step in range(41))
"""Shares of the requests for pages that are tried."""


def covers(flags: Flags) -> bool:
    """Whether there is a bound; where what is newest cannot be found there is none so simple."""
    return flags.order == "newest"


def tight(flags: Flags) -> bool:
    """Whether a refresh tells as much as the bound takes it to."""
    return flags.ended == "full" and flags.ended_price == "final"


def bound(trace: Trace, variant: Variant) -> tuple[float, float]:
    """Percent of the listings that can be seen, and of the sales that can be known."""
    rates = _Rates(trace)
    flags, requests = variant.flags, variant.requests * (1 - variant.flags.loss)
    if flags.visible > 600:
        return 100.0, 100.0
    most = rates.seen(requests, flags)
    best = 0.0
    for share in SHARES:
        sold_seen = rates.seen(requests * share, flags, sold=True)
        reads = requests * (1 - share) * flags.batch / rates.a_day
        best = max(best, min(sold_seen, rates.sure * sold_seen + reads / rates.sales))
    return 100 * most, 100 * best


class _Rates:
    """Frequencies of a trace."""

    def __init__(self, trace: Trace) -> None:
        first = bisect_left(trace.posted, trace.epoch)
        past = bisect_left(trace.posted, trace.posted[-1] // DAY * DAY)
        past = past if past > first else len(trace)
        listed = range(first, past)
        sold = [i for i in listed if trace.outcome[i] == SOLD]
        self.lives = self._lives(trace, listed)
        self.sold_lives = self._lives(trace, sold)
        days = (trace.posted[past - 1] - trace.epoch) / DAY
        self.a_day = len(listed) / days
        hours = Counter((trace.posted[i] - trace.epoch) * 24 // DAY % 24 for i in listed)
        self.hours = [hours[hour] / days / 3600 for hour in range(24)]
        self.sales = len(sold) / len(listed)
        self.sure = self._sure(trace, listed) / len(sold)

    @staticmethod
    def _lives(trace: Trace, listed: range | list[int]) -> tuple[list[float], list[float]]:
        lives = sorted((trace.ended[i] - trace.posted[i]) / US for i in listed)
        return lives, [0.0, *accumulate(lives)]

    @staticmethod
    def _sure(trace: Trace, listed: range) -> int:
        """Sales among listings of a price at which nearly all are bought out."""
        posted: Counter[int] = Counter()
        bought: Counter[int] = Counter()
        for i in listed:
            if trace.buyout[i]:
                ratio = 40 * trace.buyout[i] // max(1, trace.median[i])
                posted[ratio] += 1
                bought[ratio] += trace.via[i] == BUYOUT
        return sum(count for ratio, count in bought.items() if count >= SURE * posted[ratio])

    @staticmethod
    def _met(lives: tuple[list[float], list[float]], gap: float) -> float:
        """Share that lives up to the next of looks `gap` s apart."""
        values, sums = lives
        short = bisect_right(values, gap)
        return (sums[short] / gap + len(values) - short) / max(1, len(values))

    def seen(self, requests: float, flags: Flags, *, sold: bool = False) -> float:
        """Most that can be seen with so many page requests a day, as a share.

        Of an hour every gap costs requests and shows listings; the best mix of gaps is where one
        more request shows as much in every hour: a search for that price.
        """
        lives = self.sold_lives if sold else self.lives
        one_page = not flags.paging or 0 < flags.truncate <= flags.page
        options = []
        for rate in self.hours:
            of_hour = [(0.0, 0.0)]
            for gap in GAPS:
                pages = rate * gap / flags.page
                met = self._met(lives, gap)
                shown = met if pages <= 1 or not one_page else met / pages
                cost = max(1.0, pages if not one_page else 1.0) * 3600 / gap
                of_hour.append((cost, shown * rate * 3600))
            options.append(of_hour)
        low, high = 0.0, 1e6
        for _ in range(60):
            price = (low + high) / 2
            cost, _shown = self._chosen(options, price)
            low, high = (price, high) if cost > requests else (low, price)
        # Between two prices the total jumps; the rest of the requests is spent at the price itself.
        cost, shown = self._chosen(options, high)
        return min(1.0, (shown + max(0.0, requests - cost) * high) / self.a_day)

    @staticmethod
    def _chosen(options: list[list[tuple[float, float]]], price: float) -> tuple[float, float]:
        best = [max(each, key=lambda pair: pair[1] - price * pair[0]) for each in options]
        return sum(cost for cost, _ in best), sum(shown for _, shown in best)
