"""What a journal has lost, and what waits for too long, as the operator of a run is told of it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import orjson
from tests.support import product
from tests.support.journals import open_journal, promise
from tests.support.product import Home, Run
from tests.support.wire import auction, body, page

from m26.journal import segment_paths
from m26.journal.segment import segment_name
from m26.store.database import opened


def test_lost_records_and_old_ones_are_told_at_once_until_they_are_known_or_stored(
    tmp_path: Path, database: str, redis_url: str
) -> None:
    """The newest segment is deleted; and storing is blocked, by whatever, for longer than is due.

    It is a schema that someone changed: what is told of the backlog does not depend on that.
    """
    given = {"profile": "sim", "postgres__dsn": database, "redis__url": redis_url}
    with product.home(tmp_path / "home", **given) as home:
        asyncio.run(_execute(database, "ALTER TABLE m26.auction RENAME COLUMN bids TO offers"))
        _without_its_end(home)
        with home.running() as run:
            assert _reason(run, "damage").startswith("journal_damaged: ")  # by the first status
            run.until(lambda: _reason(run, "backlog").startswith("backlog_old: "), seconds=5)
            assert "records 2 to 6" in _reason(run, "damage")
            assert "m26_journal_damaged 1.0" in run.get("/metrics").text
            run.until(lambda: "backlog_old" in run.get("/readyz").text)
            assert "journal_damaged" in home.m26("status", code=1).stdout
            assert _logged(home) == 1

            acknowledged = orjson.loads(home.m26("journal", "ack", "--json").stdout)
            assert [(a["first"], a["last"]) for a in acknowledged["acknowledged"]] == [(2, 6)]
            assert acknowledged["running"]
            run.until(lambda: not _reason(run, "damage"), seconds=5)
            assert "m26_journal_damaged 0.0" in run.get("/metrics").text

            asyncio.run(_execute(database, "ALTER TABLE m26.auction RENAME COLUMN offers TO bids"))
            run.until(lambda: not _reason(run, "backlog"))
            run.until(lambda: run.events >= 2)
            assert not _reason(run, "damage")
            _look_beside(home, run)
        rejects = asyncio.run(_execute(database, "SELECT pos, reason, detail FROM m26.reject"))
        assert [(row["pos"], row["reason"]) for row in rejects] == [(2, "journal_damaged")]


def _look_beside(home: Home, run: Run) -> None:
    """What the operator does with the journal and the quarantine while m26 runs."""
    kept = orjson.loads(home.m26("journal", "ls", "--json").stdout)
    assert kept["committed"] >= 7
    file = home.path / "saved.seg"
    saved = orjson.loads(home.m26("journal", "export", str(file), "--json", code=6).stdout)
    assert [(gone["first"], gone["last"]) for gone in saved["missing"]] == [(2, 6)]
    assert saved["last"] >= kept["next"] - 1
    run.until(lambda: _committed(home) >= saved["last"])  # its newest record may be on its way
    retried = orjson.loads(home.m26("rejects", "retry", "--all", "--json").stdout)
    assert (retried["chosen"], sum(retried["unreadable"].values())) == (1, 1)
    replayed = orjson.loads(home.m26("replay", str(file), "--json", code=7).stdout)["items"][0]
    assert (replayed["new"], replayed["changed"]) == (0, 0)  # all of it was stored before


def _committed(home: Home) -> int:
    committed: int = orjson.loads(home.m26("journal", "ls", "--json").stdout)["committed"]
    return committed


def test_a_stray_segment_ends_the_run_with_its_name_and_nothing_is_stored(
    tmp_path: Path, database: str, redis_url: str
) -> None:
    given = {"profile": "sim", "postgres__dsn": database, "redis__url": redis_url}
    with product.home(tmp_path / "home", **given) as home:
        _without_its_end(home)
        first = segment_paths(home.path / "journal")[0]
        stray = first.with_name(segment_name(500_000))
        stray.write_bytes(first.read_bytes())
        done = home.m26("run", "--for", "5s", "--json", code=6)
        error = orjson.loads(done.stdout.splitlines()[-1])["error"]
        assert error["code"] == "storage"
        assert str(stray) in error["message"]
        assert first.name in error["message"]
        assert "Move it" in error["hint"]
        counted = asyncio.run(_execute(database, "SELECT FROM m26.reject"))
        assert len(counted) == 0


def _without_its_end(home: Home) -> None:
    """A journal with two pages of an hour ago; of five further ones the book alone knows."""
    journal = open_journal(home.path / "journal")
    then = time.time() - 3600
    for number in (1, 2):
        shown = auction(number, postingTime=int(then) - 600)
        received = page(body(shown, at=int(then) + number))
        journal.append(replace(received, fetched_at=int(then * 1e6)))
    promise(home.path, journal.id, 7, account="sim")
    journal.close()


def _reason(run: Run, source: str) -> str:
    return next((c["reason"] for c in run.status["conditions"] if c["source"] == source), "")


def _logged(home: Home) -> int:
    return home.log.read_text().count('"journal.damaged"')


async def _execute(dsn: str, statement: str) -> list[Any]:
    async with opened(dsn) as store:
        await store.migrate()
    connection = await asyncpg.connect(dsn)
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()
