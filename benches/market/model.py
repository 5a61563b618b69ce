"""Seed and sizes in; the auctions of a made-up market out, as `trace.Trace`.

Arrivals and the pace of buyers follow the hour; how soon a buyout comes follows its price against
the median; bids come late. Figures in here are the model: a planner must not know them.
"""

from __future__ import annotations

import heapq
import math
import random
from bisect import bisect_right
from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from tempfile import gettempdir

from benches.market import trace as files
from benches.market.trace import BID, BUYOUT, CANCELLED, DAY, EXPIRED, SOLD, US, Trace

EPOCH = 1_788_220_800
"""2026-09-01, 00:00 UTC, in s."""
WARM = 3.0
"""Days before the start, so that it finds auctions of every age."""
HOURS = (
    *(1.25, 1.0, 0.75, 0.55, 0.4, 0.29, 0.42, 0.55, 0.65, 0.65, 0.65, 0.65),
    *(0.65, 0.65, 0.7, 0.75, 0.9, 1.2, 1.3, 1.6, 2.2, 2.32, 2.3, 1.8),
)
"""Arrivals by hour (UTC) against their mean; between the middles of hours they change evenly."""
H = 3600
MIXES: dict[str, tuple[tuple[int, float], ...]] = {
    "default": ((H, 0.15), (4 * H, 0.10), (8 * H, 0.15), (24 * H, 0.55), (72 * H, 0.05)),
    "thirds": ((H, 1 / 3), (8 * H, 1 / 3), (24 * H, 1 / 3)),
    "held-1": ((H // 2, 0.1), (2 * H, 0.2), (12 * H, 0.4), (24 * H, 0.2), (48 * H, 0.1)),
    "held-2": ((H, 0.35), (8 * H, 0.05), (12 * H, 0.3), (24 * H, 0.3)),
}
"""Durations in s, and their shares. No planner is to be tuned on those that are held back."""

CARDS = 3000
RATIO, RATIO_SPREAD = math.log(1.0), 0.38
"""Of the buyout against the median, in logs."""
TIME_AT_03, TIME_SLOPE, TIME_SPREAD = 3.1, 14.0, 2.6
"""Log seconds to a buyout: where the ratio is 0.3, for each 1 more of it, and their spread."""
PACE = 0.5
"""Buyers' pace goes with this power of the arrivals."""
WANTED = 0.445
"""Share of listings whose start price finds bidders if nobody buys them out before."""
WITHDRAWN = 0.049
"""Share whose seller would withdraw them if nobody came first."""
SOLD_AGAIN, EXPIRED_AGAIN = 0.12, 0.55
"""Shares listed again."""
LAST_10_S, LAST_3_MIN, LATE = 0.2, 0.5, 0.6
"""Shares of last bids that come so late; LATE is within 15 min."""


@dataclass(frozen=True, slots=True)
class Market:
    """What a trace is made of."""

    seed: int = 1
    per_day: int = 100_000
    days: float = 3.1
    mix: str = "default"
    late_bids: float = 1.0
    """So many times as many last bids are late."""
    buyout_speed: float = 1.0
    """Buyers come so many times as fast."""
    withdrawals: float = 1.0

    @property
    def name(self) -> str:
        """Of its file in a cache."""
        return "-".join(str(value) for value in asdict(self).values()) + f"-{_VERSION}.trace"


_VERSION = 5
"""Raised with every change of the model: a cached trace of another one is not taken."""


def made(market: Market, cache: Path | None = None) -> Trace:
    """The market's trace, from the cache (default: a folder for temporary files) if it is there."""
    folder = cache or Path(gettempdir()) / "m26-market"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / market.name
    if not path.exists():
        files.save(generate(market), path)
    return files.load(path)


class Clock:
    """Rates by minute of the day, and the time at which so much of a rate has passed."""

    def __init__(self, rates: list[float]) -> None:
        mean = sum(rates) / len(rates)
        self.rates = [rate / mean for rate in rates]
        self._passed = [0.0, *accumulate(rate * 60 for rate in self.rates)]

    def passed(self, at: float) -> float:
        """Seconds at the mean rate from midnight of the first day to `at`, s since then."""
        day, second = divmod(at, 86_400.0)
        minute = int(second // 60)
        rest = (second - minute * 60) * self.rates[minute % 1440]
        return day * 86_400.0 + self._passed[minute] + rest

    def when(self, passed: float) -> float:
        """The inverse of `passed`."""
        day, rest = divmod(passed, 86_400.0)
        minute = min(bisect_right(self._passed, rest) - 1, 1439)
        return day * 86_400.0 + minute * 60 + (rest - self._passed[minute]) / self.rates[minute]


def hourly(power: float = 1.0) -> Clock:
    """The day's shape."""
    rates = []
    for minute in range(1440):
        hour, share = divmod(minute / 60 + 23.5, 1)
        low, high = HOURS[int(hour) % 24], HOURS[int(hour + 1) % 24]
        rates.append((low + (high - low) * share) ** power)
    return Clock(rates)


@dataclass(slots=True)
class _Card:
    card_id: int
    price: float


def generate(market: Market) -> Trace:
    """Auctions alive at the start or posted until the end of the run."""
    draw = random.Random(f"market {market.seed}")
    seller = _Seller(market, draw)
    header = {"schema": 1, "epoch": EPOCH, "seed": market.seed, "per_day": market.per_day}
    header |= {"days": market.days, "mix": market.mix, "warm": WARM}
    trace = Trace(header)
    arrivals, warm, gap = hourly(), WARM * 86_400, 86_400 / market.per_day
    until = warm + market.days * 86_400
    passed = 0.0
    while True:
        passed += draw.expovariate(1.0) * gap
        posted = arrivals.when(passed)
        if posted >= until:
            return trace
        seller.post(trace, int(posted), keep=warm)


class _Seller:
    """Posts one listing after another, and lists again what came back."""

    def __init__(self, market: Market, draw: random.Random) -> None:
        self.market, self.draw = market, draw
        self.buyers = hourly(PACE)
        self.next_id, self.next_copy = 57_000_000, 4_100_000_000
        self.cards = [
            _Card(10_000_000 + i * 7, min(900_000.0, 400 * math.exp(abs(draw.gauss(0, 1.9)))))
            for i in range(CARDS)
        ]
        self.again: list[tuple[float, int, int, int]] = []
        self.durations = [seconds for seconds, _ in MIXES[market.mix]]
        self.shares = list(accumulate(share for _, share in MIXES[market.mix]))
        late = min(1.0, LATE * market.late_bids)
        self.late = (LAST_10_S / LATE * late, LAST_3_MIN / LATE * late, late)

    def post(self, trace: Trace, posted: int, *, keep: float) -> None:
        """One listing at `posted`, s since the market began; kept if it ends after `keep`."""
        draw = self.draw.random
        self.next_id += 1 + int(draw() * 5)
        if self.again and self.again[0][0] <= posted:
            _, card, copy, acquired = heapq.heappop(self.again)
        else:
            card, copy = int(CARDS * draw() ** 2.2), self.next_copy
            acquired = posted - int(30 + draw() ** 3 * 400_000)
            self.next_copy += 1 + int(draw() * 9)
        fair = self.cards[card].price
        median = max(1, round(fair * (0.94 + 0.12 * draw())))
        buyout, start = self._prices(median)
        duration = self.durations[bisect_right(self.shares, draw() * self.shares[-1] * 0.9999999)]
        life = self._life(posted, duration, buyout, start, buyout / median)
        outcome, via, final, ended, bids = life
        self._list_again(outcome, ended, card, copy, acquired)
        if ended <= keep:
            return
        zero = (EPOCH - int(keep)) * US
        trace.ids.append(self.next_id)
        trace.cards.append(self.cards[card].card_id)
        trace.copies.append(copy)
        trace.acquired.append(EPOCH - int(keep) + acquired)
        trace.posted.append(zero + posted * US)
        trace.expires.append(zero + (posted + duration) * US)
        trace.start.append(start)
        trace.buyout.append(buyout)
        trace.fair.append(round(fair))
        trace.median.append(median)
        for at, price in bids:
            trace.bid_at.append(zero + int(at * US))
            trace.bid_price.append(price)
        trace.first_bid.append(len(trace.bid_at))
        trace.outcome.append(outcome)
        trace.via.append(via)
        trace.final.append(final)
        trace.ended.append(zero + int(ended * US))

    def _prices(self, median: int) -> tuple[int, int]:
        gauss, draw = self.draw.gauss, self.draw.random
        ratio = math.exp(gauss(RATIO, RATIO_SPREAD))
        buyout = max(2, round(median * min(4.0, max(0.12, ratio))))
        return buyout, max(1, min(buyout - 1, int(buyout * (0.45 + 0.5 * draw()))))

    def _life(
        self, posted: int, duration: int, buyout: int, start: int, ratio: float
    ) -> tuple[int, int, int, float, list[tuple[float, int]]]:
        """Outcome, by what, final price, end, and bids."""
        draw = self.draw.random
        expires = posted + duration
        bought = math.inf
        if ratio < 2.5:
            wait = TIME_AT_03 + TIME_SLOPE * (ratio - 0.3)
            wait = math.exp(wait + self.draw.gauss(0, TIME_SPREAD)) / self.market.buyout_speed
            if wait < 400_000:
                bought = self.buyers.when(self.buyers.passed(posted) + wait)
        wanted = draw() < WANTED * min(1.6, 1.25 / (0.25 + ratio))
        bids = self._bids(posted, duration, start, buyout) if wanted else []
        withdrawn = math.inf
        if draw() < WITHDRAWN * self.market.withdrawals:
            withdrawn = posted + duration * draw()
        if withdrawn < min(expires, bought, bids[0][0] if bids else expires):
            return CANCELLED, 0, 0, withdrawn, []
        if bought < expires:
            return SOLD, BUYOUT, buyout, bought, [bid for bid in bids if bid[0] < bought]
        if bids:
            return SOLD, BID, bids[-1][1], float(expires), bids
        return EXPIRED, 0, 0, float(expires), []

    def _bids(self, posted: int, duration: int, start: int, buyout: int) -> list[tuple[float, int]]:
        draw = self.draw.random
        last = self._last_bid(posted, duration)
        times = [last]
        while draw() < 0.5 and len(times) < 30:
            early = posted + (last - posted) * draw()
            times.append(min(last, early if draw() > LATE else self._last_bid(posted, duration)))
        times.sort()
        price, bids = start, []
        for at in times:
            bids.append((at, price))
            price = max(price + 1, int(price * (1.02 + 0.12 * draw())))
            if price >= buyout:
                break
        return bids

    def _last_bid(self, posted: int, duration: int) -> float:
        draw = self.draw.random
        ten, three, late = self.late
        kind = draw()
        if kind < ten:
            before = 0.05 + draw() * 9.9
        elif kind < three:
            before = 10 + draw() * 170
        elif kind < late:
            before = 180 + draw() * min(720, duration / 2)
        else:
            before = duration * draw()
        return posted + max(0.01, duration - before)

    def _list_again(self, outcome: int, ended: float, card: int, copy: int, acquired: int) -> None:
        draw = self.draw.random
        if outcome == SOLD and draw() < SOLD_AGAIN:
            acquired = int(ended)
        elif outcome != EXPIRED or draw() >= EXPIRED_AGAIN:
            return
        wait = draw() * 3600 if draw() < 0.9 else draw() * 6 * 3600
        heapq.heappush(self.again, (ended + 1 + wait, card, copy, acquired))


def shares(trace: Trace) -> dict[str, float]:
    """Percent of the listings posted after the start by how they ended."""
    counts = {"buyout": 0, "bid": 0, "expired": 0, "cancelled": 0}
    names = {(SOLD, BUYOUT): "buyout", (SOLD, BID): "bid", (EXPIRED, 0): "expired"}
    posted = 0
    for i in range(len(trace)):
        if trace.posted[i] >= trace.epoch:
            posted += 1
            counts[names.get((trace.outcome[i], trace.via[i]), "cancelled")] += 1
    return {name: 100 * count / max(1, posted) for name, count in counts.items()}


def per_hour(trace: Trace) -> list[int]:
    """Auctions posted in each hour of the first day, as the trace has them."""
    bounds = [trace.epoch + hour * DAY // 24 for hour in range(25)]
    places = [bisect_right(trace.posted, bound - 1) for bound in bounds]
    return [high - low for low, high in pairwise(places)]
