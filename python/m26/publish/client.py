"""Redis as publish uses it: its client, what a call may raise, and how that is told."""

from __future__ import annotations

from redis.exceptions import RedisError

from m26.redisclient import connect

__all__ = ["OUTAGES", "connect", "plain", "printable"]

OUTAGES = (RedisError, OSError, TimeoutError)
"""What a call may raise while Redis is down, frozen or full."""


def plain(error: BaseException) -> str:
    """One line about a failure, without the URL."""
    text = str(error).splitlines()[0][:200] if str(error) else "no answer in time"
    return f"{type(error).__name__}: {text}"


def printable(name: str) -> str:
    """A name that somebody gave in Redis, of whatever bytes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
