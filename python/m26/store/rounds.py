"""Work that comes again and again, for ever: over outages, and once its indexes are there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import structlog

from m26.errors import StorageError
from m26.store import connection as connections
from m26.store.database import Store
from m26.store.indexes import ROLLUPS, are_there

_log = structlog.get_logger()

_FAILURES: tuple[type[Exception], ...] = (*connections.OUTAGES, StorageError)
_SOONEST, _SLOWEST = 0.5, 60.0
"""Seconds between two tries while the database is away."""
_DEADLINE = 28.0


async def for_ever(
    store: Store,
    step: Callable[[], Awaitable[bool]],
    *,
    waits: str,
    pause: Callable[[], float],
    failed: Callable[[], None] = lambda: None,
) -> None:
    """Take steps; an outage is waited out. Ends only by cancellation.

    Args:
        store: the database.
        step: whether the next may follow at once.
        waits: the log's event for a failure.
        pause: seconds until the next step that may not.
        failed: told of a failure.
    """
    wait, ready = _SOONEST, False
    while True:
        try:
            ready = ready or await _is_ready(store)
            more = ready and await step()
        except _FAILURES as error:
            told = error.message if isinstance(error, StorageError) else connections.plain(error)
            _log.warning(waits, reason=told)
            failed()
            await anyio.sleep(wait)
            wait = min(_SLOWEST, wait * 2)
        else:
            wait = _SOONEST
            if not more:
                await anyio.sleep(pause() if ready else _SOONEST)


async def _is_ready(store: Store) -> bool:
    async with store.acquire(timeout=_DEADLINE) as connection:
        return await are_there(connection, ROLLUPS)
