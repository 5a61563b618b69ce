"""The truth, durable on its own: every state of every auction, every request, every reply served.

Rows go in before a reply leaves; a reader takes them out while the simulator runs or after it
was killed.  A page is kept as the ids of the states it showed, so that a page of 100 costs some
hundred bytes and cannot tell another story than the states do.
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
from m26.sim.records import NOT_SERVED, Listing, Request, Served, State, Switch, Truth

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
"""
_LAST = """
SELECT a.*, s.* FROM auction a JOIN state s
  ON s.state_id = (SELECT max(state_id) FROM state n WHERE n.auction_id = a.auction_id)
WHERE """
_ALIVE = _LAST + "a.alive AND a.platform = ? ORDER BY a.posted, a.auction_id"
_PAST = _LAST + "NOT a.alive AND ? IN ('', a.platform) ORDER BY a.auction_id"
_ONE = _LAST + "a.platform = ? AND a.auction_id = ?"
_OPENED = """
SELECT auction_id, min(at) FROM auction JOIN state USING (auction_id)
WHERE alive AND platform = ? GROUP BY auction_id"""
_WHOSE = ":platform IN ('', platform)"
_LISTING_WIDTH = 8
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

    def listed(self, listing: Listing) -> None:
        """Take note of a new auction."""
        self._listings.append(listing)

    def changed(self, state: State) -> None:
        """Take note of an auction's new state."""
        self._states.append(state)

    def alive(self, platform: str) -> list[tuple[Listing, State]]:
        """Auctions whose last state is ACTIVE, newest posting last."""
        return _pairs(self._db, _ALIVE, platform)

    def opened(self, platform: str) -> dict[int, float]:
        """When each of the auctions that are `alive` was posted, to the fraction of a second."""
        return dict(self._db.execute(_OPENED, (platform,)).fetchall())

    def auction(self, platform: str, auction_id: int) -> tuple[Listing, State] | None:
        """An auction with its last state, however long ago; None for an id of another platform."""
        self.flush()
        return next(iter(_pairs(self._db, _ONE, platform, auction_id)), None)

    def behaved(self, at: float, platform: str, behaviour: Behaviour) -> None:
        """Make it durable that a platform behaves like this for all requests from now on."""
        members = orjson.dumps(asdict(behaviour))
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
        for state in self._states:
            self._insert("state", _fields(state))
            if state.status != "ACTIVE":
                end = "UPDATE auction SET alive = false WHERE auction_id = ?"
                self._db.execute(end, (state.auction_id,))
        self._listings.clear()
        self._states.clear()

    def _insert(self, table: str, row: tuple[Any, ...], *, verb: str = "INSERT") -> None:
        self._db.execute(f"{verb} INTO {table} VALUES ({', '.join('?' * len(row))})", row)


class LedgerReader:
    """A ledger opened for reading, while the simulator runs or after its end."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def requests(self) -> Iterator[tuple[int, Request]]:
        """Every request with its number, in order of arrival."""
        names = [row[1] for row in self._db.execute("PRAGMA table_info(request)")][:-1]
        sql = f"SELECT {', '.join(names)} FROM request ORDER BY number"  # noqa: S608
        for row in self._db.execute(sql).fetchall():
            fields = dict(zip(names, row, strict=True))
            yield fields.pop("number"), Request(**fields)

    def served(self, platform: str = "") -> Iterator[Served]:
        """Every auction of every reply that was sent whole, in request order; of one platform."""
        return self._served("true", platform)

    def owed(self, platform: str = "") -> Iterator[Served]:
        """Those of `served` after which the client sent another request on that connection."""
        later = (
            "number < (SELECT max(number) FROM request later"
            " WHERE later.connection = request.connection)"
        )
        return self._served(later, platform)

    def states(self) -> Iterator[State]:
        """Every state, in the order in which they came about."""
        for row in self._db.execute("SELECT * FROM state ORDER BY state_id").fetchall():
            yield State(*row)

    def alive(self, platform: str) -> list[tuple[Listing, State]]:
        """The market as it stands: what is ACTIVE, newest posting last."""
        return _pairs(self._db, _ALIVE, platform)

    def truths(self, platform: str = "") -> Iterator[Truth]:
        """What became of each auction that has ended, by auction id; of one platform."""
        for listing, last in _pairs(self._db, _PAST, platform):
            yield Truth.of(listing, last)

    def switches(self, platform: str = "") -> Iterator[Switch]:
        """How the upstream behaved since when, in order; of one platform."""
        sql = f"SELECT * FROM behaviour WHERE {_WHOSE} ORDER BY rowid"  # noqa: S608
        for at, after, name, members in self._db.execute(sql, {"platform": platform}).fetchall():
            yield Switch(at, after, name, Behaviour(**orjson.loads(members)))

    def secrets(self) -> list[str]:
        """Every token, key, code, signature and cookie ever handed out, and all device ids."""
        sql = "SELECT value FROM secret UNION SELECT device_id FROM account"
        return [value for (value,) in self._db.execute(sql).fetchall()]

    def _served(self, condition: str, only: str) -> Iterator[Served]:
        whose = {"platform": only}
        self._db.execute("BEGIN")  # one snapshot: a reply and the states it refers to
        auctions = self._db.execute(f"SELECT * FROM auction WHERE {_WHOSE}", whose)  # noqa: S608
        listings = {row[0]: Listing(*row[:_LISTING_WIDTH]) for row in auctions}
        of_these = f"auction_id IN (SELECT auction_id FROM auction WHERE {_WHOSE})"  # noqa: S608
        found = self._db.execute(f"SELECT * FROM state WHERE {of_these}", whose)  # noqa: S608
        states = {row[0]: State(*row) for row in found}
        replies = self._db.execute(
            "SELECT number, account, platform, connection, response_time, states FROM request"  # noqa: S608
            f" WHERE states IS NOT NULL AND {_WHOSE} AND {condition} ORDER BY number",
            whose,
        ).fetchall()
        self._db.execute("COMMIT")
        for number, account, platform, connection, response_time, blob in replies:
            for position, state_id in enumerate(array("q", zlib.decompress(blob))):
                if state_id == NOT_SERVED:
                    continue
                state = states[state_id]
                yield Served(
                    request=number,
                    account=account,
                    platform=platform,
                    connection=connection,
                    response_time=response_time,
                    position=position,
                    listing=listings[state.auction_id],
                    state=state,
                )


def _fields(value: Listing | State | Request) -> tuple[Any, ...]:
    """As `dataclasses.astuple`, which copies each field and takes ten times as long."""
    return tuple(getattr(value, name) for name in value.__slots__)


def _pairs(db: sqlite3.Connection, sql: str, *given: object) -> list[tuple[Listing, State]]:
    rows = db.execute(sql, given).fetchall()
    width = _LISTING_WIDTH
    return [(Listing(*row[:width]), State(*row[width + 1 :])) for row in rows]
