"""The values a ledger keeps: listings, their states, requests, and what replies showed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from m26.sim.behaviour import Behaviour

NOT_SERVED = 0
"""In place of a state's id: what was on the wire is not what the ledger has."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What of an auction never changes."""

    auction_id: int
    platform: str
    card: int
    """Number of the card in the deck."""
    card_id: int
    instance_id: int
    acquired: int
    """Microseconds since 1970."""
    posted: int
    """Seconds since 1970, as is ``expires``."""
    expires: int


@dataclass(frozen=True, slots=True)
class State:
    """One state of one auction; (status, buyout, current_bid, next_bid, bids) is its identity."""

    state_id: int
    auction_id: int
    at: float
    cause: str
    """``list``, ``bid``, ``buyout``, ``end`` (with bids), ``expire`` or ``cancel``."""
    status: str
    buyout: int
    current_bid: int
    next_bid: int
    bids: int

    def moved(self, **changes: Any) -> State:  # noqa: ANN401 - any of the fields
        """The state that follows this one."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Worth:
    """What was behind an auction's price, where prices are not plain."""

    auction_id: int
    prices: str
    """What prices did when it was posted, see `values.KINDS`."""
    motive: str
    """Of its seller, see `fate.Offer`."""
    value: float
    """What the card was worth when it was posted, coins."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What became of an auction that has ended."""

    listing: Listing
    outcome: str
    """``sold``, ``expired`` or ``cancelled``."""
    via: str | None
    """``bid`` or ``buyout``; None unless sold."""
    final_price: int | None
    """Coins; None unless sold."""
    ended_at: float
    """Seconds since 1970."""

    @classmethod
    def of(cls, listing: Listing, last: State) -> Truth:
        """What an auction's last state says."""
        match last.cause:
            case "buyout":
                return cls(listing, "sold", "buyout", last.buyout, last.at)
            case "end":
                return cls(listing, "sold", "bid", last.current_bid, last.at)
        outcome = {"expire": "expired", "cancel": "cancelled"}[last.cause]
        return cls(listing, outcome, None, None, last.at)


@dataclass(frozen=True, slots=True)
class Switch:
    """From when on a platform behaved how."""

    at: float
    """Seconds since 1970."""
    after: int
    """Number of the last request before it."""
    platform: str
    behaviour: Behaviour
    speed: float = 1.0
    """How much faster than real its market ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request that reached the gateway, and how it was answered."""

    at: float
    """Arrival, seconds since 1970."""
    connection: int
    account: str = ""
    platform: str = ""
    kind: str
    """``token``, ``authorize``, ``login``, ``process``, ``other``; ``capture`` for what a HAR file
    shows."""
    command: str = ""
    request_id: int | None = None
    """From a verified signature."""
    status: int
    """HTTP status, 0 where nothing was answered; what the body says is ``answer``."""
    answer: str
    """``ok``, an error's name, or ``violation: …``."""
    fault: str = ""
    """The injected fault, if any."""
    response_time: int = 0
    """The server clock inside the reply, microseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One auction in one reply, exactly as it was on the wire."""

    request: int
    account: str
    platform: str
    connection: int
    response_time: int
    position: int
    listing: Listing
    state: State
    worth: Worth | None = None
    """What was behind its price, where prices were not plain."""

    @property
    def seconds_remaining(self) -> int:
        """As served: 0 once the auction had ended."""
        if self.state.status != "ACTIVE":
            return 0
        return max(0, self.listing.expires - self.response_time // 1_000_000)
