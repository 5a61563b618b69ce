"""The field of contenders for loading: each has a copy of one database that has some history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import asyncpg
from anyio.from_thread import BlockingPortal
from benches import ours, peers, stores
from benches.pages import BATCH, KNOWN_CARDS, PER_PAGE, RULES, START, Market, page, records
from benches.peers import Cards
from benches.race import Contender

from m26.embedded.postgres import Postgres
from m26.models import Record
from m26.normalize import Normalizer
from m26.store.database import opened
from m26.store.load import Stored

AUCTIONS = BATCH * PER_PAGE
HISTORY = 10
"""Batches of fresh auctions that each database holds at the beginning."""
BASE = "bench_base"
OURS = "m26"
MSGSPEC = "msgspec + copy_records + merge"
ORJSON = "orjson + copy_records + merge"
ARROW = "msgspec + pyarrow + pgpq + merge"
USUAL = "orjson + executemany x 50, state only"
LIMIT = "buffers built beforehand + merge"

_DIGEST = "count(*), sum(hashtextextended(ROW({})::text, 0)::numeric)"
_STATE = ", ".join(name for name in stores.COLUMNS[2:] if name != "observed_at")
_AUCTIONS = f"SELECT {_DIGEST.format(_STATE)} FROM m26.auction"
_EVENTS = f"SELECT {_DIGEST.format('e.*')} FROM m26.auction_event AS e"
_SEEN = f"SELECT {_DIGEST.format('platform, observed_at, auction_ids')} FROM m26.sighting"
_PLACE = "SELECT s.seq, c.pos FROM m26.stream_head AS s, m26.ingest_cursor AS c"


@dataclass(frozen=True, slots=True)
class Base:
    """The database that the contenders' ones are copied from."""

    portal: BlockingPortal
    server: Postgres
    market: Market
    catalogue: list[bytes]
    cards: Cards

    @classmethod
    def filled(cls, portal: BlockingPortal, server: Postgres) -> Base:
        """A base that holds all known cards and `HISTORY` batches."""
        market = Market()
        catalogue = market.catalogue()
        versions = ours.versions(catalogue)
        base = cls(portal, server, market, catalogue, Cards(versions, versions.keys()))
        base.create(BASE)
        portal.call(base._fill)
        return base

    @property
    def pos(self) -> int:
        """Cursor of the database."""
        return len(self.catalogue) + HISTORY * BATCH

    @property
    def auctions(self) -> int:
        """Auctions, and events, in the database."""
        return KNOWN_CARDS + HISTORY * AUCTIONS

    def create(self, name: str, *, template: str = "template1") -> str:
        """Make a database; its DSN."""
        statement = f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"
        self.portal.call(execute, self.server.dsn, statement)
        return self.server.dsn_of(name)

    def drop(self, name: str) -> None:
        """Drop a database, whoever is connected."""
        self.portal.call(execute, self.server.dsn, f"DROP DATABASE {name} WITH (FORCE)")

    async def normalizer(self) -> Normalizer:
        """One that knows the cards as committed."""
        made = Normalizer(RULES)
        made.confirm(await made.normalize([page(body) for body in self.catalogue]))
        return made

    async def _fill(self) -> None:
        async with opened(self.server.dsn_of(BASE)) as store:
            await store.migrate()
            loader, pos = store.loader(Normalizer(RULES)), 0
            batches = (self.market.batch(at=START + number) for number in range(HISTORY))
            for bodies in (self.catalogue, *batches):
                pos = (await loader.store("bench", records(bodies, start=pos))).pos
        await execute(self.server.dsn_of(BASE), "VACUUM ANALYZE")


@dataclass(frozen=True, slots=True)
class Field:
    """The contenders and their databases."""

    base: Base
    stack: ExitStack
    contenders: list[Contender] = field(default_factory=list)
    databases: dict[str, str] = field(default_factory=dict)

    def check(self, *, auctions: int) -> None:
        """All hold the same `auctions`; all but the usual way the same history, too."""
        states = {self._row(label, _AUCTIONS) for label in self.databases}
        assert len(states) == 1
        assert states.pop()[0] == auctions
        merged = [label for label in self.databases if label != USUAL]
        for query in (_EVENTS, _SEEN, _PLACE):
            assert len({self._row(label, query) for label in merged}) == 1, query
        assert self._row(OURS, _EVENTS)[0] == auctions

    def add_ours(self) -> None:
        """`Loader.store`, the product's own entry."""
        call = self.base.portal.call
        opening = self.base.portal.wrap_async_context_manager(opened(self._database(OURS)))
        store = self.stack.enter_context(opening)
        loader = store.loader(call(self.base.normalizer))

        def check(_: Sequence[Record], stored: Stored) -> None:
            assert (stored.new + stored.unchanged, stored.changed) == (AUCTIONS, 0)
            assert not stored.rejects

        run = partial(call, loader.store, "bench")
        self.contenders.append(Contender(OURS, run, check))

    def add_merged(self, label: str, way: stores.Way) -> None:
        """A peer in front of the product's merge."""
        merged = stores.Merged(self._connection(label), way)
        run = partial(self.base.portal.call, merged.store)
        self.contenders.append(Contender(label, run, _all_rows))

    def add_limit(self) -> None:
        """The product's merge alone."""
        call = self.base.portal.call
        merged = stores.Merged(self._connection(LIMIT), stores.by_buffer())
        normalizer = call(self.base.normalizer)

        def prepare(given: Sequence[Record]) -> tuple[Sequence[Record], Any]:
            pages = [record.page for record in given if record.page is not None]
            return given, call(normalizer.normalize, pages).auctions

        def run(prepared: tuple[Sequence[Record], Any]) -> tuple[int, int]:
            return call(merged.store, *prepared)

        self.contenders.append(Contender(LIMIT, run, _all_rows, prepare=prepare))

    def add_usual(self) -> None:
        """What most programs do."""
        usual = stores.Usual(self._connection(USUAL), peers.orjson_reader(self.base.cards))

        def check(_: Sequence[Record], rows: int) -> None:
            assert rows == AUCTIONS

        self.contenders.append(Contender(USUAL, partial(self.base.portal.call, usual.store), check))

    def _database(self, label: str) -> str:
        name = f"bench_{len(self.databases)}"
        self.databases[label] = self.base.create(name, template=BASE)
        self.stack.callback(self.base.drop, name)
        return self.databases[label]

    def _connection(self, label: str) -> stores.Connection:
        made = self.base.portal.call(stores.connected, self._database(label))
        self.stack.callback(self.base.portal.call, made.close)
        return made

    def _row(self, label: str, query: str) -> tuple[Any, ...]:
        return self.base.portal.call(row, self.databases[label], query)


@contextmanager
def everybody(base: Base) -> Iterator[Field]:
    """All contenders at the start line."""
    with ExitStack() as stack:
        entered = Field(base, stack)
        entered.add_ours()
        entered.add_merged(MSGSPEC, stores.by_records(peers.msgspec_reader(base.cards)))
        entered.add_merged(ORJSON, stores.by_records(peers.orjson_reader(base.cards)))
        entered.add_merged(ARROW, stores.by_arrow(base.cards))
        entered.add_limit()
        entered.add_usual()
        yield entered


def _all_rows(_: Sequence[Record], result: tuple[int, int]) -> None:
    assert sum(result) == AUCTIONS


async def execute(dsn: str, statement: str) -> None:
    """Run one statement on a connection of its own."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def row(dsn: str, query: str) -> tuple[Any, ...]:
    """The one row that a query gives."""
    connection = await asyncpg.connect(dsn)
    try:
        return tuple(await connection.fetchrow(query))
    finally:
        await connection.close()
