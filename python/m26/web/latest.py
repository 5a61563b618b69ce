"""The whole market in one answer, kept as it goes out: made once a revision, compressed once.

However many clients ask, the database is asked for a market once at a time.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import anyio
import orjson
from anyio.to_thread import run_sync

from m26.market.views import LatestView
from m26.web.media import FORMS, JSON, Body, wrapped

_FRESH = 1.0
"""Seconds for which an answer is given without a look at the database. Floors are as far behind
their events anyway; so a market is made once a second at the most, whoever asks."""


class _Made(NamedTuple):
    """An answer, and what the database said of itself before it was made."""

    as_of: object
    looked_at: float
    body: Body


class Latest:
    """The newest answer of each platform and form.

    Args:
        prices: whom to ask.
        limiter: of the threads in which answers are put into their form.
        clock: seconds, of any beginning.
    """

    def __init__(
        self,
        prices: Any,  # noqa: ANN401 - see `m26.web.route.Site`
        limiter: anyio.CapacityLimiter,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._prices, self._limiter, self._clock = prices, limiter, clock
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
        now, as_of = self._clock(), await self._prices.as_of(platform)
        if before is not None and before.as_of == as_of:
            return before._replace(looked_at=now)
        seq, text = await self._prices.latest_text(platform)
        body = await run_sync(_body, seq, text, media, limiter=self._limiter)
        return _Made(as_of, now, body)


def _body(seq: int, text: str, media: str) -> Body:
    data = text.encode() if media == JSON else FORMS[media](orjson.loads(text), LatestView)
    return wrapped(data, seq, pack=True)
