"""The event stream as a follower sees it: history first, then live, each event once, in order."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import anyio
import structlog
from redis.asyncio import Redis

from m26.publish.client import OUTAGES, plain
from m26.publish.relay import STREAM, History

_log = structlog.get_logger()

_CHUNK = 500


async def follow(
    history: History, redis: Redis | None, *, after: int, moment: float = 2.0
) -> AsyncGenerator[tuple[int, str], None]:
    """(seq, JSON) of every event after `after`, for ever.

    Every event is history's. The stream only says sooner that there is more: what others wrote
    there, what was trimmed or rebuilt, and its absence change nothing but when an event comes.

    Args:
        history: the database.
        redis: where the stream is; None where there is none.
        after: number of the last event that is known.
        moment: seconds after which history is asked even if the stream says nothing.

    Raises:
        StorageError: the database does not answer.
    """
    bell = _Bell(redis, moment)
    while True:
        while events := await history.events(after, _CHUNK):
            for seq, data in events:
                if seq > after + 1:
                    _log.warning("follow.pruned", wanted=after + 1, first=seq)
                yield seq, data
                after = seq
        await bell.wait(after)


class _Bell:
    """Waits for the stream to grow; says once what is odd about it."""

    def __init__(self, redis: Redis | None, moment: float) -> None:
        self._redis, self._moment = redis, moment
        self._heard = (0, 0)
        """The id of the last entry that rang; none after a time of silence."""
        self._told = set[str]()

    async def wait(self, after: int) -> None:
        """Return when the stream has grown, or after a moment.

        Args:
            after: the last event that history has.
        """
        if self._redis is None:
            await anyio.sleep(self._moment)
            return
        if self._heard > (after, 0):  # it rang, and history has nothing of it
            self._tell("follow.skipped", entry="{}-{}".format(*self._heard), history=after)
        # Behind what rang already, be it ours or not: it is not to ring again and again.
        start = "{}-{}".format(*max(self._heard, (after, 0)))
        try:
            reply: Any = await self._redis.xread(
                {STREAM: start}, count=_CHUNK, block=int(self._moment * 1e3)
            )
        except OUTAGES as error:
            self._tell("follow.without_stream", error=plain(error))
            await anyio.sleep(self._moment)
            return
        # Silence may be that of a stream that begins anew with lower numbers: forget its old ones.
        self._heard = (0, 0)
        for entries in reply.values() if isinstance(reply, dict) else (e for _, e in reply or ()):
            milliseconds, _, number = entries[-1][0].partition("-")
            self._heard = (int(milliseconds), int(number))

    def _tell(self, event: str, **facts: object) -> None:
        if event not in self._told:
            _log.warning(event, stream=STREAM, use="events of PostgreSQL", **facts)
        self._told.add(event)
