"""Searches in; sweeps out: which of them passed over the whole list, and what came of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import orjson

from m26.collect.exchange import Answer
from m26.models import SWEEP_END, Account, Page

SEARCH = '{"filters":[],"itemName":""}'
"""The search for everything."""
MAX_PAGES = 2_000
"""A sweep of more pages than this does not end by itself."""
_LONGEST = 3_600_000_000
"""Microseconds after which a sweep that has not come to the end of the list is given up."""


@dataclass(slots=True, kw_only=True)
class Sweep:
    """Searches from the front of the list to its end, or as far as they came. Times in µs."""

    started_at: int
    finished_at: int = 0
    pages_asked: int = 0
    pages_answered: int = 0
    truncated: bool = False
    complete: bool = False
    """They overlap from front to end, none was cut: what is absent was not on offer."""
    why: str = ""
    auctions: int = 0
    """How far they came."""


class Sweeps:
    """Sweeps of one platform, one after the other, whichever account asks.

    Args:
        single: the list is one page, which cannot be continued.
    """

    def __init__(self, *, single: bool) -> None:
        self._single = single
        self._open: Sweep | None = None
        self._front: int | None = None
        """What the front page showed."""
        self._rows = 0
        """Of the largest page."""
        self._troubled = False

    def trouble(self) -> None:
        """There was a pause or a stop: pages before and after it are not one look."""
        self._troubled = self._open is not None

    def asked(self, offset: int, now: int) -> int:
        """A search is about to be sent; the start of the sweep that it belongs to, 0 for none."""
        if self._open is None and offset == 0:
            self._open, self._troubled = Sweep(started_at=now), False
            self._front, self._rows = None, 0
        if self._open is None:
            return 0
        self._open.pages_asked += 1
        return self._open.started_at

    def answered(self, offset: int, answer: Answer, now: int) -> Sweep | None:
        """Its answer came; the sweep that ends with it."""
        facts, peek = self._open, answer.peek
        if facts is None:
            return None
        facts.pages_answered += 1
        facts.truncated |= bool(peek.truncated)
        facts.why = self._end(facts, offset, peek.count, peek.ids_digest, now)
        if offset == 0:
            self._front = peek.ids_digest
        if not facts.why:
            return None
        facts.complete = facts.why in ("empty page", "last page", "single page") and not (
            facts.truncated or self._troubled
        )
        if self._troubled:
            facts.why += ", after a pause"
        if facts.truncated:
            facts.why += ", truncated by the server"
        facts.finished_at, self._open = now, None
        return facts

    def _end(self, facts: Sweep, offset: int, rows: int, digest: int, now: int) -> str:
        """Why the sweep is over; empty while it is not."""
        end = offset + rows
        if offset and rows and digest == self._front:
            return "page repeated: paging is ignored"
        if offset <= facts.auctions:
            if not rows:
                return "empty page"
            if offset and end <= facts.auctions and rows < self._rows:
                return "last page"
            facts.auctions, self._rows = max(facts.auctions, end), max(self._rows, rows)
        if self._single:
            return "single page"
        if facts.pages_answered >= MAX_PAGES:
            return f"gave up after {MAX_PAGES} pages"
        return "the list goes on" if now - facts.started_at >= _LONGEST else ""


def marker(account: Account, facts: Sweep) -> Page:
    """The journal record that closes a sweep."""
    return Page(
        account=account.name,
        platform=account.platform,
        command=SWEEP_END,
        query=SEARCH,
        status=0,
        content_type="application/json",
        fetched_at=facts.finished_at,
        body=orjson.dumps(asdict(facts)),
        sweep=facts.started_at,
    )
