"""Redis as publish uses it: its client, what a call may raise, and how that is told."""

from __future__ import annotations

from redis.exceptions import AuthenticationError, OutOfMemoryError, RedisError, ResponseError

from m26.publish.stream import DATABASE, STREAM
from m26.redisclient import connect

__all__ = ["OUTAGES", "advice", "connect", "plain", "printable"]

OUTAGES = (RedisError, OSError, TimeoutError)
"""What a call may raise while Redis is down, frozen or full."""


def plain(error: BaseException) -> str:
    """One line about a failure, without the URL."""
    text = str(error).splitlines()[0][:200] if str(error) else "no answer in time"
    return f"{type(error).__name__}: {text}"


def advice(error: BaseException) -> str:
    """What the operator can do when Redis answers and refuses; empty when it is only away."""
    text = str(error)
    if isinstance(error, AuthenticationError) or "username-password" in text:
        return "Correct user and password in M26_REDIS__URL, then start m26 again."
    if isinstance(error, OutOfMemoryError):
        return "Raise maxmemory of that Redis, or set M26_REDIS__STREAM_MAXLEN lower."
    if text.startswith("WRONGTYPE"):
        return (
            f"Another program uses {STREAM} or {DATABASE}: rename its key, or give m26 a database"
            " of its own by M26_REDIS__URL (redis://host:6379/1)."
        )
    if isinstance(error, ResponseError):
        return "Let this user of Redis write there, or name another Redis by M26_REDIS__URL."
    return ""


def printable(name: str) -> str:
    """A name that somebody gave in Redis, of whatever bytes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
