"""Who moves a journal's cursor stands in it: for the next batch, and for the doctor."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.support.draining import RULES, draining
from tests.support.wire import T0, auction, body, page

from m26.cli.database_checks import writer
from m26.journal.trail import Writer
from m26.models import Record
from m26.normalizer import Normalizer
from m26.store.batch import Claim, Cursor, CursorMovedError
from m26.store.connection import session_name
from m26.store.database import opened
from m26.store.load import Loader

pytestmark = pytest.mark.anyio


async def grown(dsn: str, folder: Path, *numbers: int) -> None:
    """A run on this journal that stores one page more for each number."""
    async with draining(dsn, folder) as made:
        made.append(*numbers)
        await made.until(lambda: made.drain.backlog == 0)


async def test_the_doctor_names_who_stores_as_this_home(database: str, tmp_path: Path) -> None:
    ours, twin = tmp_path / "ours", tmp_path / "twin"
    await grown(database, ours / "journal", 1)
    shutil.copytree(ours, twin)
    async with opened(database, name=session_name(twin, ["main"])) as store:
        mine = await writer(store, ours)
        assert (mine.result, mine.found.partition(",")[0]) == ("ok", "this home")
        copied = await writer(store, twin)
        assert copied.result == "warn"
        assert "a copy of this home stored last, since" in copied.found
        assert (await writer(store, tmp_path / "none")).result == "ok"

        async with draining(database, ours / "journal", at_once=False) as made:
            made.append(11)
        await grown(database, twin / "journal", 21)
        told = await writer(store, ours)
        assert told.result == "fail"
        assert "another copy of this journal writes here, since" in told.found
        assert "connected from there: m26 twin/main@" in told.found
        assert "m26 journal new-id" in told.fix


@pytest.mark.parametrize("far", [False, True], ids=["near", "far"])
async def test_who_moves_the_cursor_stands_in_it_and_must_know_the_record_before_it(
    database: str, far: bool
) -> None:
    writer = Writer("token", "attic", 1_790_000_000.5)
    async with opened(database) as store:
        await store.migrate()
        loader = Loader(store, Normalizer(RULES), far=far)

        async def stored(pos: int, before: int | None) -> None:
            record = Record(pos, page(body(auction(pos + 1), at=T0 + pos)), checksum=70 + pos)
            prepared = await loader.prepare("j", [record])
            await loader.commit(replace(prepared, claim=Claim(writer, before)))

        await stored(0, None)
        since = datetime.fromtimestamp(writer.since, UTC)
        assert await store.place("j") == Cursor(1, "token", "attic", since, 70)
        with pytest.raises(CursorMovedError) as moved:
            await stored(1, 71)
        assert moved.value.cursor == Cursor(1, "token", "attic", since, 70)
        assert await store.head() == 1
        await stored(1, 70)
        await stored(2, None)
        assert (await store.place("j")).checksum == 72
