"""Homes that are copied, run alone and together, told and given new ids, in an order by chance."""

from __future__ import annotations

import random
import shutil
from itertools import count
from pathlib import Path

import anyio
import asyncpg
import pytest
from tests.support.draining import draining

from m26.app.new_id import new_id
from m26.config import load
from m26.errors import M26Error
from m26.journal import Ledger

pytestmark = pytest.mark.anyio
_HOMES = 4


class Twins:
    """Some homes on one database, of which all but the first are copies."""

    def __init__(self, dsn: str, folder: Path, chance: random.Random) -> None:
        self._dsn, self._folder, self._chance = dsn, folder, chance
        self._numbers = count(1)
        self.received: list[int] = []
        """Auctions, each of which is in one page of one home or of its copies."""
        self.homes = [folder / "0"]
        self.homes[0].mkdir()

    async def run(self, home: Path, pages: int = 0, *, stores: bool = True) -> bool:
        """A run of this home that receives pages and may store; False: it ends with 75."""
        keep_bytes = self._chance.choice([0, 1 << 30])
        try:
            async with draining(
                self._dsn, home / "journal", at_once=stores, keep_bytes=keep_bytes
            ) as made:
                numbers = [next(self._numbers) for _ in range(pages)]
                made.append(*numbers)
                self.received += numbers
                if stores:
                    await made.until(lambda: made.drain.backlog == 0 or made.failure is not None)
            failure = made.failure
        except M26Error as error:
            failure = error
        assert failure is None or failure.exit_code == 75
        return failure is None

    async def rename(self, home: Path) -> None:
        await new_id(load({"home": home, "postgres.dsn": self._dsn}))

    async def step(self, home: Path) -> None:
        """A run, and what its operator does if it is told."""
        pages, stores = self._chance.randrange(4), self._chance.random() < 0.7
        if not await self.run(home, pages, stores=stores) and self._chance.random() < 0.6:
            await self.rename(home)
            await self.run(home, pages, stores=stores)

    def copy(self) -> None:
        to = self._folder / str(len(self.homes))
        shutil.copytree(self._chance.choice(self.homes), to)
        if self._chance.random() < 0.2:
            (to / "journal" / "cursor.json").unlink(missing_ok=True)
        self.homes.append(to)

    async def anything(self) -> None:
        chosen = self._chance.random()
        if chosen < 0.2 and len(self.homes) < _HOMES:
            self.copy()
        elif chosen < 0.5 and len(self.homes) > 1:
            async with anyio.create_task_group() as group:
                for home in self._chance.sample(self.homes, 2):
                    group.start_soon(self.step, home)
        else:
            await self.step(self._chance.choice(self.homes))

    async def settle(self) -> None:
        """All that any home has is stored: by new ids where it must be."""
        for home in self.homes:
            if not await self.run(home):
                await self.rename(home)
                assert await self.run(home)


@pytest.mark.soak
@pytest.mark.parametrize("number", range(16))
async def test_whatever_copies_do_together_and_in_sequence_nothing_is_lost_or_doubled(
    database: str, tmp_path: Path, seed: int, number: int
) -> None:
    twins = Twins(database, tmp_path, random.Random(seed + number))
    for _ in range(25):
        await twins.anything()
    await twins.settle()

    connection = await asyncpg.connect(database)
    events = await connection.fetch("SELECT auction_id FROM m26.auction_event")
    rejects = await connection.fetchval("SELECT count(*) FROM m26.reject")
    await connection.close()
    assert sorted(row["auction_id"] for row in events) == sorted(twins.received)
    assert rejects == 0
    assert [Ledger(home / "journal").open() for home in twins.homes] == [()] * len(twins.homes)
