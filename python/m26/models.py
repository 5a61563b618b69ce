"""Values that travel between the stages, and what the types of JSON documents are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypedDict

SWEEP_END = "m26.sweep"
"""Command of the journal record that closes a sweep; its body is the sweep's facts as JSON."""
BROKEN = "m26.broken"
"""Command of the journal record that keeps the beginning of a reply which did not arrive whole and
is worth a look; its query says why: ``{"reason": …, "message": …}``."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account that is collected for."""

    name: str
    platform: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One fully received Process reply, with everything that its journal record carries."""

    account: str
    platform: str
    command: str
    """Wire name of the command, e.g. ``Mobile_SearchAuctions``; never a URL."""
    query: str
    """The request payload as JSON text, with paging parameters; free of secrets."""
    status: int
    """HTTP status; 0 when the reply was read from a capture that does not say."""
    content_type: str
    fetched_at: int
    """Receive time, microseconds since 1970 by our own clock."""
    body: bytes
    """The reply's bytes after HTTP content decoding, exactly as served."""
    sweep: int = 0
    """Start of the sweep this page belongs to, microseconds; 0 outside a sweep."""
    served_at: int = 0
    """When the server made it, microseconds, as was decided at receipt; 0 where it was not: records
    of earlier versions, captures. What it says of time left counts from here."""
    observed_at: int = 0
    """The same, but never before an earlier page of its part and platform."""

    @property
    def is_reply(self) -> bool:
        """Whether it is a whole reply, and not one of the journal's own records."""
        return self.command not in (SWEEP_END, BROKEN)


@dataclass(frozen=True, slots=True)
class Record:
    """A page at its place in a journal or a replayed file."""

    pos: int
    """Number of records before it; the ingest cursor moves to ``pos + 1`` when it is stored."""
    page: Page | None
    """None where the record was damaged on disk: the position is passed and reported."""
    detail: str = ""
    """Why ``page`` is None."""
    count: int = 1
    """How many positions it stands for: over one where a whole range has no page."""
    checksum: int | None = None
    """Of its bytes in the journal, by which it is told from another record at the same position;
    None where it has none: its header is damaged, or it was never in a journal."""

    @property
    def end(self) -> int:
        """Position behind it."""
        return self.pos + self.count


@dataclass(frozen=True, slots=True)
class Format:
    """Of a document's text: a format of JSON Schema."""

    name: str


@dataclass(frozen=True, slots=True)
class Keys:
    """Of a document's dictionary: keys that it is known to have; others may join them."""

    names: tuple[str, ...]


Time = Annotated[str, Format("date-time")]
"""Of a document: ISO 8601 UTC, as `clock.iso` writes it."""


class EventView(TypedDict):
    """What happened to an auction, as the stream, `m26 tail` and the history have it."""

    seq: int
    kind: Literal["listed", "bid", "changed", "closed"]
    platform: str
    auction_id: int
    card_id: int
    card_version: str
    card_instance_id: int | None
    observed_at: Time
    posted_at: Time
    expires_at: Time
    status: str
    start_price: int | None
    buyout_price: int | None
    current_bid: int
    next_bid: int
    bids: int
    median_price: int | None
    min_price: int | None
    max_price: int | None
    outcome: str | None
    outcome_via: str | None
    evidence: str | None
    confidence: float | None
    final_price: int | None
    price_confidence: float | None
    closed_after: Time | None
    closed_before: Time | None
    closed_at: Time | None
    late: Annotated[bool, "A newer state of the auction was stored before: order by observed_at."]
