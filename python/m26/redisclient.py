"""How m26 talks to Redis: a URL in, a client with short deadlines and no hidden retries out."""

from __future__ import annotations

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from m26.errors import ConfigError


def connect(url: str, *, timeout: float = 3.0, as_text: bool = True) -> Redis:
    """A client of `url`; nothing is sent yet.

    Its own retries are off: a repeated XADD would write one entry twice.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.
        timeout: seconds for one call.
        as_text: whether values come as str; else as bytes.

    Raises:
        ConfigError: the URL is malformed.
    """
    try:
        return Redis.from_url(
            url,
            decode_responses=as_text,
            encoding_errors="surrogateescape",  # others write there too: no byte may end a run
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError as error:
        raise ConfigError(
            f"M26_REDIS__URL is not a usable Redis address: {error}",
            hint="It looks like redis://host:6379/0 or unix:///path/to/socket.",
        ) from None
