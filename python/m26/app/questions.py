"""Questions about markets in a run: who answers them, on connections of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

from m26.app.accounts import Assignment, budget_limits
from m26.app.process import Process
from m26.app.servers import Address, Patience
from m26.store.database import connect
from m26.store.prices import Prices
from m26.web.desk import MOST

_LIMIT = 10.0
"""Seconds after which the server ends a question: twice as long as the longest may take."""


@asynccontextmanager
async def answering(
    process: Process, assigned: Assignment, server: Address, name: str, patience: Patience
) -> AsyncIterator[Prices]:
    """Who answers questions for the length of the block; storing never waits for them.

    Raises:
        StorageError: the database does not answer.
    """
    per_day = budget_limits(assigned.profile, process.settings).per_day
    opened = await patience(partial(connect, server.url, name=name, limit=_LIMIT, most=MOST))
    try:
        yield Prices(opened, wait=timedelta(seconds=2 * 86_400 / per_day))
    finally:
        opened.close()
