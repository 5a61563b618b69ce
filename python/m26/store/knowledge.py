"""What a process knows of the database between two batches, and how it notices that it does not.

The committed states of auctions are kept in memory as this process wrote or read them. They hold
as long as no other writer has stored a batch: every batch writes the row of the stream head, and
the transaction that wrote it last is compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from m26._native import States
from m26.normalizer import Normalizer
from m26.store import statements

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    from m26._native import Batch
    from m26.store.closings import Inferred


class Head(NamedTuple):
    """The stream head: its number, and the transaction that wrote it last."""

    seq: int
    writer: str
    since: int = 0
    """Auctions that were posted before it are pruned, microseconds; 0: none is."""


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

    async def read_back(
        self,
        connection: PoolConnectionProxy[Any],
        rows: tuple[Batch, int, int],
        inferred: Sequence[Inferred],
        *,
        careful: bool = False,
    ) -> None:
        """Read back the states that the table has and memory has not.

        Of what was inferred they are needed; of rows, first and last, where some may be there. Of
        auctions that no row shows no sightings are read: those may be very many.
        """
        batch, start, stop = rows
        reads_back = careful or self.reads_back
        unheld = self.states.unheld(batch, start, stop if reads_back else start)
        if inferred:
            others = [(platform, auction_id) for _, platform, auction_id, *_ in inferred]
            shown, hidden = self.states.unheld_others(others, batch, start, stop)
            unheld += shown
            if hidden:
                found = await connection.fetch(statements.READ_OUTCOMES, *columns(hidden))
                self.states.lend([tuple(row) for row in found])
        if unheld:
            found = await connection.fetch(statements.READ_STATES, *columns(unheld))
            self.states.learn([tuple(row) for row in found])
            if reads_back:
                self.reads_back = bool(found)

    def forget(self) -> None:
        """Another writer has stored a batch, or may have."""
        self.states.forget()
        self.reads_back = True
        self.partition = -1


def columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """Rows as columns, for `unnest`."""
    return [list(column) for column in zip(*rows, strict=True)]
