"""Requests without the token: each one in; a delay for their like, a count and a log line out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable

import anyio
import structlog

_log = structlog.get_logger()

_FREE = 10
"""Refusals in a minute that are answered at once: mistyped ones, a scraper set up wrongly."""
_MINUTE = 60.0
_DELAY = 1.0
"""Seconds that each further one waits for its answer."""
_MOST = 16
"""How many wait at one time, so that they do not hold every connection that m26 can have."""


class Refusals:
    """How often requests were refused lately, by whomever: who guesses has many addresses.

    Args:
        count: called for each refusal.
        clock: seconds, of any beginning.
        sleep: how the delay is waited for.
    """

    def __init__(
        self,
        count: Callable[[], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._count, self._clock, self._sleep = count, clock, sleep
        self._lately: deque[float] = deque(maxlen=_FREE + 1)
        self._told, self._waiting = float("-inf"), 0

    async def refuse(self, peer: str) -> bool:
        """Count a refusal, and wait as long as its answer has to.

        Args:
            peer: where the request came from.

        Returns:
            False where as many wait as may; it is to be sent away.
        """
        self._count()
        now = self._clock()
        self._lately.append(now)
        if len(self._lately) <= _FREE or self._lately[0] <= now - _MINUTE:
            return True
        if self._told <= now - _MINUTE:
            self._told = now
            _log.warning("web.token_guessed", peer=peer, delay=_DELAY)
        if self._waiting >= _MOST:
            return False
        self._waiting += 1
        try:
            await self._sleep(_DELAY)
        finally:
            self._waiting -= 1
        return True
