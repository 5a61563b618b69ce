"""The quarantine: what a batch could not store, with its bytes and the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import orjson

from m26._native import REJECT_REASONS, peek
from m26.models import BROKEN, SWEEP_END, Page, Record
from m26.upstream.replies import Head, classify
from m26.upstream.rules import RULES
from m26.upstream.verdicts import Action, Verdict

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

_OK = 200
_SUCCESS = (0, _OK)  # 0: a capture that does not say
ORIGIN = (
    *("account", "platform", "command", "status"),
    *("fetched_at", "served_at", "observed_at"),
)
"""What of its page a reject keeps, beside its bytes: all that reading it again depends on."""

AUCTION_REFUSED, CARD_REFUSED, DAMAGED = "auction_refused", "card_refused", "journal_damaged"
REASONS = frozenset({*REJECT_REASONS, AUCTION_REFUSED, CARD_REFUSED, DAMAGED, *RULES} - {"ok"})
"""Every code that a reject may have: of the normalizer, of the store, of the failure table."""


@dataclass(frozen=True, slots=True)
class Reject:
    """One item of a page, or a whole page where `item` is None."""

    pos: int
    item: int | None
    byte_from: int
    byte_to: int
    reason: str
    detail: str
    page: Page | None
    """None where the record is gone."""

    @property
    def raw(self) -> bytes:
        """What was refused."""
        return self.page.body[self.byte_from : self.byte_to] if self.page else b""


def may_list_auctions(page: Page) -> bool:
    """Whether a page can be data: a whole reply, without an HTTP error status."""
    return page.is_reply and page.status in _SUCCESS


def without_data(records: Iterable[Record]) -> Iterator[Record]:
    """Records that the normalizer is not shown: damaged ones, broken and error replies."""
    for record in records:
        page = record.page
        if page is None or (page.command != SWEEP_END and not may_list_auctions(page)):
            yield record


def is_kept(page: Page) -> bool:
    """Whether a page that is no data as a whole is worth a person's look, by the failure table."""
    verdict = judged(page)
    return verdict.quarantine or verdict.action is Action.OK


def of_record(record: Record) -> Iterator[Reject]:
    """A reject, if this damaged record, broken or error reply is worth a person's look."""
    page = record.page
    if page is None:
        yield Reject(record.pos, None, 0, 0, DAMAGED, record.detail, None)
        return
    size = len(page.body)
    if page.command == BROKEN:
        why = orjson.loads(page.query)
        yield Reject(record.pos, None, 0, size, why["reason"], why["message"], page)
        return
    verdict = judged(page)
    if verdict.quarantine:
        yield Reject(record.pos, None, 0, size, verdict.reason, verdict.message, page)


def judged(page: Page) -> Verdict:
    """What the failure table says of a reply."""
    head = Head(page.status or _OK, page.fetched_at, served_at=page.served_at)
    return classify(head, peek(page.body))


async def write(
    connection: PoolConnectionProxy[Any], part: str, rejects: Iterable[Reject]
) -> Counter[str]:
    """Store rejects in the order served; their number by reason."""
    ordered = sorted(rejects, key=lambda r: (r.pos, r.item or 0))
    rows: list[tuple[Any, ...]] = []
    for (_, page), of_page in groupby(ordered, key=lambda r: (r.pos, r.page)):
        origin = origin_of(page) if page else None
        rows += (
            (part, r.pos, r.item, r.byte_from, r.byte_to, r.reason, r.detail, r.raw, origin)
            for r in of_page
        )
    if rows:
        await connection.executemany(
            "INSERT INTO m26.reject"
            " (part, pos, item, byte_from, byte_to, reason, detail, raw, origin)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            rows,
        )
    return Counter(r.reason for r in ordered)


def origin_of(page: Page) -> str:
    """As JSON: `ORIGIN`, and the server's time, which stands beside the auctions of a reply."""
    kept = {name: getattr(page, name) for name in ORIGIN}
    return orjson.dumps({**kept, "response_time": peek(page.body).response_time}).decode()
