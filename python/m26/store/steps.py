"""What is made good beside storing, step by step: a step in, all of them taken over any outage."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import anyio
import structlog

from m26.store import connection as connections
from m26.store.database import Store

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

_log = structlog.get_logger()
PAUSE = 0.05
"""Seconds between two steps, so that batches have the database to themselves most of the time."""
_DEADLINE = 30.0
_SOONEST, _SLOWEST = 0.1, 60.0
"""Seconds between two tries while the database is away."""


async def taken(
    store: Store,
    step: Callable[[PoolConnectionProxy[Any]], Coroutine[Any, Any, float | None]],
    *,
    lost: Callable[[], None],
    waits: str,
) -> None:
    """Take steps until there is none left.

    Args:
        store: the database.
        step: takes one; seconds until the next one, None after the last.
        lost: called after a step that failed: what it read and wrote is not known.
        waits: what the log calls it that the database is away.
    """
    wait = _SOONEST
    while True:
        try:
            async with store.acquire(timeout=_DEADLINE) as connection:
                pause = await connections.within(_DEADLINE, connection, step(connection))
        except connections.OUTAGES as error:
            lost()
            _log.warning(waits, reason=connections.plain(error))
            await anyio.sleep(wait)
            wait = min(_SLOWEST, wait * 2)
        else:
            if pause is None:
                return
            wait = _SOONEST
            await anyio.sleep(pause)
