"""Committed events to the Redis stream: in order, without holes, catching up after any outage."""

from __future__ import annotations

import time
from typing import Protocol

import structlog
from redis.asyncio import Redis

from m26.errors import StorageError
from m26.publish.client import OUTAGES, plain
from m26.status.conditions import State
from m26.status.telemetry import Telemetry
from m26.wake import Wake

_log = structlog.get_logger()

STREAM = "m26:events"
DATABASE = "m26:database"
CHUNK = 500
_IDLE = 1.0
_SLOWEST = 5.0

# KEYS stream, database id. ARGV database id, maxlen, seq of the first event, events…
# All of a chunk or nothing of it: Redis refuses a script for lack of memory only before its first
# write. Returns the stream's last seq, -1 when it has none; a chunk that does not follow it is not
# written.
_APPEND = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  redis.call('DEL', KEYS[1])
  redis.call('SET', KEYS[2], ARGV[1])
end
local last = -1
if redis.call('EXISTS', KEYS[1]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then last = tonumber(string.match(info[i + 1], '^%d+')) end
  end
end
local first = tonumber(ARGV[3])
if #ARGV == 3 or (last >= 0 and last + 1 ~= first) then return last end
for i = 4, #ARGV do
  local id = string.format('%.0f-0', first + i - 4)
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], id, 'data', ARGV[i])
end
return first + #ARGV - 4
"""


class History(Protocol):
    """Where committed events are read from (`m26.store.database.Store`)."""

    async def database_id(self) -> str: ...  # noqa: D102
    async def head(self) -> int: ...  # noqa: D102
    async def first_seq(self) -> int: ...  # noqa: D102
    async def events(self, after: int, limit: int) -> list[tuple[int, str]]: ...  # noqa: D102


class Relay:
    """Publishes what `history` has committed. Storing never waits for it."""

    def __init__(
        self,
        redis: Redis,
        history: History,
        *,
        maxlen: int,
        wake: Wake,
        telemetry: Telemetry,
    ) -> None:
        self._redis = redis
        self._history = history
        self._maxlen = maxlen
        self._wake = wake
        self._status, self._metrics = telemetry.status, telemetry.metrics
        self._script = redis.register_script(_APPEND)
        self._behind_since: float | None = None

    async def run(self) -> None:
        """Publish for ever. Ends only by cancellation."""
        wait, checked = _IDLE, False
        while True:
            try:
                if not checked:
                    await self._check_policy()
                    checked = True
                await self.catch_up()
            except OUTAGES as error:
                wait = min(_SLOWEST, wait * 2)
                self._away(f"redis_away: {plain(error)}")
            except StorageError:
                wait = min(_SLOWEST, wait * 2)  # the store says so itself
            else:
                wait = _IDLE
                self._status.report("publish", State.COLLECTING)
            await self._wake.wait(at_most=wait)

    async def catch_up(self) -> int:
        """Publish all that is committed and not in the stream yet; the stream's last seq.

        Raises:
            RedisError, OSError, StorageError: it went as far as it could.
        """
        database, head = await self._history.database_id(), await self._history.head()
        last = await self._append(database, 0, [])
        if last > head:
            _log.warning("publish.stream_ahead", stream=last, database=head)
            await self._redis.delete(STREAM)  # the database was set back: rebuild from it
            last = -1
        if last < 0:
            oldest = await self._history.first_seq()
            last = max(oldest - 1, head - self._maxlen, 0)
        while last < head:
            self._behind()
            events = await self._history.events(last, CHUNK)
            if not events:
                break
            first = events[0][0]
            reached = await self._append(database, first, [data for _, data in events])
            if reached < first - 1 or (reached == last and first > last + 1):
                # history was pruned past the stream's end: begin anew at what is kept
                _log.warning("publish.gap", stream=reached, first_kept=first)
                await self._redis.delete(STREAM)
                reached = first - 1
            last = reached
        self._behind_since = None
        self._metrics.lag_seconds.labels("publish").set(0)
        return last

    async def _append(self, database: str, first: int, events: list[str]) -> int:
        args: list[str | int] = [database, self._maxlen, first, *events]
        return int(await self._script(keys=[STREAM, DATABASE], args=args))

    async def _check_policy(self) -> None:
        info = await self._redis.info("memory")
        policy = str(info.get("maxmemory_policy", ""))
        if policy.startswith("allkeys"):
            _log.warning(
                "redis.policy",
                policy=policy,
                advice="It may evict the whole stream: set maxmemory-policy volatile-lru.",
            )

    def _behind(self) -> None:
        now = time.monotonic()
        self._behind_since = self._behind_since or now
        self._metrics.lag_seconds.labels("publish").set(now - self._behind_since)

    def _away(self, reason: str) -> None:
        self._behind()
        self._status.report(
            "publish",
            State.COLLECTING,
            reason=reason,
            advice="Storing goes on; the stream catches up when Redis is back.",
        )
