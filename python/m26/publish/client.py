"""How m26 talks to Redis: short deadlines, no hidden retries."""

from __future__ import annotations

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from m26.errors import ConfigError

OUTAGES = (RedisError, OSError, TimeoutError)
"""What a call may raise while Redis is down, frozen or full."""


def connect(url: str, *, timeout: float = 3.0) -> Redis:
    """A client of `url`; nothing is sent yet.

    Its own retries are off: a repeated XADD would write one entry twice.

    Raises:
        ConfigError: the URL is malformed.
    """
    try:
        return Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError as error:
        raise ConfigError(
            f"M26_REDIS__URL is not a usable Redis address: {error}",
            hint="It looks like redis://host:6379/0 or unix:///path/to/socket.",
        ) from None


def plain(error: BaseException) -> str:
    """One line about a failure, without the URL."""
    text = str(error).splitlines()[0][:200] if str(error) else "no answer in time"
    return f"{type(error).__name__}: {text}"
