"""The field of contenders for loading: each has a copy of one database that has some history."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from anyio.from_thread import BlockingPortal
from benches import databases, direct, ours, peers, stores
from benches.pages import BATCH, KNOWN_CARDS, PER_PAGE, RULES, START, Market, records
from benches.peers import Cards
from benches.race import Contender
from benches.stores import PART, Merged, Tally, bodies

from m26.embedded.postgres import Postgres
from m26.models import Record
from m26.normalizer import Normalizer
from m26.store.batch import Concluded
from m26.store.database import opened
from m26.store.inference import Inference
from m26.store.load import Loader

HISTORY = 10
"""Batches of fresh auctions that each database holds at the beginning."""
BASE = "bench_base"
OURS = "m26"
OURS_FRESH = "m26, as many fresh auctions"
OURS_UNTOLD = "m26, nothing inferred"
MSGSPEC = "msgspec + copy_records + merge"
ORJSON = "orjson + copy_records + merge"
ARROW = "msgspec + pyarrow + pgpq + merge"
AHEAD = "msgspec + pyarrow + pgpq + merge, reading ahead"
USUAL = "orjson + executemany x 50, state only"
MERGE_LIMIT = "buffers built beforehand + merge"
DIRECT_LIMIT = "buffers built beforehand, COPY into the tables"
Batches = Sequence[Sequence[Record]]


class Untold(Inference):
    """Takes no record in and says nothing."""

    def conclude(self, *_: object) -> Concluded:
        return Concluded()


class Round(NamedTuple):
    """What every contender is given in a round."""

    batches: Batches
    tally: Tally
    """What must become of them."""
    fresh: Batches = ()
    """As many fresh auctions, for comparison."""
    rival: Batches = ()
    """What another process commits before the round, untimed."""


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
        portal.call(databases.create, server, BASE)
        portal.call(base._fill)
        return base

    @property
    def pos(self) -> int:
        """Cursor of the database."""
        return len(self.catalogue) + HISTORY * BATCH

    @property
    def auctions(self) -> int:
        """Auctions, and events, in the database."""
        return KNOWN_CARDS + HISTORY * BATCH * PER_PAGE

    async def _fill(self) -> None:
        async with opened(self.server.dsn_of(BASE)) as store:
            await store.migrate()
            loader, pos = Loader(store, Normalizer(RULES)), 0
            batches = (self.market.batch(at=START + number) for number in range(HISTORY))
            for bodies_of_batch in (self.catalogue, *batches):
                pos = (await loader.store(PART, records(bodies_of_batch, start=pos))).pos
        await databases.execute(self.server.dsn_of(BASE), "VACUUM ANALYZE")


@dataclass(frozen=True, slots=True)
class Field:
    """The contenders and their databases."""

    base: Base
    stack: ExitStack
    contenders: list[Contender] = field(default_factory=list)
    dsns: dict[str, str] = field(default_factory=dict)

    def add_ours(
        self,
        label: str = OURS,
        *,
        fresh: bool = False,
        inference: Callable[[Normalizer], Inference] = Inference,
    ) -> None:
        """The product's loader, driven as its drain does it.

        Args:
            label: of the contender.
            fresh: whether it is given the round's fresh auctions.
            inference: what infers outcomes.
        """
        call = self.base.portal.call
        opening = self.base.portal.wrap_async_context_manager(opened(self._database(label)))
        store = self.stack.enter_context(opening)
        normalizer = call(ours.loading, self.base.catalogue)
        loader = Loader(store, normalizer, inference=inference(normalizer))
        run = partial(call, as_drained, loader)

        def check_fresh(given: Round, tally: Tally) -> None:
            assert tally == Tally(new=_auctions(given.fresh))

        if fresh:
            self._add(label, run, check=check_fresh, prepare=lambda given: given.fresh)
        else:
            self._add(label, run)

    def add_ours_untold(self) -> None:
        """The same without what infers outcomes: what that costs."""
        self.add_ours(OURS_UNTOLD, inference=Untold)

    def add_merged(self, label: str, way: stores.Way, *, ahead: bool = False) -> None:
        """A peer in front of the merge; `ahead`: reads a batch while the one before is stored."""
        merged = Merged(self._connection(label), way)
        store = merged.store_overlapped if ahead else merged.store
        self._add(label, partial(self.base.portal.call, store))

    def add_msgspec(self) -> None:
        """Typed structs and tuples."""
        self.add_merged(MSGSPEC, stores.by_records(peers.msgspec_reader(self.base.cards)))

    def add_arrow(self, *, ahead: bool = False) -> None:
        """The best peer."""
        self.add_merged(AHEAD if ahead else ARROW, stores.by_arrow(self.base.cards), ahead=ahead)

    def add_orjson(self) -> None:
        """Dicts and tuples."""
        self.add_merged(ORJSON, stores.by_records(peers.orjson_reader(self.base.cards)))

    def add_usual(self) -> None:
        """What most programs do."""
        usual = stores.Usual(self._connection(USUAL), peers.orjson_reader(self.base.cards))

        def check(given: Round, rows: int) -> None:
            assert rows == sum(given.tally)

        self._add(USUAL, partial(self.base.portal.call, usual.store), check=check)

    def add_merge_limit(self) -> None:
        """The merge alone."""
        merged = Merged(self._connection(MERGE_LIMIT), stores.by_buffer())
        normalizer = ours.normalizer(self.base.catalogue)

        def prepare(given: Round) -> list[tuple[list[Record], Any]]:
            return [
                (batch, ours.read(normalizer, bodies(batch)).auctions) for batch in given.batches
            ]

        run = partial(self.base.portal.call, merged.store_read)
        self._add(MERGE_LIMIT, run, prepare=prepare)

    def add_direct_limit(self) -> None:
        """The disk and PostgreSQL alone."""
        connection = self._connection(DIRECT_LIMIT)
        normalizer = ours.normalizer(self.base.catalogue)
        maker = direct.Maker(normalizer, head=self.base.auctions)
        run = partial(self.base.portal.call, direct.store, connection)
        self._add(DIRECT_LIMIT, run, prepare=lambda given: maker.ready(given.batches))

    def start(self) -> list[Contender]:
        """All that were added, with the server waiting for its disk."""
        os.sync()
        self.base.portal.call(databases.set_fsync, self.base.server, "on")
        return self.contenders

    def check(self, *, auctions: int) -> None:
        """All hold the same `auctions`; all but the usual way the same history, too."""
        same = {label: dsn for label, dsn in self.dsns.items() if label != OURS_FRESH}
        states = {self._row(dsn, databases.AUCTIONS) for dsn in same.values()}
        assert len(states) == 1
        assert states.pop()[0] == auctions
        kept = [dsn for label, dsn in same.items() if label != USUAL]
        for query in (databases.EVENTS, databases.SEEN, databases.PLACE):
            assert len({self._row(dsn, query) for dsn in kept}) == 1, query

    def _add(
        self,
        label: str,
        run: Callable[[Any], Any],
        *,
        check: Callable[[Round, Any], None] | None = None,
        prepare: Callable[[Round], Any] = lambda given: given.batches,
    ) -> None:
        rival: list[Merged] = []

        def prepared(given: Round) -> Any:
            if given.rival:
                self._rival_commits(label, rival, given.rival)
            return prepare(given)

        self.contenders.append(Contender(label, run, check or _as_told, prepare=prepared))

    def _rival_commits(self, label: str, rival: list[Merged], batches: Batches) -> None:
        if not rival:
            way = stores.by_records(peers.msgspec_reader(self.base.cards))
            rival.append(Merged(self._connect(self.dsns[label]), way, part="rival"))
        tally = self.base.portal.call(rival[0].store, batches)
        assert tally == Tally(new=_auctions(batches))

    def _database(self, label: str) -> str:
        name, server = f"bench_{len(self.dsns)}", self.base.server
        call = self.base.portal.call
        self.dsns[label] = call(partial(databases.create, server, name, template=BASE))
        self.stack.callback(call, databases.drop, server, name)
        return self.dsns[label]

    def _connection(self, label: str) -> stores.Connection:
        return self._connect(self._database(label))

    def _connect(self, dsn: str) -> stores.Connection:
        made = self.base.portal.call(stores.connected, dsn)
        self.stack.callback(self.base.portal.call, made.close)
        return made

    def _row(self, dsn: str, query: str) -> tuple[Any, ...]:
        return self.base.portal.call(databases.row, dsn, query)


@contextmanager
def field_of(base: Base) -> Iterator[Field]:
    """An empty field, to add contenders to and `start`; its databases go when the block ends."""
    set_fsync = partial(base.portal.call, databases.set_fsync, base.server)
    with ExitStack() as stack:
        stack.callback(set_fsync, "on")
        set_fsync("off")
        yield Field(base, stack)
        set_fsync("off")


async def as_drained(loader: Loader, batches: Batches) -> Tally:
    """Commit one batch after the other as `m26.store.drain` does: each is read ahead."""
    prepared, stored = await loader.prepare(PART, batches[0]), []
    for following in batches[1:]:
        done, prepared = await asyncio.gather(
            loader.commit(prepared), loader.prepare(PART, following)
        )
        stored.append(done)
    stored.append(await loader.commit(prepared))
    assert not any(done.rejects for done in stored)
    return stores.total([Tally(done.new, done.changed, done.unchanged) for done in stored])


def _as_told(given: Round, tally: Tally) -> None:
    assert tally == given.tally


def _auctions(batches: Sequence[Sequence[Record]]) -> int:
    return sum(map(len, batches)) * PER_PAGE
