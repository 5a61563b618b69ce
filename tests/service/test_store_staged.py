"""Batches from far away: the same rows, and the stream head is locked for one round trip."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import pytest
from tests.support.proxy import Faults, Proxy
from tests.support.wire import T0, auction, body, card, page, records

from m26.embedded.postgres import Postgres
from m26.models import SWEEP_END, Record
from m26.normalizer import Normalizer
from m26.store.database import opened
from m26.store.load import Loader
from m26.store.migrate import SchemaNewerError
from m26.store.transaction import CursorMovedError, Stored
from m26.upstream.profile import Profile

pytestmark = pytest.mark.anyio
RULES = Profile.load("madden26").card
PART = "a-journal-of-its-own"
TABLES = {
    "auction": "platform, auction_id",
    "auction_event": "seq",
    "card": "card_id, version",
    "sighting": "pos",
    "sweep": "platform, started_at",
    "reject": "pos, item",
    "ingest_cursor": "part",
}


def batches() -> list[list[Record]]:
    """First sights, changes, an end, surprises, a quarantine, and a sweep that is closed."""
    started, pos = T0 * 1_000_000, count()
    ended = auction(3, bid=5000, bids=3, auctionStatus="AUCTIONSTATUS_ENDED", secondsRemaining=0)
    versions = [auction(20 + n, card=card(77, instance=n, overall=n)) for n in range(8)]
    facts = (
        b'{"pages_asked":2,"pages_answered":2,"truncated":false,"complete":true,'
        b'"why":"empty page","finished_at":%d}' % (started + 9_000_000)
    )
    pages = [
        [page(body(*(auction(n) for n in range(1, 9))), sweep=started)],
        [page(body(auction(1), auction(2, bid=300, bids=1), ended, at=T0 + 1), sweep=started)],
        [page(body(*versions, auction(2, newMember=1), at=T0 + 2), sweep=started)],
        [page(body(auction(4, bid=-5), auction(5), at=T0 + 3)), page(b"<html>")],
        [page(facts, sweep=started, command=SWEEP_END)],
        [page(body(auction(6, newMember=2), auction(7, buyoutPrice=0), at=T0 + 4))],
    ]
    return [[Record(next(pos), each) for each in batch] for batch in pages]


async def stored(dsn: str, *, far: bool) -> tuple[dict[str, Any], list[Stored]]:
    async with opened(dsn) as store:
        await store.migrate()
        loader = Loader(store, Normalizer(RULES), far=far)
        came = [await loader.store(PART, batch) for batch in batches()]
        connection = await asyncpg.connect(dsn)
        found = {
            name: [
                {key: value for key, value in row.items() if key not in ("id", "created_at")}
                for row in await connection.fetch(f"SELECT * FROM m26.{name} ORDER BY {order}")
            ]
            for name, order in TABLES.items()
        }
        drift = await connection.fetch("SELECT path, kind, count FROM m26.drift ORDER BY 1, 2")
        head = await connection.fetchval("SELECT seq FROM m26.stream_head")
        await connection.execute("DROP SCHEMA m26 CASCADE")
        await connection.close()
    for each in came:
        each.seconds = 0
    return {**found, "drift": [tuple(row) for row in drift], "head": head}, came


async def test_a_far_home_stores_what_a_near_one_stores(database: str) -> None:
    near, near_came = await stored(database, far=False)
    far, far_came = await stored(database, far=True)

    assert ("card.version", "many_versions", 1) in near["drift"]
    assert near["reject"]
    assert near["sweep"][0]["complete"]
    for name, rows in near.items():
        assert far[name] == rows, name
    assert far_came == near_came


async def test_a_far_home_locks_others_out_for_one_round_trip(
    postgres: Postgres, database: str, tmp_path: Path, seed: int
) -> None:
    faults, name, target = Faults(seed, latency=0.006), ".s.PGSQL.5432", postgres.socket_folder
    asked: list[bytes] = []
    async with (
        Proxy(tmp_path / name, target / name, faults),
        opened(database.replace(str(target), str(tmp_path))) as store,
    ):
        await store.migrate()
        loader = Loader(store, Normalizer(RULES))
        for n in range(5):
            asked.clear()
            faults.on_request = asked.append
            changed = [auction(i, bid=200 + n, bids=n + 1) for i in range(1, 40)]
            pages = body(*changed, *(auction(100 + 50 * n + i) for i in range(20)), at=T0 + n)
            await loader.store(PART, records(pages, start=n, sweep=T0 * 1_000_000))

    commit = next(n for n, data in enumerate(asked) if b"COMMIT;" in data)
    lock = next(
        n for n, data in enumerate(asked) if PART.encode() in data and b"PGCOPY" not in data
    )
    assert commit - lock == 1, f"{commit - lock} round trips under the lock, of {len(asked)}"


async def test_a_writer_that_comes_between_the_look_and_the_lock_is_not_overlooked(
    postgres: Postgres, database: str, tmp_path: Path, seed: int
) -> None:
    faults, name, target = Faults(seed), ".s.PGSQL.5432", postgres.socket_folder
    async with (
        Proxy(tmp_path / name, target / name, faults),
        opened(database.replace(str(target), str(tmp_path))) as store,
        opened(database) as near,
    ):
        await near.migrate()
        far = Loader(store, Normalizer(RULES), far=True)
        rival = Loader(near, Normalizer(RULES), far=False)
        await far.store("a", records(body(auction(7))))
        faults.freeze_at, faults.freeze_for = b"m26.batch", 0.5  # its rows are staged by then

        async def comes_between() -> None:
            while not faults.frozen:
                await anyio.sleep(0.01)
            await rival.store("b", records(body(auction(7, buyoutPrice=4000), at=T0 + 1)))

        async with anyio.create_task_group() as group:
            group.start_soon(comes_between)
            await far.store("a", records(body(auction(7), at=T0 + 2), start=1))
        ((_, first), (_, second), (_, third)) = await near.events(0, 9)

    assert [text.split('"kind":"')[1].split('"')[0] for text in (first, second, third)] == [
        "listed",
        "changed",
        "changed",
    ]


async def test_a_session_that_a_pooler_has_kept_over_an_upgrade_is_no_obstacle(
    database: str,
) -> None:
    """Its stages are of the version before, without the columns that the new one writes."""
    async with opened(database) as store:
        await store.migrate()
        loader = Loader(store, Normalizer(RULES), far=True)
        await loader.store("j", records(body(auction(7))))  # makes the partition: not staged
        async with store.acquire(timeout=5) as connection:
            await connection.execute(
                "CREATE TEMP TABLE m26_stage_of_auction_event (LIKE m26.auction_event);"
                " ALTER TABLE pg_temp.m26_stage_of_auction_event DROP COLUMN late"
            )
        came = await loader.store("j", records(body(auction(8)), start=1))

    assert came.new == 1


async def test_a_far_home_minds_the_cursor_and_the_schema_as_a_near_one_does(database: str) -> None:
    async with opened(database) as store:
        await store.migrate()
        loader = Loader(store, Normalizer(RULES), far=True)
        batch = records(body(auction(7)))
        await loader.store("j", batch)
        with pytest.raises(CursorMovedError):
            await loader.store("j", batch)
        connection = await asyncpg.connect(database)
        await connection.execute("UPDATE m26.stream_head SET schema_epoch = schema_epoch + 1")
        with pytest.raises(SchemaNewerError):
            await loader.store("j", records(body(auction(8)), start=1))
        await connection.execute("UPDATE m26.stream_head SET schema_epoch = schema_epoch - 1")
        await connection.close()
        came = await loader.store("j", records(body(auction(8)), start=1))

    assert came.seq == 2
