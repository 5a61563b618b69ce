"""The whole market in one answer, kept as it goes out: made once a revision, compressed once.

However many clients ask, the database is asked for a market once at a time.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

import anyio
import orjson
from anyio.to_thread import run_sync

from m26.market.views import LatestView
from m26.web.desk import Desk
from m26.web.media import JSON, Body, body_of, wrapped

_FRESH = 1.0
"""Seconds for which an answer is given without a look at the database. Floors are as far behind
their events anyway; so a market is made once a second at the most, whoever asks."""


class _Made(NamedTuple):
    """An answer, and what the database said of itself before it was made."""

    mark: object
    looked_at: float
    body: Body


class Latest:
    """The newest answer of each platform and form.

    Args:
        desk: whom to ask.
        limiter: of the threads in which answers are put into their form.
        clock: seconds, of any beginning.
    """

    def __init__(
        self,
        desk: Desk,
        limiter: anyio.CapacityLimiter,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._desk, self._limiter, self._clock = desk, limiter, clock
        self._made: dict[tuple[str, str], _Made] = {}
        self._making: defaultdict[tuple[str, str], anyio.Lock] = defaultdict(anyio.Lock)

    async def body(self, platform: str, media: str) -> Body:
        """The market of a platform that is known.

        Raises:
            StorageError: the database does not answer.
        """
        key = (platform, media)
        async with self._making[key]:
            made = self._made.get(key)
            if made is None or self._clock() - made.looked_at > _FRESH:
                made = self._made[key] = await self._look(platform, media, made)
            return made.body

    async def _look(self, platform: str, media: str, before: _Made | None) -> _Made:
        async with self._desk.turn() as prices:
            now = self._clock()
            mark = await prices.mark(platform)
            if before is not None and before.mark == mark:
                return before._replace(looked_at=now)
            told, text = await prices.latest_json(platform)
        body = await run_sync(_body, told["seq"], text, media, limiter=self._limiter)
        return _Made(mark, now, body)


def _body(seq: int, text: str, media: str) -> Body:
    if media == JSON:  # not read: that would hold up everything else for a while
        return wrapped(text.encode(), seq, pack=True)
    return body_of(orjson.loads(text), LatestView, media, pack=True)
