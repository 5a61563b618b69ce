"""Touched cards in; what they are worth, with intervals, into `market_now`.

What holds for all cards is learned from the whole market once an hour, and then every card is
priced; between these, the cards that events touched are. A round reads one snapshot, computes in a
thread without the GIL, and writes what came out together with its own cursor.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
from anyio.to_thread import run_sync

from m26.clock import micros_of
from m26.market.value import Value, coins, value
from m26.status.metrics import Metrics
from m26.status.views import RollupsState, StepView
from m26.store import connection as connections
from m26.store import fair_reading as reading
from m26.store import fair_statements as statements
from m26.store.database import Store
from m26.store.fair_reading import CHUNK, Market, Place, chunks
from m26.store.rounds import for_ever

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg.pool import PoolConnectionProxy

_EVERY = 25.0
"""Seconds from one round's begin to the next one's: with it a price is less than 30 s behind."""
_DEADLINE, _LONGEST = 28.0, 600.0
"""Seconds to write, and to read a whole market."""
_SAID = timedelta(days=3)
"""So long a card's next sale is waited for, to see whether what was said of it holds."""

_SELDOM, _OFTEN = 5, 25
"""Sales of a card in a week: how often its range holds is told apart by them."""

_Row: TypeAlias = tuple[Any, ...]


class Fair:
    """Keeps what cards are worth; of several processes whoever comes first.

    Args:
        store: the database.
        turn: held while `market_now` is written; `Rollups` has the same.
        metrics: lag, cards, and how often ranges held.
        every: seconds from one round's begin to the next one's.
    """

    def __init__(
        self, store: Store, *, turn: anyio.Lock, metrics: Metrics, every: float = _EVERY
    ) -> None:
        self._store, self._turn, self._metrics, self._every = store, turn, metrics, every
        self._began: float | None = None
        self._view = StepView(state="waiting", percent=0, lag_seconds=0)

    @property
    def view(self) -> StepView:
        """How far it is."""
        return self._view

    @property
    def pause(self) -> float:
        """Seconds until a round is due."""
        since = self._every if self._began is None else time.monotonic() - self._began
        return max(0.0, self._every - since)

    async def run(self) -> None:
        """Price for ever; an outage is waited out. Ends only by cancellation."""
        await for_ever(self._store, self.step, waits="fair.wait", pause=lambda: self.pause)

    async def step(self) -> bool:
        """Price what was touched since the last round; whether there is more at once.

        Raises:
            SchemaNewerError: a newer m26 has migrated the database.
        """
        before, self._began = self._began, time.monotonic()
        async with self._store.acquire(timeout=_DEADLINE) as connection:
            found = await connections.within(_LONGEST, connection, self._read(connection))
        if found is None:
            return False
        at, markets = found
        priced = [await price(market) for market in markets]
        async with self._turn, self._store.acquire(timeout=_DEADLINE) as connection:
            writing = self._write(connection, at, priced)
            is_written = await connections.within(_DEADLINE, connection, writing)
        if is_written:
            count = sum(len(each.rows) for each in priced)
            self._metrics.fair_cards.inc(count)
            lag = time.monotonic() - (self._began if before is None else before)
            self._metrics.fair_lag.set(lag if count else 0)
            self._tell("current", 100)
        return False

    async def _read(
        self, connection: PoolConnectionProxy[Any]
    ) -> tuple[Place, list[Market]] | None:
        """What is to be priced; None: it is not time for it."""
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            at = await reading.place(connection)
            if at.is_behind:
                self._tell("building", 0)
            elif at.age is not None and at.age < self._every / 2:
                self._tell("elsewhere", 100)  # it was another process
            else:
                markets = await reading.markets(connection, at, self._building)
                return (at, markets) if markets or at.upto > at.seq else None
        return None

    async def _write(
        self, connection: PoolConnectionProxy[Any], at: Place, priced: Sequence[Priced]
    ) -> bool:
        """Write a round; False: another process was faster, or all is to be built anew."""
        async with connection.transaction():
            await connection.execute(statements.SETTINGS)
            cursors = dict(map(tuple, await connection.fetch(statements.LOCK)))
            if cursors["fair"] != at.seq or cursors["prices"] < at.upto:
                return False
            for each in priced:
                await each.write(connection)
            await connection.execute(statements.MOVE, at.upto)
            checked = await connection.fetch(statements.CHECKED)
        for group, share in checked:
            self._metrics.fair_coverage.labels(group).set(share)
        return True

    def _building(self, share: float) -> None:
        self._tell("building", int(99 * share))

    def _tell(self, state: RollupsState, percent: int) -> None:
        lag = round(self._metrics.value("m26_fair_lag_seconds"), 3)
        self._view = StepView(state=state, percent=percent, lag_seconds=lag)


@dataclass(slots=True)
class Priced:
    """What a market's cards are worth, as it is written."""

    market: Market
    rows: list[_Row] = field(default_factory=list)
    """Of `PRICED`."""
    asked: Counter[str] = field(default_factory=Counter)
    """Sales of which something was said before, by how often such cards sell,"""
    held: Counter[str] = field(default_factory=Counter)
    """and those that were within it."""

    def add(self, place: int, made: Sequence[Any]) -> None:
        """Take what the pricer made of a card."""
        market, (*band, said_at, said_low, said_high) = self.market, self.market.cards[place]
        *_, (low, high) = made
        said = (market.now, coins(low), coins(high))
        if said_at is not None and market.now - _SAID < said_at <= market.now:
            before = said_at, said_low, said_high
            sold = market.pricer.sold_after(place, micros_of(before[0]))
            if sold is None:
                said = before
            else:
                group = _group(made[1][2])
                self.asked[group] += 1
                self.held[group] += before[1] <= sold <= before[2]
        found = value(market.ids[place], made)
        if found["method"] == "kind" and not any(market.model["effects"]):
            nothing = (None,) * (len(statements.PRICED) - 1)  # none of any kind was ever sold
            self.rows.append((found["card_id"], *nothing))
        else:
            self.rows.append(_row(found, band, said))

    async def write(self, connection: PoolConnectionProxy[Any]) -> None:
        """Write it, a few cards at a time."""
        market = self.market
        if market.learns:
            model = {**market.model, "platform": market.platform, "cards": len(market.ids)}
            model |= {"at": market.now, "seq": market.seq}
            await connection.execute(statements.LEARN, *map(model.get, statements.LEARNED))
        for some in chunks(self.rows):
            columns = zip(*some, strict=True)
            await connection.execute(
                statements.WRITE, market.platform, market.now, *map(list, columns)
            )
        if self.asked:
            groups = list(self.asked)
            counts = ([of[group] for group in groups] for of in (self.asked, self.held))
            await connection.execute(statements.CHECK, market.platform, market.now, groups, *counts)


async def price(market: Market) -> Priced:
    """What a market's cards are worth; in threads, without the GIL."""
    pricer, priced = market.pricer, Priced(market)
    if market.learns:
        market.model |= await run_sync(pricer.learn, abandon_on_cancel=True)
    else:
        pricer.learned(market.model, micros_of(market.model["at"]))
    for start in range(0, len(market.ids), CHUNK):
        made = await run_sync(pricer.fair, start, min(start + CHUNK, len(market.ids)))
        for place, each in enumerate(made, start):
            priced.add(place, each)
    return priced


def _row(found: Value, band: Sequence[int | None], said: _Row) -> _Row:
    """Of `PRICED`; `band`: the lowest and the highest price at which the card may be listed."""
    fair, low, high = found["fair"], found["fair_low"], found["fair_high"]
    least, most = band
    at_ends = {
        "at_min": least is not None and low <= least,
        "at_max": most is not None and high >= most,
    }
    flags = [*found["flags"], *(name for name, holds in at_ends.items() if holds)]
    own = (found["n"], found["n_copies"], found["method"], " ".join(flags))
    return (found["card_id"], fair, low, high, *own, *said)


def _group(sales: int) -> str:
    """By sales in a week, as `rust/src/price/shown.rs` has them."""
    return "under_5" if sales < _SELDOM else "under_25" if sales < _OFTEN else "from_25"
