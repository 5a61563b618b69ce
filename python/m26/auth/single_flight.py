"""Renewals of one process: many who want one at once come in, one at a time goes out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from m26.errors import M26Error


class SingleFlight:
    """Who asks while a renewal is under way gets its outcome, good or bad.

    After a good one its turn comes, and finds that there is nothing left to do; after a bad one it
    gets the same error, without another try.
    """

    def __init__(self) -> None:
        self._renewing = anyio.Lock()
        self._renewals = 0
        self._failure: M26Error | None = None

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """The turn for one renewal.

        Raises:
            M26Error: of the renewal that was waited for.
        """
        ended = self._renewals
        async with self._renewing:
            if self._failure is not None and self._renewals != ended:
                raise self._failure  # it failed while we waited: its outcome is ours
            self._failure = None
            try:
                yield
            except M26Error as error:
                self._failure = error
                raise
            finally:
                self._renewals += 1
