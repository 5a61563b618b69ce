"""What goes through the one transaction: records prepared for it in, what they came to out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from m26.models import Page, Record
from m26.store import sweeps

if TYPE_CHECKING:
    from m26._native import Batch
    from m26.journal.trail import Writer
    from m26.store.closings import Inferred


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a part is stored, and by whom."""

    pos: int = 0
    """Records of it that are stored."""
    writer: str | None = None
    """Token of the opening of the journal that moved it last; None: it has no writer."""
    host: str | None = None
    since: datetime | None = None
    """When that journal was opened."""
    checksum: int | None = None
    """Of the record that ends at `pos`; None: it has none, or m26 kept none then."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who is about to move a cursor."""

    writer: Writer | None = None
    """None: nobody, for a part that is named by its content."""
    before: int | None = None
    """Checksum of the record that ends where the batch begins; None: unknown."""


class CursorMovedError(Exception):
    """The cursor is not where this batch begins: a lost COMMIT reply, or a rival."""

    def __init__(self, cursor: Cursor) -> None:
        super().__init__(f"the cursor stands at {cursor.pos}")
        self.cursor = cursor
        self.pos = cursor.pos


@dataclass(frozen=True, slots=True)
class Concluded:
    """What consecutive records of a part say beside their rows: see `Fold.take`."""

    inferred: Sequence[Inferred] = ()
    """Outcomes, in the order of the pages of the batch that they come before."""
    coverage: Sequence[tuple[Any, ...]] = ()
    calibration: Sequence[tuple[Any, ...]] = ()
    left: Sequence[Inferred] = ()
    """The last word on auctions that are forgotten now."""
    snapshot: tuple[bytes, memoryview] | None = None
    """To be kept once all of it is stored."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Consecutive records of one part that are read and not stored yet."""

    part: str
    records: Sequence[Record]
    pages: Sequence[tuple[int, Page]]
    """Position and page of the records that can list auctions: the pages of `batch`."""
    batch: Batch
    claim: Claim = Claim()
    concluded: Concluded = Concluded()

    @property
    def begin(self) -> int:
        """Position of the first record."""
        return self.records[0].pos

    @property
    def end(self) -> int:
        """Position behind the last record."""
        return self.records[-1].end

    @property
    def checksum(self) -> int | None:
        """Of the last record."""
        return self.records[-1].checksum


@dataclass(slots=True)
class Stored:
    """What one committed batch came to."""

    pos: int
    """The cursor: records of this part that are stored."""
    seq: int = 0
    """The stream head."""
    pages: int = 0
    rows: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    late: int = 0
    """States that another collector had overtaken; each is an event. The observations are these,
    `new`, `changed` and `unchanged`."""
    pruned: int = 0
    """What was said of auctions that are pruned: no observations, but drift."""
    kinds: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    """Events that gave an outcome, by its evidence."""
    rejects: Counter[str] = field(default_factory=Counter)
    drift: int = 0
    seconds: float = 0.0
    sweeps: dict[sweeps.Key, Counter[str]] = field(default_factory=dict)
