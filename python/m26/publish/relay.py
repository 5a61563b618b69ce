"""Committed events to the Redis stream: in order, without holes, catching up after any outage."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis

from m26.errors import StorageError
from m26.publish.client import OUTAGES, advice, plain, printable
from m26.publish.proof import History, agreement, newest_agree, same_event
from m26.publish.stream import DATABASE, STREAM, Rebuilt, Seen, Stream
from m26.status.conditions import State
from m26.status.metrics import begin
from m26.status.telemetry import Telemetry
from m26.wake import Wake

__all__ = ["CHUNK", "DATABASE", "STREAM", "History", "Relay"]

_log = structlog.get_logger()

CHUNK = 500
_IDLE = 1.0
_SLOWEST = 5.0
_PATIENCE = 10
"""Steps that change nothing, as somebody else is always faster, before it is left for later."""
_TELL = 600.0
"""Seconds for which a rebuild stays in the status."""

_BECAUSE = {
    "another_database": "it held the events of another database",
    "set_back": "it was ahead of the database, which was set back, or others wrote into it",
    "differs": "it told other events than the database, which was set back and went on",
    "gap": "history was pruned past its end",
    "emptied": "Redis was emptied",
}
_LOST = (
    "A group that is gone was given events that history does not have: its consumers begin anew"
    " from PostgreSQL, see the section on Redis in docs/DATA.md."
)


@dataclass(frozen=True, slots=True)
class _Wrong:
    """Why the stream cannot be gone on with."""

    reason: str
    found: Seen
    """What this rests on: a rebuild compares it once more."""
    groups_to: int = 0
    """Groups that were given nothing after it were given what history tells."""
    keep: int = 0
    """The last entry that history agrees with."""


class Relay:
    """Publishes what `history` has committed. Storing never waits for it.

    Any number of relays may publish the same history: each step compares in Redis what it was
    decided by, so that nobody undoes what another one has done meanwhile.
    """

    def __init__(
        self,
        redis: Redis,
        history: History,
        *,
        maxlen: int,
        wake: Wake,
        telemetry: Telemetry,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._stream = Stream(redis, maxlen=maxlen)
        self._history = history
        self._maxlen = maxlen
        self._wake, self._clock = wake, clock
        self._status, self._metrics = telemetry.status, telemetry.metrics
        begin(self._metrics.stream_rebuilds, _BECAUSE)
        self._behind_since: float | None = None
        self._proved = False  # the stream's end was compared with history since the last outage
        self._own = ""  # the database whose events this process has seen in the stream
        self._taken = ""  # the database of another m26 that has taken the stream
        self._word, self._word_until = ("", ""), 0.0

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
                self._away(error)
            except StorageError:
                wait = min(_SLOWEST, wait * 2)  # the store says so itself
            else:
                wait = _IDLE
            await self._wake.wait(at_most=wait)

    async def catch_up(self) -> int:
        """Publish all that is committed and not in the stream yet; the stream's last seq.

        0 where the stream belongs to another database's m26, which the status tells.

        Raises:
            RedisError, OSError, StorageError: it went as far as it could.
        """
        try:
            last = await self._catch_up()
        except BaseException:
            self._proved = False  # what was away may come back with another past
            raise
        self._tell()
        return last

    async def _catch_up(self) -> int:
        goal: int | None = None
        stuck, seen = 0, await self._stream.look()
        while stuck < _PATIENCE:
            # The stream first, the head after it: only so a stream that is ahead of the head
            # proves that the database was set back; else a rival may have committed in between.
            database, head = await self._history.database_id(), await self._history.head()
            goal = head if goal is None else min(goal, head)
            if self._is_taken(seen, database):
                return 0
            before, wrong = seen, await self._wrong(seen, database, head)
            if wrong is not None:
                seen = await self._rebuild(seen, wrong, database, head)
            elif seen.last >= goal:
                break
            else:
                self._behind()
                after = await self._append(seen, database, head)
                if after is None:
                    break
                seen = after
                if seen.last >= goal and seen.database == database:
                    break
            stuck = stuck + 1 if seen == before else 0
        else:
            return seen.last  # the next call tries again
        self._behind_since = None
        self._metrics.lag_seconds.labels("publish").set(0)
        return seen.last

    def _is_taken(self, seen: Seen, database: str) -> bool:
        """Whether an m26 on another database has put its events in place of ours.

        To take the stream back would begin a fight without end, so who came last has it.
        """
        taken = seen.database not in ("", database) and self._own == database
        if taken and self._taken != seen.database:
            _log.warning("publish.taken", stream_of=seen.database, database=database)
        self._taken = seen.database if taken else ""
        if taken:
            self._behind()
        return taken

    async def _wrong(self, seen: Seen, database: str, head: int) -> _Wrong | None:
        if seen.database not in ("", database):
            return _Wrong("another_database", Seen(seen.database, "*"))
        if seen.last <= head:
            # Its last entry is compared with each append; where there is none to come, here.
            whole = self._proved and seen.database == database
            count = 1 if whole else CHUNK
            appends = seen.last < head and seen.entry in ("", seen.top)
            if (whole and appends) or await newest_agree(
                self._stream, self._history, head=head, count=count
            ):
                self._proved = True
                if seen.database == database:
                    self._own = database
                return None
        self._proved = False
        agreed, other = await agreement(self._stream, self._history, head=head, chunk=CHUNK)
        ahead = seen.last > head
        reason = "set_back" if ahead else "differs"
        if other is None and not (ahead and agreed < seen.last):
            reason = ""  # it was mended meanwhile
        found = Seen(seen.database, seen.top if ahead else "*", *(other or ("", "")))
        return _Wrong(reason, found, groups_to=agreed, keep=agreed)

    async def _append(self, seen: Seen, database: str, head: int) -> Seen | None:
        """The next events; what is there then, or None where history has no more."""
        last, begins = seen.last, seen.last == 0
        if begins:  # an empty stream takes only the number whose place it is
            last = await self._begin(head)
        compared = not begins and seen.entry == seen.top
        rows = await self._history.events(last - compared, CHUNK + compared)
        own = rows.pop(0)[1] if compared and rows and rows[0][0] == last else seen.data
        if compared and (seen.entry != f"{last}-0" or not same_event(seen.data, own)):
            self._proved = False  # the next look at it says how far they agree
            return await self._stream.look()
        if not rows:
            return None
        if not begins and rows[0][0] > last + 1:
            _log.warning("publish.gap", stream=last, first_kept=rows[0][0])
            wrong = _Wrong("gap", seen, groups_to=last)
            return await self._rebuild(seen, wrong, database, head)
        done, now = await self._stream.append(seen, database, rows)
        if done:
            if seen.top == "" and self._own == database:
                self._rebuilt("emptied", seen, Rebuilt(done, now, [], []), head)
            self._own = database
        return now

    async def _begin(self, head: int) -> int:
        oldest = await self._history.first_seq()
        return max(oldest - 1, head - self._maxlen, 0)

    async def _rebuild(self, seen: Seen, wrong: _Wrong, database: str, head: int) -> Seen:
        """Begin anew where history no longer agrees; what is there then."""
        if not wrong.reason:
            return await self._stream.look()
        self._behind()
        keep, start = wrong.keep, wrong.keep
        if not keep:
            start = wrong.groups_to if wrong.reason == "gap" else await self._begin(head)
        rows = await self._history.events(start, CHUNK)
        if rows and rows[0][0] != keep + 1:
            keep = 0  # pruned meanwhile: what was kept would be followed by a hole
        rebuilt = await self._stream.rebuild(
            wrong.found, database, rows, groups_to=wrong.groups_to, keep=keep
        )
        if rebuilt.done:
            self._own = database
            self._rebuilt(wrong.reason, seen, rebuilt, head, keep)
        return rebuilt.seen

    def _rebuilt(self, reason: str, seen: Seen, rebuilt: Rebuilt, head: int, keep: int = 0) -> None:
        lost = [f"{printable(name)} at {last}" for name, last in rebuilt.lost]
        kept = [f"{printable(name)} at {last}" for name, last in rebuilt.kept]
        _log.warning(
            "publish.rebuilt",
            reason=reason,
            stream=seen.last,
            database=head,
            kept_to=keep,
            groups_kept=kept,
            groups_lost=lost,
        )
        self._metrics.stream_rebuilds.labels(reason).inc()
        groups = f"; groups gone: {', '.join(lost)}" if lost else ""
        if reason == "emptied":
            groups = "; its groups are gone"
        words = f"stream_rebuilt: {reason}: {_BECAUSE[reason]}{groups}"
        advice = _LOST if groups else "Nothing: consumer groups go on where they were."
        self._word, self._word_until = (words, advice), self._clock() + _TELL
        self._tell()

    def _tell(self) -> None:
        reason, advice = self._word if self._clock() < self._word_until else ("", "")
        if self._taken:
            reason = f"stream_taken: another m26 publishes database {self._taken} to this Redis"
            advice = (
                "Give each database its own Redis or its own number in M26_REDIS__URL"
                " (redis://host:6379/1), then restart this m26. Storing goes on."
            )
        self._status.report("publish", State.COLLECTING, reason=reason, advice=advice)

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
        now = self._clock()
        self._behind_since = self._behind_since or now
        self._metrics.lag_seconds.labels("publish").set(now - self._behind_since)

    def _away(self, error: BaseException) -> None:
        self._behind()
        code, what = "redis_refuses", advice(error)
        if not what:
            code, what = "redis_away", "Nothing here: the stream catches up when Redis is back."
        reason = f"{code}: {plain(error)}"
        told = f"{what} Storing goes on."
        self._status.report("publish", State.COLLECTING, reason=reason, advice=told)
