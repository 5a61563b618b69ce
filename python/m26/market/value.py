"""Sales, asks and shown medians in; what cards are worth, and how sure that is, out.

The method is that of ``rust/src/price``: a local level on log price less the market's index,
Student-t noise, a prior by overall, position and program; a copy tells once in 72 hours, and no
sale counts that is far over what stood beside it. docs/PRICES.md has it in words, with its sources.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypedDict

from m26._native import Pricer

if TYPE_CHECKING:
    from m26.market.trace import Known


class Value(TypedDict):
    """What a card is worth, coins."""

    card_id: int
    fair: int
    fair_low: int
    """It is worth more in nine cases of ten,"""
    fair_high: int
    """and less in nine of ten."""
    n: int
    """Sales that it was made of,"""
    n_copies: int
    """of so many physical copies."""
    method: str
    flags: list[str]


def values(known: Known) -> Iterator[Value]:
    """Every card's, in their order."""
    records = (column.tobytes() for column in (known.sales, known.asks, known.shown))
    pricer = Pricer(known.kinds, *records, now=known.now)
    for card_id, made in zip(known.ids, pricer.fair(), strict=True):
        (fair, low, high), (sales, copies, _), _, method, flags, _ = made
        yield {
            "card_id": card_id,
            "fair": max(1, round(fair)),
            "fair_low": max(1, round(low)),
            "fair_high": max(1, round(high)),
            "n": sales,
            "n_copies": copies,
            "method": method,
            "flags": flags,
        }


def net(price: int) -> int:
    """What a seller gets of a price: nine tenths, rounded down."""
    return price * 9 // 10


def max_buy(fair: float, roi: float) -> int:
    """The most to pay for what is sold on at ``fair``, with a return of ``roi`` (0.1: 10 %)."""
    return int(0.9 * fair / (1 + roi))
