"""The whole market in one answer, kept as it goes out: made once a revision, compressed once."""

from __future__ import annotations

import sys
from functools import partial
from typing import NamedTuple

import anyio
import orjson
from anyio.to_thread import run_sync

from m26.market.views import LatestView
from m26.web.desk import Desk
from m26.web.kept import Kept
from m26.web.media import JSON, Body, body_of, wrapped


class _Made(NamedTuple):
    """An answer, and what the database said of itself before it was made."""

    mark: object
    body: Body


class Latest:
    """The newest answer of each platform and form.

    Args:
        desk: whom to ask.
        kept: where answers of the last second are.
        limiter: of the threads in which answers are put into their form.
    """

    def __init__(self, desk: Desk, kept: Kept, limiter: anyio.CapacityLimiter) -> None:
        self._desk, self._kept, self._limiter = desk, kept, limiter
        self._made: dict[tuple[str, str], _Made] = {}

    async def body(self, platform: str, media: str) -> Body | None:
        """The market of a platform that is known.

        Raises:
            StorageError: the database does not answer.
        """
        key = (platform, media)
        return await self._kept.body(key, partial(self._look, *key), largest=sys.maxsize)

    async def _look(self, platform: str, media: str) -> Body:
        before = self._made.get((platform, media))
        async with self._desk.turn() as prices:
            mark = await prices.mark(platform)
            if before is not None and before.mark == mark:
                return before.body
            told, text = await prices.latest_json(platform)
        body = await run_sync(_body, told["seq"], text, media, limiter=self._limiter)
        self._made[platform, media] = _Made(mark, body)
        return body


def _body(seq: int, text: str, media: str) -> Body:
    if media == JSON:  # not read: that would hold up everything else for a while
        return wrapped(text.encode(), seq, pack=True)
    return body_of(orjson.loads(text), LatestView, media, pack=True)
