"""What goes through the one transaction: records prepared for it in, what they came to out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from m26.models import Page, Record
from m26.store import sweeps

if TYPE_CHECKING:
    from m26._native import Batch


class CursorMovedError(Exception):
    """The cursor is not where this batch begins: a lost COMMIT reply, or a rival."""

    def __init__(self, pos: int) -> None:
        super().__init__(f"the cursor stands at {pos}")
        self.pos = pos


@dataclass(frozen=True, slots=True)
class Prepared:
    """Consecutive records of one part that are read and not stored yet."""

    part: str
    records: Sequence[Record]
    pages: Sequence[tuple[int, Page]]
    """Position and page of the records that can list auctions: the pages of `batch`."""
    batch: Batch

    @property
    def begin(self) -> int:
        """Position of the first record."""
        return self.records[0].pos

    @property
    def end(self) -> int:
        """Position behind the last record."""
        return self.records[-1].end


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
    kinds: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    drift: int = 0
    seconds: float = 0.0
    sweeps: dict[sweeps.Key, Counter[str]] = field(default_factory=dict)
