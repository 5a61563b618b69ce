"""The Rust boundary: bytes and integers in, COPY buffers and plain tuples out."""

from collections.abc import Mapping, Sequence
from typing import Final, Self, final

__all__ = [
    "AUCTION_COLUMNS",
    "CARD_COLUMNS",
    "MAX_PAGE_BYTES",
    "RELEASE",
    "Batch",
    "CopyBuffer",
    "Normalizer",
    "Peek",
    "peek",
]

AUCTION_COLUMNS: Final[Sequence[tuple[str, str]]]
"""(name, PostgreSQL type) of each column in `Batch.auctions`, in order."""
CARD_COLUMNS: Final[Sequence[tuple[str, str]]]
"""(name, PostgreSQL type) of each column in `Batch.cards`, in order."""
MAX_PAGE_BYTES: Final[int]
"""Larger pages are rejected unread."""
RELEASE: Final[bool]
"""Built with optimizations; a debug build is some thirty times slower."""

@final
class CopyBuffer:
    """PostgreSQL binary COPY bytes, read-only, through the buffer protocol."""

    @property
    def rows(self) -> int: ...
    def slice(self, start: int, stop: int, /) -> CopyBuffer:
        """A buffer of the rows ``start`` to ``stop`` alone, with header and trailer."""
    def __len__(self) -> int:
        """Size in bytes."""
    def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class Batch:
    """What a list of pages came to: rows, new cards, rejects and drift."""

    @property
    def auctions(self) -> CopyBuffer: ...
    @property
    def cards(self) -> CopyBuffer: ...
    @property
    def rejects(self) -> list[tuple[int, int | None, int, int, str, str]]:
        """(page, item or None for the whole page, byte from, byte to, reason code, detail)."""
    @property
    def drift(self) -> list[tuple[str, str, int, str]]:
        """(path, kind, count, sample) of each surprise in the payloads' shape."""
    @property
    def counts(self) -> dict[str, int]:
        """``pages``, ``auctions``, ``cards``, ``rejects``, ``refused`` (error replies, no data)."""
    @property
    def refused(self) -> list[int]:
        """Indexes of the pages that were error replies: no data, and no reject either."""
    def locate(self, row: int, /) -> tuple[int, int, int, int]:
        """(page, item, byte from, byte to) of an auction row."""
    def locate_card(self, row: int, /) -> tuple[int, int, int, int]:
        """(page, item, byte from, byte to) of the auction that a card row was read from."""
    def rows(self) -> list[tuple[int | str | None, ...]]:
        """Auction rows as Python values (times in microseconds), for offline use."""
    def card_rows(self) -> list[tuple[int | str | None, ...]]:
        """Card rows as Python values, for offline use."""

@final
class Normalizer:
    """Reads pages; remembers which cards it has seen and which of them are committed."""

    def __new__(cls, *, per_copy: Sequence[str], positions: Mapping[int, str]) -> Self: ...
    def normalize(
        self, pages: Sequence[bytes], /, *, platforms: Sequence[str], fetched_at: Sequence[int]
    ) -> Batch:
        """Read all pages, without the GIL. Bad data never raises: it comes back in `rejects`.

        Args:
            pages: reply bodies.
            platforms: one a page.
            fetched_at: one a page, microseconds since 1970; 0 when unknown.

        Raises:
            ValueError: the three sequences differ in length.
        """
    def confirm(self, batch: Batch, /) -> None:
        """The batch is committed: its cards are known and not sent again."""

@final
class Peek:
    """What classification needs of one reply, read without building its auctions."""

    @property
    def kind(self) -> str:
        """``search``, ``error``, ``json``, ``xml``, ``html``, ``empty`` or ``malformed``."""
    @property
    def error_name(self) -> str | None: ...
    @property
    def error_code(self) -> int | None: ...
    @property
    def error_text(self) -> str | None:
        """The error's string, the XML errormessage or responseData.message."""
    @property
    def ui_error_code(self) -> int | None: ...
    @property
    def captcha(self) -> str | None:
        """``name=value`` of the first captcha field that is set; None when all are empty."""
    @property
    def captcha_url(self) -> str | None: ...
    @property
    def response_time(self) -> int | None:
        """Server clock, microseconds."""
    @property
    def truncated(self) -> bool | None: ...
    @property
    def count(self) -> int:
        """Number of auctions in the page."""
    @property
    def ids_digest(self) -> int:
        """Hash of the set of auction ids: equal pages have equal digests."""
    @property
    def newest_posted(self) -> int | None:
        """Newest postingTime, seconds."""
    @property
    def success(self) -> bool | None:
        """A ``success`` member at the top or in the value; None when there is none."""

def peek(body: bytes, /) -> Peek:
    """Read the envelope of one reply. Never raises on bad data: `kind` says what it is."""
