"""The limit of loading: what a batch changes as COPY buffers that were made beforehand.

Nothing is read or derived while the clock runs. A reader, whatever it is written in, can only come
near to this: the transaction is the product's own, without whatever it does to find out what to
write.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benches import merge, ours
from benches.stores import MOVE_HEAD, PART, Tally, bodies, copy, lock, total

from m26 import _native
from m26.models import Record

if TYPE_CHECKING:
    from benches.stores import Connection


@dataclass(frozen=True, slots=True)
class Ready:
    """One batch, all of whose rows are encoded."""

    begin: int
    end: int
    events: _native.CopyBuffer
    listed: _native.CopyBuffer
    sightings: _native.CopyBuffer
    tally: Tally


class Maker:
    """Makes the buffers; holds the state of all auctions, as the product's process does.

    Args:
        normalizer: knows all cards.
        head: the stream head of the database.
    """

    def __init__(self, normalizer: _native.Normalizer, *, head: int) -> None:
        self._normalizer = normalizer
        self._states = _native.States()
        self._head = head

    def ready(self, batches: Sequence[Sequence[Record]]) -> list[Ready]:
        """The buffers of batches that will be committed one after the other."""
        made = [self._batch(records) for records in batches]
        self._states.commit()
        return made

    def _batch(self, records: Sequence[Record]) -> Ready:
        batch = ours.read(self._normalizer, bodies(records))
        begin, end = records[0].pos, records[-1].pos + 1
        delta = self._states.derive(
            batch,
            0,
            batch.counts["auctions"],
            head=self._head,
            part=PART,
            positions=range(begin, end),
        )
        assert delta.rewritten.rows == 0  # this limit is one of fresh and unchanged auctions
        self._states.accept(delta)
        self._head += delta.events.rows
        new, unchanged = delta.listed.rows, batch.counts["auctions"] - delta.listed.rows
        return Ready(
            begin, end, delta.events, delta.listed, delta.sightings, Tally(new, 0, unchanged)
        )


async def store(connection: Connection, batches: Sequence[Ready]) -> Tally:
    """Commit one batch after the other."""
    for batch in batches:
        async with connection.transaction():
            await connection.execute(merge.SESSION)
            seq = await lock(connection, PART, batch.begin, batch.end)
            if batch.events.rows:
                await copy(connection, "auction_event", batch.events)
                await copy(connection, "auction", batch.listed)
            await copy(connection, "sighting", batch.sightings)
            await connection.execute(MOVE_HEAD, seq + batch.events.rows)
    return total([batch.tally for batch in batches])
