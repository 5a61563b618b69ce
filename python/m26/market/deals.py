"""Asks and fair prices in; what buying and selling on would give, and how sure that is, out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import log
from statistics import NormalDist
from typing import Any, Literal, TypeAlias

from m26.market.rows import DealView

Order: TypeAlias = Literal["expected", "profit", "roi", "newest"]

_NORMAL = NormalDist()
_HALF = _NORMAL.inv_cdf(0.9)
"""Standard deviations from a fair price to the ends of its range, which holds four of five."""
_KEPT = 0.9
"""A seller's share of a price."""
_FEWEST = 3
"""Sales below which a fair price is a range first."""
_SURE = 0.8
"""As sure as a sale has to be to count, too."""

_OLD = 900.0
"""A bargain is mostly taken within minutes: an ask that was not seen for longer is hardly there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which deals are told."""

    min_profit: int = 1
    min_roi: float = 0.0
    min_sales: int = _FEWEST
    """Of the fair price."""
    min_confidence: float = _SURE
    max_price: int | None = None
    max_age: float | None = _OLD
    """Seconds since the ask was seen last; None: any."""
    position: str | None = None
    min_overall: int | None = None
    order: Order = "expected"

    def takes(self, deal: DealView) -> bool:
        """Whether it is one of them."""
        return (
            deal["profit"] >= self.min_profit
            and deal["roi"] >= self.min_roi
            and deal["n"] >= self.min_sales
            and deal["confidence"] >= self.min_confidence
            and (self.max_price is None or deal["buyout_price"] <= self.max_price)
            and (self.max_age is None or deal["age"] <= self.max_age)
            and (self.position is None or deal["position"] == self.position)
            and (self.min_overall is None or (deal["overall"] or 0) >= self.min_overall)
        )


ANY = Wanted()


def deals(asks: Iterable[Mapping[str, Any]], wanted: Wanted) -> list[DealView]:
    """Asks with the prices of their cards, those that promise most first."""
    found = [deal for ask in asks if wanted.takes(deal := _deal(ask))]
    keys = {
        "expected": lambda deal: -deal["profit"] * deal["confidence"],
        "profit": lambda deal: -deal["profit"],
        "roi": lambda deal: -deal["roi"],
        "newest": lambda deal: -deal["auction_id"],
    }
    return sorted(found, key=lambda deal: (keys[wanted.order](deal), deal["auction_id"]))


def _deal(ask: Mapping[str, Any]) -> DealView:
    price, fair, net = ask["buyout_price"], ask["fair"], ask["net"]
    made = {
        **ask,
        "profit": net - price,
        "roi": round((net - price) / price, 4),
        "discount": round(1 - price / fair, 4),
        "confidence": round(_sure(price, fair, ask["fair_low"], ask["fair_high"]), 4),
    }
    return {name: made[name] for name in DealView.__annotations__}  # type: ignore[return-value]


def _sure(price: int, fair: int, low: int, high: int) -> float:
    """How sure it is that nine tenths of the card's worth are more than the price."""
    apart, spread = log(fair * _KEPT / price), log(high / low) / (2 * _HALF)
    return _NORMAL.cdf(apart / spread) if spread > 0 else float(apart > 0)
