"""A ledger's file in; what was listed, served and worth, and what became of it, out."""

from __future__ import annotations

import functools
import sqlite3
import zlib
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import orjson

from m26.sim.behaviour import Behaviour
from m26.sim.cards import Deck
from m26.sim.records import NOT_SERVED, Listing, Request, Served, State, Switch, Truth, Worth
from m26.sim.values import DAY, KINDS, Values

_LAST = """
SELECT a.*, s.* FROM auction a JOIN state s
  ON s.state_id = (SELECT max(state_id) FROM state n WHERE n.auction_id = a.auction_id)
WHERE """
ALIVE = _LAST + "a.alive AND a.platform = ? ORDER BY a.posted, a.auction_id"
_PAST = _LAST + "NOT a.alive AND ? IN ('', a.platform) ORDER BY a.auction_id"
ONE = _LAST + "a.platform = ? AND a.auction_id = ?"
_WHOSE = ":platform IN ('', platform)"
_LISTING_WIDTH = 8


class LedgerReader:
    """A ledger opened for reading, while the simulator runs or after its end."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    @functools.cached_property
    def _deck(self) -> Deck:
        sql = "SELECT value FROM fact WHERE name = 'seed'"
        return Deck(self._db.execute(sql).fetchone()[0])

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
        return pairs(self._db, ALIVE, platform)

    def truths(self, platform: str = "") -> Iterator[Truth]:
        """What became of each auction that has ended, by auction id; of one platform."""
        for listing, last in pairs(self._db, _PAST, platform):
            yield Truth.of(listing, last)

    def switches(self, platform: str = "") -> Iterator[Switch]:
        """How the upstream behaved since when, in order; of one platform."""
        sql = f"SELECT * FROM behaviour WHERE {_WHOSE} ORDER BY rowid"  # noqa: S608
        for at, after, name, members in self._db.execute(sql, {"platform": platform}).fetchall():
            told = orjson.loads(members)
            speed = told.pop("speed", 1.0)  # older ledgers do not have it
            yield Switch(at, after, name, Behaviour(**told), speed)

    def worths(self, platform: str = "") -> dict[int, Worth]:
        """What was behind the price of each auction that was posted where prices are not plain."""
        sql = f"SELECT w.* FROM worth w JOIN auction USING (auction_id) WHERE {_WHOSE}"  # noqa: S608
        rows = self._db.execute(sql, {"platform": platform}).fetchall()
        return {row[0]: Worth(*row) for row in rows}

    def value(self, platform: str, card_id: int, at: float) -> float:
        """What a card was, or will be, worth on a platform at a moment, coins.

        Args:
            platform: with a market.
            card_id: of the deck.
            at: seconds since 1970; before the market's start its prices did what they did then.

        Raises:
            ValueError: no such platform or card.
        """
        switches = list(self.switches(platform))
        if not switches:
            raise ValueError(f"no platform {platform!r}")
        then = [switch for switch in switches if switch.at <= at] or switches[:1]
        number = self._deck.number(card_id)
        usual, how = self._deck.card(number).value, then[-1].behaviour.prices
        if how == "plain":
            return float(usual)
        values = Values(self._deck.seed, platform, KINDS[how].moves)
        return values.at(number, usual, at * then[-1].speed / DAY)

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
        worths = self.worths(only)
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
                    worth=worths.get(state.auction_id),
                )


def pairs(db: sqlite3.Connection, sql: str, *given: object) -> list[tuple[Listing, State]]:
    """Auctions with their last states, as one of the queries above finds them."""
    rows = db.execute(sql, given).fetchall()
    width = _LISTING_WIDTH
    return [(Listing(*row[:width]), State(*row[width + 1 :])) for row in rows]
