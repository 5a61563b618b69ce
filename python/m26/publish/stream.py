"""The Redis stream itself: each change is one script that first compares what its caller saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

STREAM = "m26:events"
DATABASE = "m26:database"
_MORE = 2  # what a rebuild returns when it has to be called again
_STEP = 20_000
"""Entries that one script takes away: it must end well within a client's deadline."""

# KEYS stream, database id. ARGV 1 to 4: what the caller saw and decided by (database id, the
# stream's last id, one entry's id, that entry's data). Whatever else is there now: a rival was
# here, nothing is done, and the caller hears what there is.
_COMMON = """
local function seq(id) return tonumber(string.match(id, '^%d+')) end
local function id(number) return string.format('%.0f-0', number) end
local function data(entry)
  for i = 1, #entry[2], 2 do
    if entry[2][i] == 'data' then return entry[2][i + 1] end
  end
  return ''
end
local function info()
  local found = {}
  if redis.call('EXISTS', KEYS[1]) == 0 then return found end
  local flat = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #flat, 2 do found[flat[i]] = flat[i + 1] end
  return found
end
local function look()
  local found, entry = info(), {'', {}}
  if found['last-entry'] then entry = found['last-entry'] end
  local top = found['last-generated-id'] or ''
  return {redis.call('GET', KEYS[2]) or '', top, entry[1], data(entry)}
end
local function unchanged()
  local now = look()
  if now[1] ~= ARGV[1] or (ARGV[2] ~= '*' and now[2] ~= ARGV[2]) then return false end
  if ARGV[3] == '' then return true end
  local entry = redis.call('XRANGE', KEYS[1], ARGV[3], ARGV[3])[1]
  return entry ~= nil and data(entry) == ARGV[4]
end
local function append(maxlen, first, from)
  for i = from, #ARGV do
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', maxlen, id(first + i - from), 'data', ARGV[i])
  end
end
"""

_LOOK = _COMMON + "return look()"

# ARGV 5 database id, 6 maxlen, 7 seq of the first event, then the events.
# All of a chunk or nothing of it: Redis refuses a script for lack of memory only before its first
# write.
_APPEND = (
    _COMMON
    + """
if not unchanged() then return {0, look()} end
append(ARGV[6], tonumber(ARGV[7]), 8)
redis.call('SET', KEYS[2], ARGV[5])
return {1, look()}
"""
)

# ARGV 5 to 7 as above, 8 last seq that a group may have been given to be kept, 9 last entry that
# is kept, 10 entries that may be taken away, then the events. Groups stay with their consumers
# and what is pending: entries are taken from the stream's end, or all of them where the next one
# is higher; only else it is made anew. Returns {2, …} when there is more to take away.
_REBUILD = (
    _COMMON
    + """
if not unchanged() then return {0, look(), {}, {}} end
local first, keep, most = tonumber(ARGV[7]), tonumber(ARGV[9]), tonumber(ARGV[10])
local before, kept, lost = info(), {}, {}
for _, group in ipairs(before['length'] and redis.call('XINFO', 'GROUPS', KEYS[1]) or {}) do
  local name, last
  for i = 1, #group, 2 do
    if group[i] == 'name' then name = group[i + 1] end
    if group[i] == 'last-delivered-id' then last = group[i + 1] end
  end
  if seq(last) <= tonumber(ARGV[8]) then
    table.insert(kept, name)
    table.insert(kept, last)
  else
    table.insert(lost, name)
    table.insert(lost, last)
    redis.call('XGROUP', 'DESTROY', KEYS[1], name)
  end
end
if keep > 0 and before['length'] then
  local gone, bad = 0, {}
  repeat
    bad = redis.call('XREVRANGE', KEYS[1], '+', '(' .. id(keep), 'COUNT', 500)
    local ids = {}
    for i, entry in ipairs(bad) do ids[i] = entry[1] end
    if #ids > 0 then gone = gone + redis.call('XDEL', KEYS[1], unpack(ids)) end
  until #bad < 500 or gone >= most
  local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  local top = id(math.max(keep, last and seq(last[1]) or 0))
  if before['entries-added'] then
    local deleted = before['max-deleted-entry-id']
    if deleted == '0-0' or seq(deleted) > keep then deleted = '0-1' end
    redis.call('XSETID', KEYS[1], before['last-generated-id'],
      'ENTRIESADDED', before['entries-added'] - gone, 'MAXDELETEDID', deleted)
  end
  redis.call('XSETID', KEYS[1], top)
  if #bad == 500 then return {2, look(), kept, lost} end
elseif #ARGV > 10 and before['length'] and seq(before['last-generated-id']) < first then
  redis.call('XTRIM', KEYS[1], 'MAXLEN', 0)
else
  redis.call('DEL', KEYS[1])
  for i = 1, #kept, 2 do
    redis.call('XGROUP', 'CREATE', KEYS[1], kept[i], kept[i + 1], 'MKSTREAM')
  end
end
append(ARGV[6], first, 11)
redis.call('SET', KEYS[2], ARGV[5])
return {1, look(), kept, lost}
"""
)


def number(entry_id: str) -> int:
    """The seq in an entry's id; 0 for none."""
    return int(entry_id.partition("-")[0] or 0)


@dataclass(frozen=True, slots=True)
class Seen:
    """The stream at one instant, or the part of it that a decision rests on."""

    database: str
    """Whose events they are; empty when nobody says so."""
    top: str
    """The last id ever given; empty where there is no stream; ``*`` for any."""
    entry: str = ""
    """An entry's id, that of the last one; empty where there is none."""
    data: str = ""

    @property
    def last(self) -> int:
        """Seq of the last event that was ever in the stream."""
        return number(self.top)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild came to; groups as (name, last seq that it was given)."""

    done: bool
    """False: there was another stream than the one that was to be rebuilt."""
    seen: Seen
    kept: list[tuple[str, int]]
    lost: list[tuple[str, int]]


class Stream:
    """`m26:events` on one Redis."""

    def __init__(self, redis: Redis, *, maxlen: int) -> None:
        self._redis, self._maxlen = redis, maxlen
        self._look = redis.register_script(_LOOK)
        self._append = redis.register_script(_APPEND)
        self._rebuild = redis.register_script(_REBUILD)

    async def look(self) -> Seen:
        """What is there now."""
        return Seen(*await self._run(self._look, []))

    async def append(
        self, seen: Seen, database: str, events: Sequence[tuple[int, str]]
    ) -> tuple[bool, Seen]:
        """Add all of `events` if the stream is still as `seen`; whether, and what is there now."""
        args = [*_told(seen), database, self._maxlen, events[0][0], *(data for _, data in events)]
        done, now = await self._run(self._append, args)
        return bool(done), Seen(*now)

    async def rebuild(
        self,
        seen: Seen,
        database: str,
        events: Sequence[tuple[int, str]],
        *,
        groups_to: int,
        keep: int,
    ) -> Rebuilt:
        """Take away what follows `keep` and add `events`, if the stream is still as `seen`.

        Groups that were given no event after `groups_to` are kept as they are, others deleted.
        """
        first = events[0][0] if events else keep + 1
        lost: list[tuple[str, int]] = []
        while True:
            rest = [database, self._maxlen, first, groups_to, keep, _STEP]
            args = [*_told(seen), *rest, *(data for _, data in events)]
            done, now, kept, gone = await self._run(self._rebuild, args)
            found = Seen(*now)
            lost += _groups(gone)
            if done != _MORE:
                return Rebuilt(bool(done), found, _groups(kept), lost)
            if seen.top != "*":
                seen = Seen(seen.database, found.top, seen.entry, seen.data)

    async def newest(self, count: int) -> list[tuple[str, str]]:
        """(id, JSON) of the last `count` entries, oldest first."""
        return _entries(await self._redis.xrevrange(STREAM, count=count))[::-1]

    async def after(self, start: str, count: int) -> list[tuple[str, str]]:
        """(id, JSON) of up to `count` entries after the id `start`; of the first ones for ''."""
        least = f"({start}" if start else "-"
        return _entries(await self._redis.xrange(STREAM, min=least, count=count))

    async def _run(self, script: AsyncScript, args: list[Any]) -> list[Any]:
        return cast("list[Any]", await script(keys=[STREAM, DATABASE], args=args))


def _told(seen: Seen) -> list[str]:
    return [seen.database, seen.top, seen.entry, seen.data]


def _entries(reply: object) -> list[tuple[str, str]]:
    entries = cast("list[tuple[str, dict[str, str] | None]]", reply or [])
    return [(entry, (fields or {}).get("data", "")) for entry, fields in entries]


def _groups(flat: list[str]) -> list[tuple[str, int]]:
    return [(name, number(last)) for name, last in zip(flat[::2], flat[1::2], strict=True)]
