"""What a planner asks, is answered and says of it, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

FLAGS = (
    *("order", "paging", "page", "truncate", "batch"),
    *("ended", "recall", "visible", "ended_price"),
)
"""What an upstream may do one way or the other."""
REASONS = (
    *("front_page", "a_hole", "a_page_around_a_moment", "a_page_of_the_sweep"),
    *("where_moments_stand", "a_round_of_the_list", "expired", "probe"),
)
"""Why requests are sent, as they are counted."""


class Ask(NamedTuple):
    """A question: a page of the list, or the states of auctions."""

    search: tuple[int, int] | None
    """Offset and count."""
    ids: list[int]
    """Empty for a search."""


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask, when (µs of server time), and why."""

    ask: Ask
    at: int
    why: str


Row = Sequence[Any]
"""An auction as a reply shows it: id, status, bids, current bid, buyout price, posted (s), seconds
left, median price, card, physical copy, acquired (s). Money in coins."""


class Label(NamedTuple):
    """What became of an auction. Times in µs."""

    auction_id: int
    outcome: str
    outcome_via: str | None
    final_price: int | None
    evidence: str
    confidence: float
    price_confidence: float
    closed_after: int | None
    closed_before: int | None
    closed_at: int | None


class Notice(NamedTuple):
    """What is now held true of the upstream; the value is JSON text."""

    flag: str
    value: str
    why: str


class News(NamedTuple):
    """What a reply came to."""

    labels: list[Label]
    notices: list[Notice]
