"""Work on a book in, its result out, as soon as a descriptor is free for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio
import structlog
from anyio.to_thread import run_sync

from m26.errors import OutageError

T = TypeVar("T")
_log = structlog.get_logger()
_PAUSE = 1.0


async def when_free(work: Callable[[], T]) -> T:
    """`work`, in a worker thread; while no descriptor is free for it, again and again.

    Args:
        work: changes nothing when it raises OutageError.
    """
    told = False
    while True:
        try:
            return await run_sync(work)
        except OutageError as error:
            if not told:
                _log.warning("descriptors.none_free", error=error.message, advice=error.hint)
            told = True
        await anyio.sleep(_PAUSE)
