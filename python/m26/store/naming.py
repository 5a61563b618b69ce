"""A snapshot of the database in; what the cards of its market are called, out."""

from __future__ import annotations

from typing import NamedTuple

import anyio
import orjson
from anyio.to_thread import run_sync

from m26.market.names import Names
from m26.store import price_statements as statements
from m26.store.reading import Reading


class _Known(NamedTuple):
    """What was read of a market."""

    seq: int
    """Its cards as events up to this one tell of them."""
    names: Names


_NOTHING = _Known(-1, Names([]))


class Naming:
    """The names of each platform's cards: what is there is kept, and what is new is added."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._reads = anyio.Lock()

    async def of(self, found: Reading) -> Names:
        """What cards are called; of the past nothing is kept, where they are fewer."""
        if found.as_of["at"] is not None:
            return await _added(found, _NOTHING)
        async with self._reads:  # once for all who ask
            known = self._known.get(found.platform, _NOTHING)
            if known.seq != found.as_of["seq"]:  # a database may have been set back
                known = _Known(found.as_of["seq"], await _added(found, known))
                self._known[found.platform] = known
        return known.names


async def _added(found: Reading, known: _Known) -> Names:
    text = await found.text(statements.NAMES, found.platform, known.seq)
    return await run_sync(_names, text, known.names)  # of thousands: not on the loop of others


def _names(text: str, others: Names) -> Names:
    return Names(orjson.loads(text), others)
