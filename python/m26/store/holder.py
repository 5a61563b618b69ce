"""Who holds the stream head, which every batch locks: the server's own lists in, a name out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from m26.store.connection import LIMIT

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

GRACE = 5.0
"""Seconds past its limit after which a session is one that the server's own timeouts miss."""

# Who locks the row keeps a lock on the table until the end of the transaction, as do those who wait
# for the row: they wait for a transaction or a tuple. Readers are in nobody's way.
_FIND = """
SELECT a.pid, a.application_name AS name, host(a.client_addr) AS address,
    extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds,
    l.mode IN ('ExclusiveLock', 'AccessExclusiveLock') AS migrates
FROM pg_locks AS l
JOIN pg_stat_activity AS a ON a.pid = l.pid
LEFT JOIN pg_locks AS w ON w.pid = l.pid AND NOT w.granted
WHERE l.locktype = 'relation' AND l.granted AND l.mode <> 'AccessShareLock'
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND l.relation = to_regclass('m26.stream_head')
    AND (w.locktype IS NULL OR w.locktype NOT IN ('transactionid', 'tuple'))
ORDER BY migrates DESC, a.xact_start LIMIT 1"""

# Inside a COPY a server that waits for its client looks at no timeout. It does at this.
_END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = $1 AND application_name = $2 AND wait_event = 'ClientRead'
    AND extract(epoch FROM clock_timestamp() - xact_start) > $3"""


@dataclass(frozen=True, slots=True)
class Holder:
    """A session that keeps batches waiting."""

    pid: int
    """Of its server process."""
    name: str
    """What it calls itself: `m26 HOME/ACCOUNTS@HOST`, or what another program says."""
    address: str | None
    """Where it comes from; None: this machine, or not ours to know."""
    seconds: float | None
    """Since its transaction began; None: not ours to know."""
    migrates: bool
    """It locks the table and not its row: a migration."""

    @property
    def is_m26(self) -> bool:
        """Whether it is one of ours, here or elsewhere."""
        return self.name.startswith("m26 ")

    def __str__(self) -> str:
        who = f"{self.name or 'a session without a name'} of {self.address or 'the same machine'}"
        what = ""
        if self.is_m26:
            home, _, host = self.name.removeprefix("m26 ").rpartition("@")
            who, what = f"m26 of {host}", f" ({home})"
        since = "" if self.seconds is None else f" since {self.seconds:.0f} s"
        return f"stream_head is held{since} by {who}, pid {self.pid}{what}"

    @property
    def advice(self) -> str:
        """What the operator should do."""
        if self.migrates:
            return "Pages wait in the journal: a migration is under way there."
        if self.is_m26:
            return f"Pages wait in the journal; what m26 holds ends after {LIMIT:.0f} s by itself."
        return (
            "Pages wait in the journal. End that session's transaction, or in psql: "
            f"SELECT pg_terminate_backend({self.pid})"
        )


async def find(connection: PoolConnectionProxy[Any]) -> Holder | None:
    """Who holds the stream head now; None when it is free, or was never made."""
    row = await connection.fetchrow(_FIND)
    if row is None:
        return None
    return Holder(row["pid"], row["name"] or "", row["address"], row["seconds"], row["migrates"])


async def end_if_stuck(
    connection: PoolConnectionProxy[Any], holder: Holder, *, after: float
) -> bool:
    """End an m26 whose transaction is older than any of ours lives, `after` seconds: it is frozen.

    What it had not committed it stores again. A migration has no limit.
    """
    if not holder.is_m26 or holder.migrates:
        return False
    ended = await connection.fetchval(_END, holder.pid, holder.name, after)
    return bool(ended)
