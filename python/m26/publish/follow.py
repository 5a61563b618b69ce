"""The event stream as a follower sees it: history first, then live, each event once, in order."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import anyio
from redis.asyncio import Redis

from m26.publish.client import OUTAGES
from m26.publish.relay import STREAM, History

_CHUNK = 500
_BLOCK_MS = 2_000


async def follow(
    history: History, redis: Redis | None, *, after: int
) -> AsyncGenerator[tuple[int, str], None]:
    """(seq, JSON) of every event after `after`, for ever.

    The database is the truth; Redis only says sooner that there is more. Where the stream has a
    hole for this follower, or is away, history fills in.

    Raises:
        StorageError: the database does not answer.
    """
    while True:
        while events := await history.events(after, _CHUNK):
            for seq, data in events:
                yield seq, data
                after = seq
        for seq, data in await _live(redis, after):
            if seq != after + 1:
                break
            yield seq, data
            after = seq


async def _live(redis: Redis | None, after: int) -> list[tuple[int, str]]:
    """What the stream has after `after`, or gets within a moment; nothing when it is away."""
    if redis is None:
        await anyio.sleep(1.0)
        return []
    try:
        reply: Any = await redis.xread({STREAM: f"{after}-0"}, count=_CHUNK, block=_BLOCK_MS)
    except OUTAGES:
        await anyio.sleep(1.0)
        return []
    return [
        (int(entry_id.split("-")[0]), fields["data"])
        for entries in (reply.values() if isinstance(reply, dict) else (e for _, e in reply or ()))
        for entry_id, fields in entries
    ]
