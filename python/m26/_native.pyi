"""The Rust boundary: bytes and integers in, COPY buffers and plain tuples out."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Self, TypeAlias, final

__all__ = [
    "AUCTION_COLUMNS",
    "AUCTION_ROW_COLUMNS",
    "CARD_COLUMNS",
    "EVENT_COLUMNS",
    "MAX_PAGE_BYTES",
    "REJECT_REASONS",
    "RELEASE",
    "SIGHTING_COLUMNS",
    "STATE_COLUMNS",
    "Batch",
    "Bygone",
    "CopyBuffer",
    "Delta",
    "Fold",
    "Normalizer",
    "Peek",
    "Planner",
    "Pricer",
    "ServerClock",
    "State",
    "States",
    "Watchdog",
    "outcome",
    "peek",
]

AUCTION_COLUMNS: Final[Sequence[tuple[str, str]]]
"""(name, PostgreSQL type) of each column in `Batch.auctions`, in order."""
CARD_COLUMNS: Final[Sequence[tuple[str, str]]]
"""(name, PostgreSQL type) of each column in `Batch.cards`, in order."""
EVENT_COLUMNS: Final[Sequence[tuple[str, str]]]
"""(name, PostgreSQL type) of each column in `Delta.events`, in order: all of m26.auction_event."""
AUCTION_ROW_COLUMNS: Final[Sequence[tuple[str, str]]]
"""(name, PostgreSQL type) of each column in `Delta.listed` and `Delta.rewritten`, in order: all of
m26.auction."""
SIGHTING_COLUMNS: Final[Sequence[tuple[str, str]]]
"""(name, PostgreSQL type) of each column in `Delta.sightings`, in order: all of m26.sighting."""
STATE_COLUMNS: Final[Sequence[tuple[str, str]]]
"""(name, PostgreSQL type) of each value that `States.learn` takes, in order; times are integers,
microseconds since 1970. ``was_active``: it was seen active once. ``newest`` is the later of
observed_at and last_seen."""
_PastRow: TypeAlias = tuple[str, int, int, int, str, int | None, int, int, int, int, int | None]
_Kind: TypeAlias = tuple[int | None, int | None, int | None]
_Fair: TypeAlias = tuple[
    tuple[float, ...], tuple[int, ...], tuple[int, int], str, list[str], float, tuple[float, float]
]
_Closing: TypeAlias = tuple[
    str, str | None, str, float, int | None, float | None, int | None, int | None, int
]
_Inferred: TypeAlias = tuple[int, str, int, int, _Closing]
_Hour: TypeAlias = tuple[
    str, int, list[tuple[str, int]], int, tuple[int, int, int], int, int, int, int
]
_Claims: TypeAlias = tuple[str, int, str, str, str, float, tuple[float, float], tuple[float, float]]
_Look: TypeAlias = tuple[
    str, int | None, tuple[int, int] | None, Sequence[int], bool, bool, tuple[int, int, int]
]
_StateRow: TypeAlias = tuple[
    str, int, str, int | None, int, int, int, int, int, int | None, str | None, str | None,
    float | None, float | None, int | None, bool, int,
]  # fmt: skip

MAX_PAGE_BYTES: Final[int]
"""Larger pages are rejected unread."""
REJECT_REASONS: Final[tuple[str, ...]]
"""Every reason code that `Batch.rejects` may have."""
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
class State:
    """A state to keep: its bytes, read-only, through the buffer protocol."""

    def __len__(self) -> int:
        """Size in bytes."""
    def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class Batch:
    """What a list of pages came to: rows, new cards, rejects and drift."""

    @property
    def auctions(self) -> CopyBuffer:
        """The auction rows, encoded at the first access."""
    @property
    def cards(self) -> CopyBuffer:
        """The cards that were not known when the batch was read, encoded at the first access."""
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
    @property
    def oldest(self) -> int | None:
        """Server time of the oldest observation, microseconds; None without rows."""
    def locate(self, row: int, /) -> tuple[int, int, int, int]:
        """(page, item, byte from, byte to) of an auction row."""
    def locate_card(self, row: int, /) -> tuple[int, int, int, int]:
        """(page, item, byte from, byte to) of the auction that a card row was read from."""
    def rows(self) -> list[tuple[int | str | None, ...]]:
        """Auction rows as Python values (times in microseconds), for offline use."""
    def shown(self) -> list[tuple[int | str, ...]]:
        """The auctions as a planner takes them, but those of a status that nobody knows."""
    def card_rows(self) -> list[tuple[int | str | None, ...]]:
        """Card rows as Python values, for offline use."""

@final
class Normalizer:
    """Reads pages; remembers which cards it has seen and which of them are committed."""

    def __new__(cls, *, per_copy: Sequence[str], positions: Mapping[int, str]) -> Self: ...
    def normalize(
        self,
        pages: Sequence[bytes],
        /,
        *,
        platforms: Sequence[str],
        fetched_at: Sequence[int],
        times: Sequence[tuple[int, int]] | None = None,
    ) -> Batch:
        """Read all pages, without the GIL. Bad data never raises: it comes back in `rejects`.

        Args:
            pages: reply bodies.
            platforms: one a page.
            fetched_at: one a page, microseconds since 1970; 0 when unknown.
            times: (served_at, observed_at) of each page as they were decided, microseconds; zeros
                or None: to be decided here, page by page, never set behind the page before.

        Raises:
            ValueError: the sequences differ in length.
        """
    def confirm(self, batch: Batch, /) -> None:
        """The batch is committed: its cards are known and not sent again."""
    def missing(self, batch: Batch, /) -> list[tuple[int, int]]:
        """(card_id, version) of each of the batch's cards that is not known now."""
    def know(self, keys: Sequence[tuple[int, int]], /) -> None:
        """These card versions, (card_id, version), are in the database."""
    def cards(self, batch: Batch, /) -> CopyBuffer:
        """The batch's cards that are not known now; CARD_COLUMNS."""

@final
class Pricer:
    """What the cards of a market are worth at the moment `now`; times in µs.

    `cards`: overall, position and program as numbers. The rest are int64 records, native or as
    COPY, a card by its place: `sales` (card, time, price, copy, by bid, confidence in millionths,
    median or 0), `asks` (card, from, until, price, no end known), `shown` (card, time, median).
    """
    def __new__(cls, *, now: int, days: float = 30.0) -> Self: ...
    def add(self, cards: Sequence[_Kind], sales: bytes, asks: bytes, shown: bytes) -> None:
        """More cards; a record that names none of them is a ValueError."""
    def learn(self) -> Mapping[str, Any]:
        """What holds for all cards, by those that were added: columns of `market_model`."""
    def learned(self, model: Mapping[str, Any], at: int) -> None:
        """What one of other cards has learned at `at`."""
    def fair(self, start: int, stop: int) -> list[_Fair]:
        """What these cards are worth, in the order in which they were added.

        Fair, low, high; sales, copies, sales of the week; left out as of the same copy, as over
        the asks; method, flags, spread of a day's walk; low and high of the next sale.
        """
    def sold_after(self, card: int, since: int) -> float | None:
        """The first sale that counts after `since` of the card at that place, as if by buyout."""

@final
class ServerClock:
    """What is known of a server's clock from its replies so far. All times in microseconds."""

    def __new__(cls, *, skew: int = 0, newest: int = 0) -> Self:
        """As an earlier one left it; `newest` is the newest time given."""
    @property
    def skew(self) -> int:
        """The server's clock minus ours."""
    @property
    def proven(self) -> bool:
        """Two sources agree on `skew`."""
    def give(
        self, *, ours: int, date: int = 0, response: int = 0, slack: int = 0
    ) -> tuple[ServerClock, int, int]:
        """The clock after the next reply, and its served_at and observed_at; 0 is none.

        Args: when it was received by our clock, its ``Date``, its ``responseTime``; 0 is none.
        `slack`: how much further than usual times may be apart and agree.
        """
    def heard(self, *, ours: int, date: int, slack: int = 0) -> ServerClock:
        """The clock after something with a ``Date`` that is no page."""
    def shifted(self, by: int, /) -> ServerClock:
        """The clock after ours was set forward by so much."""

@final
class States:
    """The committed state of auctions, as this process last wrote or read it.

    It is worth something only while nobody else writes: see `forget`.
    """

    def __new__(cls, *, capacity: int = 250_000) -> Self:
        """Hold up to twice `capacity` auctions, the ones seen last; a batch must fit.

        Raises:
            ValueError: the capacity is 0 or over 2**28.
        """
    def unheld(self, batch: Batch, start: int, stop: int, /) -> list[tuple[str, int]]:
        """(platform, auction_id) of each auction in these rows that is not held.

        Neither as committed nor as pending.

        Raises:
            IndexError: the batch has no such rows.
        """
    def unheld_others(
        self, others: Sequence[tuple[str, int]], batch: Batch, start: int, stop: int, /
    ) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
        """(platform, auction_id) of others that are not held: those in these rows, and the rest.

        Raises:
            IndexError: the batch has no such rows.
        """
    def learn(self, rows: Sequence[_StateRow], /) -> None:
        """Hold these committed states, read back from the database; STATE_COLUMNS."""
    def lend(self, rows: Sequence[_StateRow], /) -> None:
        """The same until the end of the transaction, of auctions that no row shows.

        Their ``newest`` need not count what pages have shown since.
        """
    def derive(
        self,
        batch: Batch,
        start: int,
        stop: int,
        /,
        *,
        head: int,
        part: str,
        positions: Sequence[int],
        inferred: Sequence[_Inferred] = ...,
        events: Sequence[_PastRow] | None = None,
        since: int = 0,
    ) -> Delta:
        """What the rows `start` to `stop` of a batch change; read without the GIL.

        The states stay as they are. An auction that is not held is taken as new.

        Args:
            batch: what was read.
            start: first row.
            stop: the row after the last.
            head: number of the last event of the stream; the first one here gets the next.
            part: journal part of the batch.
            positions: place of each page of the batch in that part.
            inferred: outcomes that no row says, in the order of pages: (page of the batch that it
                comes before, platform, auction_id, observed_at of the evidence, outcome as
                `outcome` gives it). One of an auction that is not held or shown changes nothing.
            events: every event of the auctions that an earlier answer `wanted`, in any order:
                (platform, auction_id, seq, observed_at, status, buyout_price, current_bid,
                next_bid, bids, expires_at, start_price), times in microseconds.
            since: auctions that were posted before it, microseconds, are `pruned`.

        Raises:
            IndexError: the batch has no such rows.
            ValueError: the number of positions is not the batch's number of pages, or what is
                inferred is in another order, or no outcome.
        """
    def accept(self, delta: Delta, /) -> None:
        """The delta was sent: its states are pending, and what is derived next builds on them."""
    def commit(self) -> None:
        """The transaction was committed: what is pending is held as committed."""
    def abort(self) -> None:
        """The transaction was rolled back: what is pending is dropped."""
    def forget(self) -> None:
        """Another writer was here: drop everything."""
    def __len__(self) -> int:
        """Auctions held as committed."""

def outcome(
    states: Sequence[tuple[str, int, int, int, int | None, int]], /
) -> tuple[int, _Closing] | None:
    """What the stored states of one auction say of its outcome, by the rule that new ones go by.

    Args:
        states: (status, observed_at, expires_at, bids, buyout_price, current_bid) of each, in
            order; times are microseconds, ``expires_at`` is the end as it was known then.

    Returns:
        observed_at and what an event of then says of it: (outcome, outcome_via, evidence,
        confidence, final_price, price_confidence, closed_after, closed_before, closed_at); None
        while it is open.
    """

@final
class Delta:
    """What rows of a batch change: events, current states, sightings; not yet accepted."""

    @property
    def events(self) -> CopyBuffer:
        """The events in order, numbered; EVENT_COLUMNS."""
    @property
    def closed(self) -> list[tuple[int, str, int, int, int, _Closing]]:
        """(seq, platform, auction_id, observed_at, expires_at, outcome) of events between them.

        Their kind is ``closed``; but for what stands here each repeats the event before it of its
        auction.
        """
    @property
    def listed(self) -> CopyBuffer:
        """Rows that are new to m26.auction; AUCTION_ROW_COLUMNS."""
    @property
    def rewritten(self) -> CopyBuffer:
        """Rows of m26.auction that change; AUCTION_ROW_COLUMNS.

        ``first_seen`` is not to be written, and the outcome columns (outcome to closed_at) only
        where ``evidence`` is not NULL: the batch gave an outcome, or, empty, withdrew it.
        """
    @property
    def sightings(self) -> CopyBuffer:
        """One row a page: the auctions seen; SIGHTING_COLUMNS."""
    @property
    def pages(self) -> list[tuple[int, int, int, int, int, int, int, int, int]]:
        """(page, seen, new, changed, late, listed, bid, closed, events) of each page.

        ``new``: seen of auctions that were not held, ``changed``: events of auctions known before,
        ``late``: late ones that are events; the last four count events by kind, and all.
        """
    @property
    def wanted(self) -> list[tuple[str, int]]:
        """(platform, auction_id) of auctions with late rows, where `events` were not given.

        This delta leaves those rows out: derive again, with the events of these auctions.
        """
    @property
    def sooner(self) -> list[tuple[int, int]]:
        """(seq, observed_at) of events, stored or of this delta, that were seen sooner."""
    @property
    def again(self) -> list[tuple[int, int, int]]:
        """(seq, seq of what it repeats, observed_at) of late ``changed`` events not in `events`."""
    @property
    def first_seen(self) -> list[tuple[str, int, int]]:
        """(platform, auction_id, observed_at) of auctions that were seen sooner."""
    @property
    def moved(self) -> list[tuple[str, int]]:
        """(platform, auction_id) of those in `rewritten` of which no event tells."""
    @property
    def pruned(self) -> list[int]:
        """Auctions of which something was seen or inferred, and is not told: they are gone."""

@final
class Fold:
    """What the records of one part have shown of its markets so far; a fold over them in order.

    What it says follows from the records alone, wherever they are cut into batches.
    """

    def __new__(cls) -> Self:
        """Of a part of which nothing was read yet."""
    @staticmethod
    def load(state: bytes, /) -> Fold:
        """As `save` left it; ValueError, if it is no state of this build."""
    def save(self) -> State:
        """All of it; for this build alone."""
    def take(
        self, batch: Batch, records: Sequence[_Look], /
    ) -> tuple[list[_Inferred], list[_Hour], list[_Claims], list[_Inferred]]:
        """Take in consecutive records, whose pages of data `batch` has; read without the GIL.

        Args:
            batch: what was read.
            records: (platform, page of the batch, offset and count of a search, ids of a refresh,
                whether the question is known, whether the upstream failed, (served_at,
                observed_at, fetched_at) in microseconds) of each reply.

        Returns:
            Outcomes as `States.derive` takes them; of hours of which there is news (platform,
            start in microseconds, requests by kind, auctions posted in it that were seen, listed
            (low, likely, high), endings due, endings known, sales known, blind seconds); of a new
            calibration (platform, hour from which it applies, evidence, band, lead, claims asked,
            (agreed, said) of the outcome, the same of outcome and price); the last word on auctions
            that are forgotten now.
        """
    def verdicts(self) -> list[_Inferred]:
        """All that is said of auctions now, before the first page of a batch."""

@final
class Bygone:
    """Stored auctions without an outcome, in the order of their ids, until their time is over."""

    def __new__(cls) -> Self:
        """Of a table of which nothing was read yet."""
    def take(self, rows: Sequence[tuple[Any, ...]], /) -> list[_Inferred]:
        """Take in auctions, all of a stretch of ids; read without the GIL.

        Args:
            rows: (platform, status, auction_id, card_id, card_instance_id, acquired_at, posted_at,
                expires_at, start_price, buyout_price, median_price, first_seen, observed_at,
                last_seen, bids, current_bid, whether an outcome is wanted; when it was seen on
                offer last, and its bids and current_bid then) of each; times in microseconds, None
                where a number is not known.

        Returns:
            Outcomes of those of whom nothing more is awaited, as `States.derive` takes them.
        """
    def rest(self) -> list[_Inferred]:
        """There are no more: outcomes of those whose time is over by the newest of all."""
    @property
    def lowest(self) -> int | None:
        """The lowest id of those that are still waiting."""

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
        """The error's string, the XML errormessage or responseData.message; 1,000 characters."""
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

_Ask: TypeAlias = tuple[tuple[int, int] | None, Sequence[int]]
_News: TypeAlias = tuple[list[tuple[Any, ...]], list[tuple[str, str, str]]]

@final
class Planner:
    """Which request comes next, by what is known of a market; times in µs. See `collect.plan`."""

    LAYOUT: Final[int]
    def __new__(cls, *, per_day: int, per_minute: int, now: int) -> Self: ...
    @staticmethod
    def load(state: bytes, /) -> Planner: ...
    def save(self) -> State: ...
    def resume(self, *, per_day: int, per_minute: int, now: int) -> None: ...
    def pin(self, pins: dict[str, str], /) -> bool: ...
    def set_focus(self, weights: dict[int, float], /) -> None: ...
    def next(self, now: int, /) -> tuple[_Ask, int, str]: ...
    def sent(self, at: int, why: str, /) -> None: ...
    def unsent(self) -> None: ...
    def observe(
        self, ask: _Ask, /, *, at: int, failed: bool, truncated: bool, rows: Sequence[Any]
    ) -> _News: ...
    def conclude(self) -> _News: ...
    def outlook(self) -> tuple[float, int, int, int, float, float]: ...
    def listed(self) -> list[tuple[int, float, float, float]]: ...
    def hours(self) -> list[tuple[int, int, float, float]]: ...
    def reasons(self) -> list[tuple[str, int, int, int, int, int]]: ...
    def evidence(self) -> list[tuple[str, str, int, str, bool]]: ...
    def choices(self, now: int, /) -> list[tuple[int | None, float, float, str]]: ...
    def lot(self, auction_id: int, /) -> tuple[Any, ...] | None: ...
    def by_weight(self) -> list[tuple[float, int, int, int]]: ...
    def forecast(self, per_day: int, /) -> tuple[float, float, float, float, float, float]: ...

@final
class Watchdog:
    """Aborts the process (SIGABRT) when its loop stands still, even in what holds the GIL."""

    def __new__(cls, *, ticks: int) -> Self:
        """Watch from now on.

        Args:
            ticks: seconds without a beat; those in which the process was stopped do not count.
        """
    def beat(self) -> None:
        """The loop goes on."""
    def close(self) -> None:
        """Watch no longer."""
