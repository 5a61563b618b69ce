from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from m26.cli import db, prune, rejects
from m26.errors import UsageError
from m26.store.retention import Going, Plan
from m26.store.sizes import Sizes, TableSize

pytestmark = pytest.mark.anyio
NOON = datetime(2026, 8, 16, 12, tzinfo=UTC)
ITEM = {
    "id": 17,
    "part": "p",
    "pos": 3,
    "item": 1,
    "byte_from": 10,
    "byte_to": 20,
    "reason": "bad_price",
    "detail": "buyoutPrice is -5 [bold]\x1b[2J",
    "state": "new",
    "created_at": NOON,
}
RAW = b'{"buyoutPrice":-5,"x":"\xff\x00"}'


class Store:
    """Answers as the store does."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, str | None]] = []
        self.pending = ["0002_more.sql"]

    async def reject_list(
        self, *, limit: int, reason: str | None, state: str | None
    ) -> Sequence[Mapping[str, Any]]:
        self.asked.append((limit, reason))
        return [] if reason == "none" else [ITEM]

    async def reject(self, number: int, /) -> Mapping[str, Any] | None:
        return {**ITEM, "raw": RAW, "origin": None} if number == 17 else None

    async def migration_status(self) -> Sequence[Mapping[str, Any]]:
        first = {"name": "0001_first.sql", "checksum": "ab", "applied_at": NOON}
        rest = [{"name": name, "checksum": "cd", "applied_at": None} for name in self.pending]
        return [first, *rest]

    async def migrate(self) -> Sequence[str]:
        applied, self.pending = self.pending, []
        return applied

    async def sizes(self, older: timedelta) -> Sizes:
        assert older == timedelta(days=400)
        tables = [
            TableSize("auction", 12345, 3 * 2**20, 100, 2**20),
            TableSize("drift", 7, 4096, None, None),
        ]
        return Sizes(tables, NOON, NOON, NOON, 5 * 2**30)


@pytest.fixture
def store() -> Store:
    return Store()


async def test_rejects_are_listed(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    await rejects.print_list(store, limit=5, reason="bad_price", as_json=False)
    heading, line = capsys.readouterr().out.splitlines()
    assert heading.split() == list(rejects._COLUMNS)
    assert "buyoutPrice is -5 [bold]\\x1b[2J" in line
    assert "2026-08-16 12:00:00Z" in line
    assert store.asked == [(5, "bad_price")]


async def test_an_empty_quarantine_says_so(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    await rejects.print_list(store, limit=5, reason="none", as_json=False)
    assert "none with reason none" in capsys.readouterr().out


async def test_rejects_as_json_have_the_column_names(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    await rejects.print_list(store, limit=5, reason=None, as_json=True)
    (item,) = orjson.loads(capsys.readouterr().out)["items"]
    assert item == {**ITEM, "created_at": "2026-08-16T12:00:00Z"}


async def test_one_reject_is_shown_with_its_bytes_readable(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    await rejects.print_one(store, 17, raw=False, as_json=False)
    text = capsys.readouterr().out
    assert "bad_price" in text
    assert '{"buyoutPrice":-5,"x":"\\xff\\x00"}' in text
    await rejects.print_one(store, 17, raw=False, as_json=True)
    assert orjson.loads(capsys.readouterr().out)["raw"] == '{"buyoutPrice":-5,"x":"\\xff\x00"}'


async def test_raw_gives_exactly_the_bytes(
    store: Store, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    await rejects.print_one(store, 17, raw=True, as_json=False)
    sys.stdout.flush()
    assert capfdbinary.readouterr().out == RAW


async def test_a_reject_that_is_not_there_is_a_usage_error(store: Store) -> None:
    with pytest.raises(UsageError, match="no reject 18"):
        await rejects.print_one(store, 18, raw=False, as_json=False)


async def test_pending_migrations_are_applied_once(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    await db.print_status(store, free=None, as_json=False)
    assert "pending: m26 db migrate" in capsys.readouterr().out
    await db.print_migrate(store, as_json=False)
    assert "0002_more.sql" in capsys.readouterr().out
    await db.print_migrate(store, as_json=False)
    assert "up to date" in capsys.readouterr().out
    await db.print_migrate(store, as_json=True)
    assert orjson.loads(capsys.readouterr().out) == {"schema_version": 1, "applied": []}


async def test_the_database_is_shown_with_sizes(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    store.pending = []
    await db.print_status(store, free=90 * 2**20, as_json=False)
    text = capsys.readouterr().out
    for shown in (
        "12,345",
        "3.0 MiB",
        "1.0 MiB a day, since 2026-08-16",
        "90.0 MiB free, for 90 days at this pace",
        "5.0 GiB of events: m26 db prune --older 400d",
    ):
        assert shown in text
    await db.print_status(store, free=None, as_json=False)
    assert "the database is on another server" in capsys.readouterr().out
    await db.print_status(store, free=None, as_json=True)
    document = orjson.loads(capsys.readouterr().out)
    assert document["migrations"][0]["applied_at"] == "2026-08-16T12:00:00Z"
    of_table = {"rows": 12345, "bytes": 3 * 2**20, "rows_per_day": 100, "bytes_per_day": 2**20}
    assert document["tables"][0] == {"table": "auction", **of_table}
    assert document["disk"] == {"free_bytes": None, "days_left": None}


async def test_a_plan_of_a_pruning_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    going = [Going("auction_event", 5_000_000, 2**30, True), Going("auction", 7, 2**20, False)]
    plan = Plan(NOON, before=NOON, last_seq=4_999_999, first=NOON, last=NOON, going=going)
    plan.stays, plan.stays_from, plan.next_at, plan.is_begun = 12, NOON, NOON, True
    prune.show(plan, applied=False, older="90d")
    text = capsys.readouterr().out
    assert "An earlier pruning has not ended" in text
    for shown in ("5,000,000  1.0 GiB  free", "for later rows", "m26 db prune --older 90d --yes"):
        assert shown in text
    assert "days before 2026-08-16" in text
    plan.holds.append("prices have 3 of 4 events")
    plan.before = None
    prune.show(plan, applied=False, older="90d")
    text = capsys.readouterr().out
    assert "waits for  prices have 3 of 4 events" in text
    with pytest.raises(UsageError, match="too short"):
        await prune.prune(older="34d")
    with pytest.raises(UsageError, match="not a duration"):
        await prune.prune(older="soon")
