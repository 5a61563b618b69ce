"""A variant's name and changes to it in, how the upstream and its prices behave out, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

Order = Literal["newest", "ending", "random", "none"]
Paging = Literal["both", "url", "payload", "none"]
Ended = Literal["full", "omitted", "error"]
EndedPrice = Literal["final", "last_bid"]
Prices = Literal["plain", "static", "drift", "drift-wash"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How one platform's lists, refreshes and prices behave; seconds are the market's (`Tempo`)."""

    order: Order = "newest"
    """``newest`` posted last first; ``ending`` first to expire first; ``none`` arbitrary, the same
    from request to request; ``random`` drawn anew for each request."""
    paging: Paging = "both"
    """Where an offset is honoured: in the URL, in the payload, in both or nowhere."""
    page: int = 100
    """Most auctions on a page."""
    truncate: int = 0
    """Only so many of the list can be reached; 0: all."""
    ended: Ended = "full"
    """What a refresh says of ended ids: all, nothing, or that the whole call failed."""
    batch: int = 50
    """Ids that a refresh reads; the rest is ignored."""
    visible: float = 0.0
    """Seconds for which a search goes on showing an ended auction."""
    recall: float | None = None
    """Seconds for which a refresh knows an ended auction; None: for ever."""
    ended_price: EndedPrice = "final"
    """Whether a buyout shows as a bid at its price, or leaves bids and price as they were; of
    buyouts from now on."""
    loss: float = 0.0
    """Share of the commands that fail with ERR_SYSTEM."""
    prices: Prices = "plain"
    """How sellers ask from now on: all over a card's one value (``plain``), or near a value as
    `values.KINDS` has it."""

    def changed(self, changes: Mapping[str, object]) -> Behaviour:
        """This behaviour with some of its members changed.

        Raises:
            ValueError: an unknown member, or a value that is not possible.
        """
        for name, value in changes.items():
            if name in WORDS:
                if value not in WORDS[name]:
                    raise ValueError(f"{name} is one of {', '.join(WORDS[name])}, not {value!r}")
            elif name in NUMBERS:
                _check(name, value)
            else:
                raise ValueError(f"unknown member {name!r}; there are {', '.join(MEMBERS)}")
        return replace(self, **changes)  # type: ignore[arg-type] # each was checked by its name


DEFAULT = Behaviour()
MEMBERS = tuple(field.name for field in fields(Behaviour))
WORDS: Mapping[str, tuple[str, ...]] = {
    "order": get_args(Order),
    "paging": get_args(Paging),
    "ended": get_args(Ended),
    "ended_price": get_args(EndedPrice),
    "prices": get_args(Prices),
}
NUMBERS: Mapping[str, tuple[type, float, float]] = {
    "page": (int, 1, 1_000),
    "truncate": (int, 0, 1e9),
    "batch": (int, 1, 1_000),
    "visible": (float, 0, 1e9),
    "recall": (float, 0, 1e9),
    "loss": (float, 0, 1),
}
"""Type, least and most of each number."""

VARIANTS: Mapping[str, Mapping[str, object]] = {
    "demo": {"visible": 900.0},
    "default": {},
    "paging-ignored": {"paging": "none"},
    "truncated-100": {"truncate": 100},
    "truncated-1000": {"truncate": 1_000},
    "order-ending": {"order": "ending"},
    "order-none": {"order": "none"},
    "order-random": {"order": "random"},
    "ended-omitted": {"ended": "omitted"},
    "ended-error": {"ended": "error"},
    "ended-visible": {"visible": 900.0},
    "batch-10": {"batch": 10},
    "batch-100": {"batch": 100},
    "recall-1h": {"recall": 3_600.0},
    "recall-6min": {"recall": 360.0},
    "price-hidden": {"ended_price": "last_bid"},
    "loss-10": {"loss": 0.1},
    "ending-omitted": {"order": "ending", "ended": "omitted"},
    "ending-paging-ignored": {"order": "ending", "paging": "none"},
}
"""Named behaviours, as what differs from `DEFAULT`."""


def variant(name: str) -> Behaviour:
    """The behaviour of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in VARIANTS:
        raise ValueError(f"unknown variant {name!r}; there are {', '.join(VARIANTS)}")
    return DEFAULT.changed(VARIANTS[name])


def _check(name: str, value: object) -> None:
    kind, least, most = NUMBERS[name]
    if name == "recall" and value is None:
        return
    number = isinstance(value, int | kind) and not isinstance(value, bool)
    if not number or not least <= value <= most:  # type: ignore[operator]
        what = "a whole number" if kind is int else "a number"
        raise ValueError(f"{name} is {what} from {least:g} to {most:g}, not {value!r}")
