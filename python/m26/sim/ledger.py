"""The truth, durable on its own: every state of every auction, every request, every reply served.

Rows go in before a reply leaves; a reader (`truth`) takes them out while the simulator runs or
after it was killed.  A page is kept as the ids of the states it showed, so that a page of 100
costs some hundred bytes and cannot tell another story than the states do.
"""

from __future__ import annotations

import sqlite3
import zlib
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import orjson

from m26.sim.behaviour import Behaviour
from m26.sim.records import Listing, Request, State, Worth
from m26.sim.truth import ALIVE, ONE, LedgerReader, pairs

_SCHEMA = """
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS auction (
  auction_id INTEGER PRIMARY KEY, platform TEXT, card INTEGER, card_id INTEGER,
  instance_id INTEGER, acquired INTEGER, posted INTEGER, expires INTEGER, alive INTEGER);
CREATE INDEX IF NOT EXISTS auction_alive ON auction (platform) WHERE alive;
CREATE TABLE IF NOT EXISTS state (
  state_id INTEGER PRIMARY KEY, auction_id INTEGER, at REAL, cause TEXT, status TEXT,
  buyout INTEGER, current_bid INTEGER, next_bid INTEGER, bids INTEGER);
CREATE INDEX IF NOT EXISTS state_auction ON state (auction_id);
CREATE TABLE IF NOT EXISTS request (
  number INTEGER PRIMARY KEY, at REAL, connection INTEGER, account TEXT, platform TEXT, kind TEXT,
  command TEXT, request_id INTEGER, status INTEGER, answer TEXT, fault TEXT,
  response_time INTEGER, states BLOB);
CREATE INDEX IF NOT EXISTS request_connection ON request (connection, number);
CREATE TABLE IF NOT EXISTS account (
  name TEXT PRIMARY KEY, platform TEXT, blaze_id INTEGER, persona_id INTEGER, device_id TEXT);
CREATE TABLE IF NOT EXISTS secret (
  value TEXT PRIMARY KEY, kind TEXT, account TEXT, at REAL, ended REAL, heir TEXT);
CREATE TABLE IF NOT EXISTS behaviour (at REAL, after INTEGER, platform TEXT, members BLOB);
CREATE TABLE IF NOT EXISTS worth (
  auction_id INTEGER PRIMARY KEY, prices TEXT, motive TEXT, value REAL);
"""
_OPENED = """
SELECT auction_id, min(at) FROM auction JOIN state USING (auction_id)
WHERE alive AND platform = ? GROUP BY auction_id"""
_FIRST = {
    "auction": 57_000_000,
    "instance": 4_100_000_000,
    "state": 1,
    "connection": 1,
    "request": 1,
}
_BLOCK = 10_000
"""Ids set aside durably at a time: a kill may waste them, it never repeats one."""


class Ledger:
    """The one writer of a ledger file."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_SCHEMA)
        self._listings: list[Listing] = []
        self._worths: list[Worth] = []
        self._states: list[State] = []
        self._together = False
        self._ids: dict[str, tuple[int, int]] = {}  # next one, end of the block set aside
        newest = self._db.execute("SELECT ifnull(max(number), 0) FROM request").fetchone()
        self.requests = int(newest[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()
        self._db.close()

    @staticmethod
    def open_readonly(path: Path) -> LedgerReader:
        """A reader of the ledger at `path`, which may be in use."""
        return LedgerReader(path)

    def fact(self, name: str, default: int) -> int:
        """A number kept over restarts; `default` is kept when there is none yet."""
        self._db.execute("INSERT OR IGNORE INTO fact VALUES (?, ?)", (name, default))
        row = self._db.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return int(row[0])

    def reserve(self, what: str) -> int:
        """The next id of its kind, never given out before or after, whatever is killed when."""
        following, end = self._ids.get(what, (0, 0))
        if following == end:
            name = f"{what} ids from"
            following = self.fact(name, _FIRST[what])
            end = following + _BLOCK
            self._db.execute("UPDATE fact SET value = ? WHERE name = ?", (end, name))
        self._ids[what] = (following + 1, end)
        return following

    def listed(self, listing: Listing, worth: Worth | None = None) -> None:
        """Take note of a new auction, and of what is behind its price."""
        self._listings.append(listing)
        if worth is not None:
            self._worths.append(worth)

    def changed(self, state: State) -> None:
        """Take note of an auction's new state."""
        self._states.append(state)

    def alive(self, platform: str) -> list[tuple[Listing, State]]:
        """Auctions whose last state is ACTIVE, newest posting last."""
        return pairs(self._db, ALIVE, platform)

    def opened(self, platform: str) -> dict[int, float]:
        """When each of the auctions that are `alive` was posted, to the fraction of a second."""
        return dict(self._db.execute(_OPENED, (platform,)).fetchall())

    def auction(self, platform: str, auction_id: int) -> tuple[Listing, State] | None:
        """An auction with its last state, however long ago; None for an id of another platform."""
        self.flush()
        return next(iter(pairs(self._db, ONE, platform, auction_id)), None)

    def worth(self, auction_id: int) -> Worth | None:
        """What is behind a durable auction's price; None where prices were plain."""
        sql = "SELECT * FROM worth WHERE auction_id = ?"
        row = self._db.execute(sql, (auction_id,)).fetchone()
        return None if row is None else Worth(*row)

    def behaved(self, at: float, platform: str, behaviour: Behaviour, speed: float = 1.0) -> None:
        """Make it durable that a platform behaves like this for all requests from now on."""
        members = orjson.dumps(asdict(behaviour) | {"speed": speed})
        self._insert("behaviour", (at, self.requests, platform, members))

    def record(self, request: Request, shown: array[int] | None = None) -> int:
        """Make a request, what its reply shows and all states before it durable.

        Args:
            request: the request and its answer.
            shown: state ids of the auctions in the reply, in order, `NOT_SERVED` in the place of
                one that is not as the ledger has it; None when there are none, or the reply is
                damaged so that nobody may read any from it.

        Returns:
            The request's number, dense over all runs.
        """
        self.requests += 1
        blob = None if shown is None else zlib.compress(shown.tobytes(), 1)
        with self.together():
            self._write_states()
            self._insert("request", (self.requests, *_fields(request), blob))
        return self.requests

    def flush(self) -> None:
        """Make all states so far durable."""
        if self._states:
            with self.together():
                self._write_states()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make all that is noted in the block durable at its end, at once; blocks may be nested."""
        if self._together:
            yield
            return
        self._together = True
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("COMMIT")
            self._together = False

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """All rows of ``account`` or ``secret``."""
        return self._db.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - our own names

    def save(self, table: str, row: tuple[Any, ...]) -> None:
        """Make one row of ``account`` or ``secret`` durable, in place of the one of its key."""
        self._insert(table, row, verb="REPLACE")

    def _write_states(self) -> None:
        for listing in self._listings:
            self._insert("auction", (*_fields(listing), True))
        for worth in self._worths:
            self._insert("worth", _fields(worth))
        for state in self._states:
            self._insert("state", _fields(state))
            if state.status != "ACTIVE":
                end = "UPDATE auction SET alive = false WHERE auction_id = ?"
                self._db.execute(end, (state.auction_id,))
        self._listings.clear()
        self._worths.clear()
        self._states.clear()

    def _insert(self, table: str, row: tuple[Any, ...], *, verb: str = "INSERT") -> None:
        self._db.execute(f"{verb} INTO {table} VALUES ({', '.join('?' * len(row))})", row)


def _fields(value: Listing | State | Request | Worth) -> tuple[Any, ...]:
    """As `dataclasses.astuple`, which copies each field and takes ten times as long."""
    return tuple(getattr(value, name) for name in value.__slots__)
