"""Kills, replays, lost and damaged snapshots, several parts: the same outcomes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.service.test_inference import Place, place
from tests.support.trading import Lot, Upstream, batches, lots, record, records

from m26.models import Record

pytestmark = pytest.mark.anyio
ONCE = 100
"""Records that are read again at once: some of the script's, so that snapshots are written."""


@pytest.fixture(scope="module")
def script() -> list[Record]:
    return records(Upstream(lots(21, hours=3)), stop=3 * 3600)


@pytest.fixture
async def whole(database: str, script: list[Record]) -> list[tuple[Any, ...]]:
    """The events of a process that was never interrupted."""
    async with place(database) as at:
        await at.load(at.loader(script), script, 16)
        events = await at.events()
        await at.empty()
    assert sum(event[1] == "closed" for event in events) > 100
    return events


async def killed(at: Place, script: list[Record], folder: Path | None, **options: Any) -> None:
    """Store a script by processes that are killed after some batches, whatever they were at."""
    done, size = 0, 5
    while done < len(script):
        loader = at.loader(script, folder, at_once=ONCE)
        for batch in list(batches(script[done:], size))[:9]:
            await loader.store("j", batch)
            done = batch[-1].end
        if ahead := script[done : done + size]:
            await loader.prepare("j", ahead)  # and nothing more of it
        size += 3


@pytest.mark.parametrize("kept", [True, False])
async def test_a_kill_changes_nothing(
    database: str, tmp_path: Path, script: list[Record], whole: list[tuple[Any, ...]], kept: bool
) -> None:
    async with place(database) as at:
        await killed(at, script, tmp_path if kept else None) if kept else None
        if not kept:
            for start in range(0, len(script), 150):
                loader = at.loader(script)  # no snapshot, and little enough to be read at once
                await at.load(loader, script[start : start + 150], 11)
        assert await at.events() == whole
    assert (tmp_path / "j").exists() == kept


async def test_a_snapshot_that_does_not_fit_is_not_used(
    database: str, tmp_path: Path, script: list[Record], whole: list[tuple[Any, ...]]
) -> None:
    def other(state: bytes) -> bytes:
        head, _, rest = state.partition(b"\n")
        return head.replace(b'"checksum":', b'"checksum":1') + b"\n" + rest

    kept, middle = tmp_path / "j", 300
    async with place(database) as at:
        await at.load(at.loader(script, tmp_path, at_once=ONCE), script[:middle], 10)
        state = kept.read_bytes()
        flipped = state[:-9] + bytes([state[-9] ^ 1]) + state[-8:]
        for content in (state[: len(state) // 2], flipped, other(state)):
            kept.write_bytes(content)
            await at.load(at.loader(script, tmp_path), script[middle : middle + 40], 16)
            assert kept.read_bytes() != content  # the journal was read again, and this made anew
            middle += 40
        await at.load(at.loader(script, tmp_path), script[middle:], 16)
        assert await at.events() == whole

        kept.write_bytes(state)  # beyond the cursor
        await at.empty()
        await at.load(at.loader(script), script[:150], 10)
        await at.load(at.loader(script, tmp_path), script[150:], 16)
        assert await at.events() == whole


async def test_a_long_journal_is_read_again_in_steps_while_storing_goes_on(
    database: str, script: list[Record], whole: list[tuple[Any, ...]]
) -> None:
    async with place(database) as at:
        await at.load(at.loader(script), script[:300], 10)
        loader = at.loader(script, at_once=20)
        behind = await loader.prepare("j", script[300:305])
        assert behind.concluded.inferred == ()
        await loader.commit(behind)
        await at.load(loader, script[305:], 5)
        told = "auction_id, outcome, outcome_via, final_price, evidence"
        found = await at.fetch(f"SELECT {told} FROM m26.auction ORDER BY auction_id")
        await at.empty()
        await at.load(at.loader(script), script, 16)
        assert found == await at.fetch(f"SELECT {told} FROM m26.auction ORDER BY auction_id")


async def test_what_is_forgotten_while_a_long_journal_is_read_again_is_said(
    database: str,
) -> None:
    first = Lot(1, 0, 3600, 2000, 3600, "bid", 600, 7, -9_000)
    again = replace(first, id=2, posted=3700, end=7300, acquired=3600)
    upstream = Upstream([first, again])
    moments = [*range(4, 3601, 4), 3800, *(30 * 3600 + n for n in range(3))]
    script = [record(n, *upstream.search(now), now) for n, now in enumerate(moments)]
    async with place(database) as at:
        await at.load(at.loader(script), script[:900], 300)
        # three batches are stored before all that was is read again
        await at.load(at.loader(script, at_once=20), script[900:], 1)
        row = await at.row(first.id)
        assert (row["outcome"], row["evidence"]) == ("sold", "relisted")


async def test_what_an_older_m26_left_open_is_caught_up(
    database: str, script: list[Record]
) -> None:
    told = "SELECT auction_id, outcome, evidence, confidence FROM m26.auction ORDER BY auction_id"
    async with place(database) as at:
        await at.load(at.loader(script), script, 16)
        expected = await at.fetch(told)
        await at.empty()
        for batch in batches(script[:400], 16):  # each by a process that knows nothing before
            await at.loader().store("j", batch)
        assert await at.fetch(told) != expected
        await at.load(at.loader(script), script[400:], 16)
        assert await at.fetch(told) == expected


async def test_two_parts_give_the_same_outcome_price_and_evidence(
    database: str, script: list[Record]
) -> None:
    told = (
        "SELECT auction_id, outcome, outcome_via, final_price, evidence FROM m26.auction"
        " WHERE outcome IS NOT NULL ORDER BY auction_id"
    )
    async with place(database) as at:
        await at.load(at.loader(script), script, 16)
        alone = await at.fetch(told)
        await at.empty()
        one, other = at.loader(script), at.loader(script)
        for batch in batches(script, 16):
            await one.store("j", batch)
            await other.store("k", batch)
        assert await at.fetch(told) == alone
        doubled = "SELECT part, count(*) FROM m26.coverage_hour GROUP BY part ORDER BY part"
        (_, n), (_, m) = await at.fetch(doubled)
        assert n == m > 0
