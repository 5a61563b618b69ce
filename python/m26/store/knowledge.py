"""What a process knows of the database between two batches, and how it notices that it does not.

The committed states of auctions are kept in memory as this process wrote or read them. They hold
as long as no other writer has stored a batch: every batch writes the row of the stream head, and
the transaction that wrote it last is compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from m26._native import States
from m26.normalizer import Normalizer


class Head(NamedTuple):
    """The stream head: its number, and the transaction that wrote it last."""

    seq: int
    writer: str


@dataclass(slots=True)
class Knowledge:
    """What a process knows of the database between two batches."""

    normalizer: Normalizer
    """Knows the cards that are stored."""
    states: States
    head: Head | None = None
    """As our last commit left it; when it differs, another writer has stored a batch since."""
    reads_back: bool = True
    """Whether an auction that is not in memory may be in the table: mostly after a start."""
    partition: int = -1
    """The newest partition of the events that is there for certain; -1: none."""

    def forget(self) -> None:
        """Another writer has stored a batch, or may have."""
        self.states.forget()
        self.reads_back = True
        self.partition = -1
