"""Publishing in a run: what is committed goes into the stream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from m26.app.process import Process, beside
from m26.publish.client import connect
from m26.publish.relay import Relay
from m26.store.database import Store
from m26.wake import Wake


@asynccontextmanager
async def publishing(
    process: Process, url: str, store: Store, *, committed: Wake
) -> AsyncIterator[Relay]:
    """Publish what `store` has committed to the Redis at `url`.

    Raises:
        ConfigError: the URL is malformed.
    """
    redis = connect(url)
    try:
        relay = Relay(
            redis,
            store,
            maxlen=process.settings.redis.stream_maxlen,
            wake=committed,
            telemetry=process.telemetry,
        )
        async with beside(relay.run):
            yield relay
    finally:
        await redis.aclose()
