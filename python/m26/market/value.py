"""Sales, asks and shown medians in; what cards are worth, and how sure that is, out.

The method is that of ``rust/src/price``: a local level on log price less the market's index,
Student-t noise, a prior by overall, position and program; a copy tells once in 72 hours, and no
sale counts that is far over what stood beside it. docs/PRICES.md has it in words, with its sources.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

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
    pricer = Pricer(now=known.now)
    pricer.add(known.kinds, *records)
    pricer.learn()
    for card_id, made in zip(known.ids, pricer.fair(0, len(known.ids)), strict=True):
        yield value(card_id, made)


def value(card_id: int, made: Sequence[Any]) -> Value:
    """A card's, by what `Pricer.fair` makes of it."""
    (fair, low, high), (sales, copies, _), _, method, flags, *_ = made
    return {
        "card_id": card_id,
        "fair": coins(fair),
        "fair_low": coins(low),
        "fair_high": coins(high),
        "n": sales,
        "n_copies": copies,
        "method": method,
        "flags": flags,
    }


def coins(price: float) -> int:
    """A price that may be paid: nothing costs less than a coin, or more than a bigint holds."""
    return min(max(1, round(price)), 2**62)


def net(price: int) -> int:
    """What a seller gets of a price: nine tenths, rounded down."""
    return price * 9 // 10


def max_buy(fair: float, roi: float) -> int:
    """The most to pay for what is sold on at ``fair``, with a return of ``roi`` (0.1: 10 %)."""
    return int(0.9 * fair / (1 + roi))
