"""Follows m26's events through a Redis consumer group and counts them by kind, each exactly once.

    python redis_consumer.py counts.db --redis redis://… --postgres postgresql://…

Redis says what is new and remembers what was delivered; the state, with the number of the last
event in it, is kept here; PostgreSQL has what the stream no longer has. `State.add` is the part to
replace by your own. README.md beside this file says which failures it survives, and how.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sqlite3
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

STREAM, DATABASE = "m26:events", "m26:database"
GROUP, CONSUMER = "example", "one"
CHUNK = 500
AWAY = (RedisError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)

HISTORY = "SELECT seq, data FROM m26.event_json WHERE seq > $1 AND seq < $2 ORDER BY seq LIMIT $3"
PLACE = """
SELECT d.id::text AS database, h.seq AS head, e.data
FROM m26.database_info AS d, m26.stream_head AS h LEFT JOIN m26.event_json AS e ON e.seq = $1
"""
COUNT = """
INSERT INTO counted VALUES (?, 1) ON CONFLICT (kind) DO UPDATE SET events = events + 1
"""


class State:
    """What is known and how far it goes, in one SQLite file, so that both change together."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path)
        self._db.execute("CREATE TABLE IF NOT EXISTS counted (kind TEXT PRIMARY KEY, events INT)")
        self._db.execute("CREATE TABLE IF NOT EXISTS place (database TEXT, seq INT, mark TEXT)")
        found = self._db.execute("SELECT database, seq, mark FROM place").fetchone()
        self.database: str
        self.seq: int
        self.mark: str
        self.database, self.seq, self.mark = found or ("", 0, "")

    def add(self, events: Sequence[tuple[int, str]]) -> None:
        """Take in the next events; all of them and their place in one transaction, or none."""
        if not events:
            return
        last, data = events[-1]
        with self._db:
            self._db.executemany(COUNT, [(json.loads(data)["kind"],) for _, data in events])
            self._place(self.database, last, marked(data))

    def begin(self, database: str) -> None:
        """Forget everything: it was about another history."""
        with self._db:
            self._db.execute("DELETE FROM counted")
            self._place(database, 0, "")

    def counts(self) -> dict[str, int]:
        """Events by kind."""
        return dict(self._db.execute("SELECT kind, events FROM counted ORDER BY kind"))

    def _place(self, database: str, seq: int, mark: str) -> None:
        self._db.execute("DELETE FROM place")
        self._db.execute("INSERT INTO place VALUES (?, ?, ?)", (database, seq, mark))
        self.database, self.seq, self.mark = database, seq, mark


def marked(data: str) -> str:
    """What tells an event from another one that got the same number later."""
    event = json.loads(data)
    return json.dumps([event[k] for k in ("kind", "platform", "auction_id", "observed_at")])


def is_marked(data: str, mark: str) -> bool:
    """Whether it is the marked event; history may have learned that it was seen sooner."""
    *what, seen = json.loads(marked(data))
    *marked_what, marked_seen = json.loads(mark)
    if what != marked_what:
        return False
    return datetime.fromisoformat(seen) <= datetime.fromisoformat(marked_seen)


async def follow(redis: Redis, history: asyncpg.Pool[Any], state: State) -> None:
    """Keep the state up to date, for ever; over outages of both servers."""
    joined, start = False, "0"
    while True:
        try:
            if not joined:
                joined, start = await join(redis, history, state), "0"
            entries = await read(redis, start) if joined else []
            if await redis.get(DATABASE) != state.database:
                joined = False  # rebuilt from another database; what was read is read again
            elif entries:
                await take(entries, history, state)
                await redis.xack(STREAM, GROUP, *(entry for entry, _ in entries))
                print(state.seq, state.counts(), flush=True)
            elif start == "0":
                start = ">"  # all that was delivered before is done; on to what is new
            if not joined:
                await asyncio.sleep(1)
        except AWAY as error:  # also a group that went with its stream
            print(f"{type(error).__name__}: {error}; going on in a second", file=sys.stderr)
            joined = False
            await asyncio.sleep(1)


async def join(redis: Redis, history: asyncpg.Pool[Any], state: State) -> bool:
    """Make the group, or find it as it was left; False while there is nothing to read."""
    place = await history.fetchrow(PLACE, state.seq)
    published = await redis.get(DATABASE) if await redis.exists(STREAM) else None
    if place is None or place["database"] != published:
        return False  # nothing was published yet, or the stream is about to be rebuilt
    same = place["head"] >= state.seq  # an event too old to be kept cannot be compared
    if place["data"] is not None:
        same = is_marked(place["data"], state.mark)
    if anew := state.database != published or not same:
        state.begin(place["database"])
    try:
        await redis.xgroup_create(STREAM, GROUP, id=f"{state.seq}-0")
    except ResponseError as error:
        if not str(error).startswith("BUSYGROUP"):
            raise
        if anew:
            await redis.xgroup_setid(STREAM, GROUP, id="0-0")
    return True


async def read(redis: Redis, start: str) -> list[tuple[str, str | None]]:
    """(id, JSON) of some entries; None for what was trimmed after its delivery, or is not m26's.

    Args:
        redis: where the stream is.
        start: ``0`` for what was delivered and never acknowledged, ``>`` for what is new.
    """
    streams: dict[Any, Any] = {STREAM: start}
    reply: Any = await redis.xreadgroup(GROUP, CONSUMER, streams, count=CHUNK, block=2_000)
    return [
        (entry, told(entry, fields or {}))
        for _, entries in reply or ()
        for entry, fields in entries
    ]


def told(entry: str, fields: dict[str, str]) -> str | None:
    """The event of an entry; None where it tells none: anybody can write into a stream."""
    try:
        return fields["data"] if entry == f"{json.loads(fields['data'])['seq']}-0" else None
    except (KeyError, TypeError, ValueError):
        return None


async def take(
    entries: list[tuple[str, str | None]], history: asyncpg.Pool[Any], state: State
) -> None:
    """Add entries to the state, in order, without a hole and none twice."""
    ready: list[tuple[int, str]] = []
    last = state.seq
    for entry, data in entries:
        seq = int(entry.partition("-")[0])
        if data is None or seq <= last:
            continue  # trimmed, so that it comes with the next hole; nobody's; or known already
        if seq != last + 1:
            state.add(ready)
            ready = []
            await fill(history, state, before=seq)
        ready.append((seq, data))
        last = seq
    state.add(ready)


async def fill(history: asyncpg.Pool[Any], state: State, *, before: int) -> None:
    """Add what the stream does not have any more, from PostgreSQL."""
    while state.seq < before - 1:
        rows = await history.fetch(HISTORY, state.seq, before, CHUNK)
        if not rows:
            print(f"no event {state.seq + 1} to {before - 1} is kept anywhere", file=sys.stderr)
            return
        state.add([(row["seq"], row["data"]) for row in rows])


async def main() -> None:
    """Read the command line and follow."""
    parser = argparse.ArgumentParser(description="Counts m26's events by kind, each once.")
    parser.add_argument("state", type=Path, help="SQLite file that keeps the counts")
    parser.add_argument("--redis", default=os.environ.get("M26_REDIS__URL"))
    parser.add_argument("--postgres", default=os.environ.get("M26_POSTGRES__DSN"))
    given = parser.parse_args()
    if not given.redis or not given.postgres:
        parser.error("name both servers; `m26 embedded start --json` shows those of a home")
    # A call that is repeated behind our back would be delivered what nobody handles.
    redis = Redis.from_url(
        given.redis,
        decode_responses=True,
        protocol=2,
        socket_timeout=10,
        retry=Retry(NoBackoff(), 0),
    )
    async with asyncpg.create_pool(given.postgres, min_size=0, max_size=1) as history, redis:
        await follow(redis, history, State(given.state))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
