"""Pages in, rows with their cards' names out, and an account of everything that gave no row."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from m26._native import AUCTION_COLUMNS, CARD_COLUMNS, Batch, Normalizer
from m26.clock import at_micros
from m26.models import Page
from m26.offline.writers import Value

_BATCH_PAGES = 64
_BATCH_BYTES = 16 * 2**20
_STAGING = ("page", "item")  # where a row came from: meaningful inside a batch only
_NAMES = [name for name, _ in AUCTION_COLUMNS]
_KEPT = [index for index, name in enumerate(_NAMES) if name not in _STAGING]
_PAGE, _CARD, _VERSION = (_NAMES.index(name) for name in ("page", "card_id", "card_version"))
_TIMES = frozenset(
    index for index, (_, kind) in enumerate(AUCTION_COLUMNS) if kind == "timestamptz"
)
_CARD_NAMES = [name for name, _ in CARD_COLUMNS]
_CARD_KEY = [_CARD_NAMES.index(name) for name in ("card_id", "version")]
_CARD_FIELDS = ("name", "position", "overall", "tier", "program")
_CARD_VALUES = [_CARD_NAMES.index(name) for name in _CARD_FIELDS]

COLUMNS = (
    *(_NAMES[index] for index in _KEPT),
    *("card_name" if name == "name" else name for name in _CARD_FIELDS),
)
"""Columns of the rows written: those of an auction, then its card's."""


@dataclass(frozen=True, slots=True)
class Reject:
    """An item, or a whole page where `item` is None, that gave no row."""

    file: str
    page: int
    item: int | None
    byte_from: int
    byte_to: int
    reason: str
    detail: str
    raw: bytes

    def document(self) -> dict[str, int | str | None]:
        """The reject as one JSON object, its bytes in base64."""
        values = {name: getattr(self, name) for name in self.__slots__ if name != "raw"}
        return {**values, "raw": base64.b64encode(self.raw).decode()}


@dataclass(slots=True)
class Summary:
    """What a conversion came to."""

    pages: int = 0
    rows: int = 0
    cards: int = 0
    empty: int = 0
    """Pages that truthfully list no auction."""
    refused: int = 0
    """Error replies of the upstream."""
    other: int = 0
    """Replies to commands that do not list auctions; not read."""
    rejects: Counter[str] = field(default_factory=Counter)
    """Rejects by reason."""
    drift: Counter[str] = field(default_factory=Counter)
    """Surprises in the replies' shape, by path and kind."""
    problems: list[str] = field(default_factory=list)
    """Parts of the files that could not be read."""
    seconds: float = 0.0

    @property
    def understood(self) -> bool:
        """Whether at least one page gave rows, or truthfully none."""
        return bool(self.rows or self.empty)


def convert(
    pages: Iterable[tuple[str, int, Page]],
    normalizer: Normalizer,
    *,
    platform: Callable[[Page], str],
    commands: Sequence[str],
    write: Callable[[Iterable[Sequence[Value]]], None],
    reject: Callable[[Reject], None],
    summary: Summary,
) -> None:
    """Normalize pages batch by batch, in order, and count.

    Args:
        pages: file, number of the page in it, page.
        normalizer: a new one; it learns the cards.
        platform: the platform to stamp on a page's rows.
        commands: wire names of the commands whose replies list auctions.
        write: takes rows of `COLUMNS`.
        reject: takes what gave no row.
        summary: is counted up.
    """
    cards: dict[tuple[Value, Value], list[Value]] = {}
    nameless: list[Value] = [None] * len(_CARD_FIELDS)
    for group in _batches(pages, commands, summary):
        batch = normalizer.normalize(
            [page.body for _, _, page in group],
            platforms=[platform(page) for _, _, page in group],
            fetched_at=[page.fetched_at for _, _, page in group],
            times=[(page.served_at, page.observed_at) for _, _, page in group],
        )
        for card in batch.card_rows():
            card_id, version = (card[index] for index in _CARD_KEY)
            cards[card_id, version] = [card[index] for index in _CARD_VALUES]
        rows = batch.rows()
        write([*_shown(row), *cards.get((row[_CARD], row[_VERSION]), nameless)] for row in rows)
        normalizer.confirm(batch)
        for rejected in _rejects(batch, group):
            summary.rejects[rejected.reason] += 1
            reject(rejected)
        _count(summary, batch, rows)
    summary.cards = len(cards)


def _batches(
    pages: Iterable[tuple[str, int, Page]], commands: Sequence[str], summary: Summary
) -> Iterator[list[tuple[str, int, Page]]]:
    group: list[tuple[str, int, Page]] = []
    size = 0
    for file, number, page in pages:
        if page.command and page.command not in commands:
            summary.other += 1
            continue
        group.append((file, number, page))
        size += len(page.body)
        if len(group) >= _BATCH_PAGES or size >= _BATCH_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _rejects(batch: Batch, group: Sequence[tuple[str, int, Page]]) -> Iterator[Reject]:
    for index, item, begin, end, reason, detail in batch.rejects:
        file, number, page = group[index]
        yield Reject(file, number, item, begin, end, reason, detail, page.body[begin:end])


def _count(summary: Summary, batch: Batch, rows: Sequence[Sequence[Value]]) -> None:
    refused = batch.counts["refused"]
    told = {row[_PAGE] for row in rows} | {index for index, *_ in batch.rejects}
    summary.pages += batch.counts["pages"]
    summary.rows += len(rows)
    summary.refused += refused
    summary.empty += batch.counts["pages"] - refused - len(told)
    for path, kind, count, _ in batch.drift:
        summary.drift[f"{path}: {kind}"] += count


def _shown(row: Sequence[Value]) -> Iterator[Value]:
    for index in _KEPT:
        value = row[index]
        if isinstance(value, int):
            if index in _TIMES:
                value = time_text(value)
            elif index == _VERSION:
                value = f"{value & 0xFFFF_FFFF_FFFF_FFFF:016x}"
        yield value


def time_text(microseconds: int) -> str:
    """Microseconds since 1970 as ``2026-08-15T20:57:15Z``, a fraction only if it is not zero."""
    return at_micros(microseconds).isoformat().replace("+00:00", "Z")
