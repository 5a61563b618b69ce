"""The database as requests ask it: so many at a time, and nobody waits long for a turn."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio

from m26.errors import OutageError

MOST = 4
"""Questions that the database is asked at a time, and connections that are there for them."""
_PATIENCE = 2.0
"""Seconds that a request waits for its turn: who asks again waits no longer than that, either."""
_FRESH = 1.0
"""Seconds for which it is known which platforms there are."""


class Desk:
    """Whom requests ask.

    Args:
        prices: answers them, see `m26.store.prices.Prices`, whom this stage does not know.
        patience: seconds that one waits for a turn.
        clock: seconds, of any beginning.
    """

    def __init__(
        self,
        prices: Any,  # noqa: ANN401 - see above
        *,
        patience: float = _PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._prices, self._patience, self._clock = prices, patience, clock
        self._turns = anyio.CapacityLimiter(MOST)
        self._platforms: list[str] = []
        self._looked_at = float("-inf")

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Any]:
        """Whom to ask, once it is one's turn.

        Raises:
            OutageError: others ask so much that it does not come.
        """
        with anyio.move_on_after(self._patience) as waiting:
            await self._turns.acquire_on_behalf_of(waiting)
        if waiting.cancelled_caught:
            raise OutageError(
                f"{MOST} questions are asked of PostgreSQL already, and none of them has ended for"
                f" {self._patience:g} s",
                hint="Ask again, and fewer at a time; /api/v1/market/latest has all cards at once.",
            )
        try:
            yield self._prices
        finally:
            self._turns.release_on_behalf_of(waiting)

    async def platforms(self) -> list[str]:
        """Those of which anything was seen.

        Raises:
            StorageError: the database does not answer.
        """
        if not self._platforms or self._clock() - self._looked_at > _FRESH:
            async with self.turn() as prices:
                self._platforms = await prices.platforms()
            self._looked_at = self._clock()
        return self._platforms
