"""The one transaction, against a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson
import pytest
from tests.support.documents import strict
from tests.support.wire import T0, auction, body, card, page, records

from m26.models import BROKEN, SWEEP_END, EventView, Record
from m26.normalizer import Normalizer
from m26.store.batch import CursorMovedError
from m26.store.database import opened
from m26.store.load import Loader
from m26.upstream.profile import Profile

pytestmark = pytest.mark.anyio
RULES = Profile.load("madden26").card


@asynccontextmanager
async def loading(dsn: str) -> AsyncIterator[tuple[Loader, asyncpg.Connection[Any]]]:
    async with opened(dsn) as store:
        await store.migrate()
        connection = await asyncpg.connect(dsn)
        try:
            yield Loader(store, Normalizer(RULES)), connection
        finally:
            await connection.close()


async def events(connection: asyncpg.Connection[Any], *columns: str) -> list[tuple[Any, ...]]:
    rows = await connection.fetch("SELECT * FROM m26.auction_event ORDER BY seq")
    return [tuple(row[column] for column in columns) for row in rows]


async def test_a_first_sight_is_one_listed_event_one_row_and_one_card(database: str) -> None:
    async with loading(database) as (loader, connection):
        stored = await loader.store("j", records(body(auction(7))))

        assert (stored.new, stored.changed, stored.seq, stored.pos) == (1, 0, 1, 1)
        assert await events(connection, "seq", "kind", "auction_id") == [(1, "listed", 7)]
        row = await connection.fetchrow("SELECT * FROM m26.auction")
        assert row["start_price"] == 100
        assert row["posted_at"].timestamp() == T0 - 8_000
        assert row["expires_at"].timestamp() == T0 + 3600
        assert row["first_seen"] == row["last_seen"] == row["observed_at"]
        cards = await connection.fetch("SELECT * FROM m26.card_latest")
        assert [(c["name"], c["position"], c["overall"], c["program"]) for c in cards] == [
            ("Drew Sanders", "MLB", 82, "Team Builders")
        ]


async def test_the_same_batch_twice_changes_nothing(database: str) -> None:
    batch = records(body(auction(7)), body(auction(7, bid=150, bids=1), at=T0 + 60))
    async with loading(database) as (loader, connection):
        await loader.store("j", batch)
        with pytest.raises(CursorMovedError) as moved:
            await loader.store("j", batch)

        assert moved.value.pos == 2
        assert await events(connection, "seq", "kind") == [(1, "listed"), (2, "bid")]


async def test_states_that_come_back_inside_one_batch_are_each_an_event(database: str) -> None:
    a, b = auction(7), auction(7, buyoutPrice=4000)
    batch = records(body(a), body(b, at=T0 + 1), body(a, at=T0 + 2), body(a, at=T0 + 3))
    async with loading(database) as (loader, connection):
        stored = await loader.store("j", batch)

        assert (stored.new, stored.changed, stored.unchanged) == (1, 2, 1)
        assert await events(connection, "kind", "buyout_price") == [
            ("listed", 5000),
            ("changed", 4000),
            ("changed", 5000),
        ]


async def test_an_unchanged_observation_is_only_a_sighting_that_moves_last_seen(
    database: str,
) -> None:
    async with opened(database) as store:
        await store.migrate()
        loader = Loader(store, Normalizer(RULES))
        await loader.store("j", records(body(auction(7))))
        await loader.store(
            "j", records(body(auction(7, secondsRemaining=3540), at=T0 + 60), start=1)
        )
        await store.fold_sightings()

        connection = await asyncpg.connect(database)
        row = await connection.fetchrow("SELECT * FROM m26.auction")
        assert (row["last_seen"].timestamp(), row["observed_at"].timestamp()) == (T0 + 60, T0)
        assert await connection.fetchval("SELECT count(*) FROM m26.sighting") == 0
        assert len(await events(connection, "seq")) == 1
        await connection.close()


@pytest.mark.parametrize("folded", [False, True])
async def test_an_observation_older_than_the_newest_sighting_is_late(
    database: str, folded: bool
) -> None:
    async with opened(database) as store:
        await store.migrate()
        loader = Loader(store, Normalizer(RULES))
        await loader.store("j", records(body(auction(7))))
        await loader.store("j", records(body(auction(7), at=T0 + 60), start=1))
        if folded:
            await store.fold_sightings()
        other = records(body(auction(7, bid=150, bids=1), at=T0 + 30))
        stored = await loader.store("of another home", other)

        assert (stored.late, stored.changed) == (1, 0)


@pytest.mark.parametrize("size", [1, 3])
async def test_within_a_part_nothing_is_late_whatever_its_times_say(
    database: str, size: int
) -> None:
    bids = [body(auction(7, bid=150 + n, bids=n), at=T0 + 60 * (n == 0)) for n in range(3)]
    async with loading(database) as (loader, connection):
        for pos in range(0, 3, size):
            stored = await loader.store("j", records(*bids[pos : pos + size], start=pos))
            assert stored.late == 0
        found = await events(connection, "observed_at", "expires_at")

    seen = [round((observed_at.timestamp() - T0) * 1e6) for observed_at, _ in found]
    assert seen == [60_000_000, 60_000_001, 60_000_002]
    assert [expires_at.timestamp() - T0 for _, expires_at in found] == [3660, 3600, 3600]


@pytest.mark.parametrize(
    ("status", "fields", "outcome"),
    [
        ("ENDED", {"bids": 2, "bid": 900}, ("sold", "buyout", "status", 0.98, 5000)),
        ("ENDED", {"buyoutPrice": 0}, ("expired", None, "status", 1.0, None)),
        ("ENDED", {}, ("sold", "buyout", "status", 0.98, 5000)),
        ("EXPIRED", {}, ("expired", None, "status", 1.0, None)),
        ("CANCELLED", {}, ("cancelled", None, "status", 1.0, None)),
    ],
)
async def test_a_status_that_decides_the_outcome_is_one_closed_event(
    database: str, status: str, fields: dict[str, Any], outcome: tuple[Any, ...]
) -> None:
    end = auction(7, **fields) | {"auctionStatus": f"AUCTIONSTATUS_{status}", "secondsRemaining": 0}
    columns = ("outcome", "outcome_via", "evidence", "confidence", "final_price")
    async with loading(database) as (loader, connection):
        await loader.store("j", records(body(auction(7)), body(end, at=T0 + 99)))
        await loader.store("j", records(body(end, at=T0 + 120), start=2))

        assert await events(connection, "kind") == [("listed",), ("closed",)]
        outcome = tuple(pytest.approx(v) if isinstance(v, float) else v for v in outcome)
        assert (await events(connection, *columns))[1] == outcome
        row = await connection.fetchrow("SELECT * FROM m26.auction")
        assert tuple(row[column] for column in columns) == outcome
        assert row["closed_at"].timestamp() == T0 + 99
        assert row["expires_at"].timestamp() == T0 + 3600  # 0 seconds left says nothing new
        sold = await connection.fetchval("SELECT count(*) FROM m26.sale")
        assert sold == (outcome[0] == "sold")


async def test_start_price_is_kept_from_when_there_was_no_bid(database: str) -> None:
    async with loading(database) as (loader, connection):
        await loader.store(
            "j", records(body(auction(7)), body(auction(7, bid=300, bids=1), at=T0 + 5))
        )
        await loader.store("j", records(body(auction(8, bid=300, bids=1), at=T0 + 9), start=2))
        await loader.store("j", records(body(auction(7, bid=400, bids=2), at=T0 + 9), start=3))

        assert await events(connection, "auction_id", "start_price") == [
            (7, 100),
            (7, 100),
            (8, None),
            (7, 100),
        ]


async def test_expiry_that_moved_is_rewritten_without_an_event(database: str) -> None:
    async with loading(database) as (loader, connection):
        await loader.store("j", records(body(auction(7))))
        stored = await loader.store("j", records(body(auction(7, secondsRemaining=7200)), start=1))

        assert stored.changed == 0
        expires = await connection.fetchval("SELECT expires_at FROM m26.auction")
        assert expires.timestamp() == T0 + 7200


async def test_two_writers_at_once_double_nothing_and_lose_nothing(database: str) -> None:
    pages = [
        body(*(auction(i, bid=100 + n, bids=n) for i in range(1, 51)), at=T0 + n) for n in range(8)
    ]

    async def drain(dsn: str) -> None:
        async with opened(dsn) as store:
            loader = Loader(store, Normalizer(RULES))
            pos = 0
            while pos < len(pages):
                try:
                    pos = (await loader.store("j", records(pages[pos], start=pos))).pos
                except CursorMovedError as moved:
                    pos = moved.pos

    async with loading(database) as (_, connection):
        await asyncio.gather(drain(database), drain(database))
        seqs = [seq for (seq,) in await events(connection, "seq")]

        assert seqs == list(range(1, 401))
        assert await connection.fetchval("SELECT seq FROM m26.stream_head") == 400
        assert await connection.fetchval("SELECT min(bids) FROM m26.auction") == 7


async def test_a_row_that_the_database_refuses_is_quarantined_and_its_neighbours_stored(
    database: str, seed: int
) -> None:
    bad = seed % 40
    auctions = [auction(100 + i, buyoutPrice=666 if i == bad else 5000) for i in range(40)]
    async with loading(database) as (loader, connection):
        await connection.execute("ALTER TABLE m26.auction ADD CHECK (buyout_price <> 666)")
        stored = await loader.store("j", records(body(*auctions)))

        assert stored.new == 39
        assert stored.rejects == {"auction_refused": 1}
        assert [seq for (seq,) in await events(connection, "seq")] == list(range(1, 40))
        reject = await connection.fetchrow("SELECT * FROM m26.reject")
        assert (reject["pos"], reject["item"]) == (0, bad)
        assert b'"buyoutPrice":666' in reject["raw"]
        assert reject["raw"].startswith(b'{"auctionId":')
        assert "23514" in reject["detail"]


async def test_a_card_that_the_database_refuses_costs_no_auction(database: str) -> None:
    odd = auction(8, card=card(999, instance=8, firstName="Odd"))
    async with loading(database) as (loader, connection):
        await connection.execute("ALTER TABLE m26.card ADD CHECK (card_id <> 999)")
        stored = await loader.store("j", records(body(auction(7), odd)))

        assert (stored.new, stored.rejects) == (2, {"card_refused": 1})
        assert await connection.fetchval("SELECT count(*) FROM m26.card") == 1


async def test_bad_items_go_to_the_quarantine_with_their_bytes(database: str) -> None:
    content = body(auction(1), auction(2, bid=-5), auction(3))
    async with loading(database) as (loader, connection):
        await loader.store("j", [*records(content, b"<html>"), Record(2, None, "bit flip")])

        rows = await connection.fetch("SELECT * FROM m26.reject ORDER BY id")
        assert [(r["pos"], r["item"], r["reason"]) for r in rows] == [
            (0, 1, "out_of_range"),
            (1, None, "not_json"),
            (2, None, "journal_damaged"),
        ]
        assert rows[0]["raw"] == content[rows[0]["byte_from"] : rows[0]["byte_to"]]
        assert await connection.fetchval("SELECT count(*) FROM m26.auction") == 2
        assert await connection.fetchval("SELECT pos FROM m26.ingest_cursor") == 3


async def test_an_error_reply_is_no_data_and_quarantined_only_if_it_is_odd(database: str) -> None:
    pages = [
        page(body(auction(1)), status=429),
        page(b"", status=503),
        page(b"<error><errorcode>418</errorcode></error>", status=418),
        page(b'{"error":{"errorname":"ERR_TIMEOUT","errorcode":1074069504}}'),
        page(b'{"error":{"errorname":"ERR_OF_TOMORROW","errorcode":5}}'),
        page(b"{aaaa", command=BROKEN, query='{"reason":"too_large","message":"17 MiB"}'),
    ]
    async with loading(database) as (loader, connection):
        stored = await loader.store("j", [Record(i, each) for i, each in enumerate(pages)])

        assert (stored.pos, stored.new) == (6, 0)
        rows = await connection.fetch("SELECT * FROM m26.reject ORDER BY id")
        assert [(row["pos"], row["reason"]) for row in rows] == [
            (2, "unexpected_status"),
            (4, "unknown_error"),
            (5, "too_large"),
        ]
        assert [row["raw"] for row in rows] == [pages[n].body for n in (2, 4, 5)]
        assert rows[2]["detail"] == "17 MiB"


async def test_a_sweep_counts_its_pages_and_is_closed_by_its_marker(database: str) -> None:
    started = T0 * 1_000_000
    first = page(body(auction(1), auction(2)), sweep=started)
    again = page(body(auction(2, bid=200, bids=1), at=T0 + 1), sweep=started)
    facts = (
        b'{"pages_asked":2,"pages_answered":2,"truncated":false,"complete":true,'
        b'"why":"empty page","finished_at":%d}' % (started + 2_000_000)
    )
    end = page(facts, sweep=started, command=SWEEP_END)
    async with loading(database) as (loader, connection):
        await loader.store("j", [Record(0, first), Record(1, again)])
        open_row = await connection.fetchrow("SELECT * FROM m26.sweep")
        await loader.store("j", [Record(2, end)])
        row = await connection.fetchrow("SELECT * FROM m26.sweep")

    assert (open_row["complete"], open_row["finished_at"]) == (False, None)
    assert (row["seen"], row["new"], row["changed"]) == (3, 2, 1)
    assert (row["complete"], row["why"], row["pages_answered"]) == (True, "empty page", 2)


async def test_event_json_is_the_contract_to_the_letter(database: str) -> None:
    async with opened(database) as store:
        await store.migrate()
        loader = Loader(store, Normalizer(RULES))
        await loader.store("j", records(body(auction(7, buyoutPrice=0), at=T0 + 0.25)))
        ((seq, data),) = await store.events(0, 10)

    version = data.split('"card_version":"')[1][:16]
    int(version, 16)
    assert seq == 1
    assert data == (
        '{"seq":1,"kind":"listed","platform":"ps5","auction_id":7,"card_id":13522975,'
        f'"card_version":"{version}","card_instance_id":7,"observed_at":"2026-09-21T14:13:20.25Z",'
        '"posted_at":"2026-09-21T12:00:00Z","expires_at":"2026-09-21T15:13:20.25Z",'
        '"status":"active","start_price":100,"buyout_price":null,"current_bid":100,'
        '"next_bid":100,"bids":0,"median_price":2000,"min_price":100,"max_price":20000,'
        '"outcome":null,"outcome_via":null,"evidence":null,"confidence":null,"final_price":null,'
        '"price_confidence":null,"closed_after":null,"closed_before":null,"closed_at":null,'
        '"late":false}'
    )
    strict(EventView).validate(orjson.loads(data))
