"""The journal into a real database: outages, a cursor that moved, a schema that someone changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support.draining import RULES, draining

from m26 import Batch
from m26.models import Page
from m26.normalizer import Normalizer
from m26.status.conditions import State

pytestmark = pytest.mark.anyio


class Watched(Normalizer):
    """Says how many pages it has read in each batch."""

    def __init__(self) -> None:
        super().__init__(RULES)
        self.batches: list[int] = []

    def read(self, pages: Sequence[Page]) -> Batch:
        batch = super().read(pages)
        self.batches.append(len(pages))
        return batch


async def test_what_is_journaled_is_stored_and_counted(database: str, tmp_path: Path) -> None:
    async with draining(database, tmp_path) as made:
        made.append(1, 2, 3)
        await made.until(lambda: made.drain.pos == 3)

        assert await made.count() == 3
        assert made.metrics.value("m26_events_total", kind="listed") == 3
        assert made.drain.backlog == 0
        assert made.status.current.state is State.COLLECTING


async def test_the_next_batch_is_read_while_one_is_stored(database: str, tmp_path: Path) -> None:
    watched = Watched()
    async with draining(database, tmp_path, normalizer=lambda: watched, at_once=False) as made:
        async with made.database.transaction():  # somebody else stores: ours waits
            await made.database.execute("SELECT FROM m26.stream_head FOR UPDATE")
            made.append(*range(1, 71))
            made.start()
            await made.until(lambda: watched.batches == [64, 6])
            assert made.drain.pos == 0
        await made.until(lambda: made.drain.pos == 70)

        assert await made.count() == 70
        assert watched.batches == [64, 6]


async def test_what_was_read_ahead_is_dropped_when_the_cursor_has_moved(
    database: str, tmp_path: Path
) -> None:
    watched = Watched()
    async with draining(database, tmp_path, normalizer=lambda: watched, at_once=False) as made:
        async with made.database.transaction():
            await made.database.execute("SELECT FROM m26.stream_head FOR UPDATE")
            made.append(*range(1, 71))
            made.start()
            await made.until(lambda: watched.batches == [64, 6])
            await made.database.execute(
                "INSERT INTO m26.ingest_cursor (part, pos, checksum) VALUES ($1, 5, $2)",
                made.journal.id,
                made.journal.checksum(5),
            )
        await made.until(lambda: made.drain.pos == 70)

        assert await made.count() == 65
        assert watched.batches[2:] == [64, 1]


async def test_a_new_process_goes_on_where_the_last_one_was(database: str, tmp_path: Path) -> None:
    async with draining(database, tmp_path) as made:
        made.append(1, 2)
        await made.until(lambda: made.drain.pos == 2)
        older = made.journal.checksum(1)  # the database is set back to where it stood at 1
        await made.database.execute("UPDATE m26.ingest_cursor SET pos = 1, checksum = $1", older)
        await made.database.execute("DELETE FROM m26.auction_event WHERE seq = 2")
        await made.database.execute("DELETE FROM m26.auction WHERE auction_id = 2")
        await made.database.execute("UPDATE m26.stream_head SET seq = 1")
    async with draining(database, tmp_path) as made:
        made.append(3)
        await made.until(lambda: made.drain.pos == 3)

        assert await made.count() == 3


async def test_a_journal_that_lost_its_end_goes_on_behind_the_cursor(
    database: str, tmp_path: Path
) -> None:
    async with draining(database, tmp_path) as made:
        made.append(1)
        await made.until(lambda: made.drain.pos == 1)
        await made.database.execute("UPDATE m26.ingest_cursor SET pos = 7")
    async with draining(database, tmp_path) as made:
        made.append(2)
        await made.until(lambda: made.drain.pos == 8)

        assert await made.count() == 2
        assert await made.database.fetchval("SELECT count(*) FROM m26.reject") == 0
        (gone,) = made.journal.damage.open()
        assert (gone.first, gone.last) == (1, 6)
        assert "the database has passed them" in gone.why


async def test_a_hole_is_one_reject_with_its_range(database: str, tmp_path: Path) -> None:
    async with draining(database, tmp_path, at_once=False) as made:
        made.append(1, 2)
        made.journal.skip_to(302)
        made.append(3)
        made.start()
        await made.until(lambda: made.drain.pos == 303)

        rejects = await made.database.fetch("SELECT pos, reason, detail FROM m26.reject")
        assert [(row["pos"], row["reason"]) for row in rejects] == [(2, "journal_damaged")]
        assert "records 2 to 301 are missing" in rejects[0]["detail"]
        assert made.metrics.value("m26_rejects_total", reason="journal_damaged") == 1
        assert await made.count() == 3


async def test_a_hole_before_the_first_record_and_one_where_reading_begins_are_one_reject_each(
    database: str, tmp_path: Path
) -> None:
    async with draining(database, tmp_path, at_once=False) as made:
        made.journal.skip_to(200)
        made.append(1)
        made.journal.skip_to(400)
        made.append(2)
        await made.database.execute(
            "INSERT INTO m26.ingest_cursor (part, pos, writer) VALUES ($1, 300, $2)",
            made.journal.id,
            made.journal.trail.writer.token,
        )
        made.drain.pos = 100
        made.start()
        await made.until(lambda: made.drain.pos == 401)

        rejects = await made.database.fetch("SELECT pos, detail FROM m26.reject ORDER BY id")
        assert [row["pos"] for row in rejects] == [300]
        assert "records 300 to 399 are missing" in rejects[0]["detail"]
        assert await made.count() == 1


async def test_a_lost_answer_to_commit_stores_nothing_twice(database: str, tmp_path: Path) -> None:
    async with draining(database, tmp_path) as made:
        made.append(1)
        await made.until(lambda: made.drain.pos == 1)
        made.drain.pos = 0  # as if that commit had not been heard of
        made.append(2)
        await made.until(lambda: made.drain.pos == 2)

        assert await made.count() == 2


async def test_lost_connections_are_told_and_nothing_is_lost(database: str, tmp_path: Path) -> None:
    async with draining(database, tmp_path) as made:
        made.append(1)
        await made.until(lambda: made.drain.pos == 1)
        name = await made.database.fetchval("SELECT current_database()")
        await made.database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = $1 AND pid <> pg_backend_pid()",
            name,
        )
        made.append(2)
        await made.until(lambda: made.drain.pos == 2)

        assert await made.count() == 2


async def test_a_changed_schema_blocks_asking_until_it_is_mended(
    database: str, tmp_path: Path
) -> None:
    async with draining(database, tmp_path) as made:
        await made.database.execute("ALTER TABLE m26.auction RENAME COLUMN bids TO offers")
        made.append(1)
        await made.until(lambda: bool(made.drain.blocked))

        assert made.status.current.state is State.STORING_ONLY
        assert "m26 doctor" in made.status.current.advice
        await made.database.execute("ALTER TABLE m26.auction RENAME COLUMN offers TO bids")
        await made.until(lambda: made.drain.pos == 1)
        assert made.status.current.state is State.COLLECTING
        assert not made.drain.blocked


async def test_another_database_gets_all_that_the_journal_keeps(
    database: str, tmp_path: Path
) -> None:
    async with draining(database, tmp_path) as made:
        made.append(1, 2)
        await made.until(lambda: made.drain.pos == 2)
        first = made.journal.database
        await made.database.execute("DROP SCHEMA m26 CASCADE")
    async with draining(database, tmp_path) as made:
        await made.until(lambda: made.drain.pos == 2)

        assert await made.count() == 2
        assert await made.database.fetchval("SELECT count(*) FROM m26.card") == 1
        assert made.journal.database != first


async def test_an_m26_that_is_older_than_the_schema_stores_nothing_and_says_so(
    database: str, tmp_path: Path
) -> None:
    async with draining(database, tmp_path) as made:
        made.append(1)
        await made.until(lambda: made.drain.pos == 1)
        await made.database.execute("UPDATE m26.stream_head SET schema_epoch = 9999")
        made.append(2)
        await made.until(lambda: bool(made.drain.blocked) or made.drain.pos == 2)
        told = made.status.current

        assert await made.count() == 1
        assert told.state is State.STORING_ONLY
        assert told.reason.startswith("schema_newer: ")
        assert "Upgrade" in told.advice
        assert made.drain.blocked == told.reason
        assert made.drain.backlog == 1
        await made.database.execute("UPDATE m26.stream_head SET schema_epoch = 1")
        made.wake.set()
        await made.until(lambda: made.drain.pos == 2)
