"""A card from an event: its version as digits and as a number, its name, ids with all digits."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
from anyio.from_thread import BlockingPortal
from tests.support.commands import commands
from tests.support.wire import auction, body, card, records

from m26.normalizer import Normalizer
from m26.store.database import opened
from m26.store.load import Loader
from m26.upstream.profile import Profile

EXAMPLE = Path(__file__).parents[2] / "examples" / "redis_consumer.py"
AUCTION, COPY = 2**53 + 1, 2**63 - 1
"""A float has not enough digits for either."""


@pytest.fixture
def stored(database: str, portal: BlockingPortal) -> str:
    """A database with two auctions: of a card with an odd name, and of one without a name."""

    async def fill() -> None:
        async with opened(database) as store:
            await store.migrate()
            odd = card(999, instance=COPY, firstName="[bold]Odd", secondName="\x1bName")
            none = card(998, firstName="", secondName="")
            page = body(auction(AUCTION, card=odd), auction(2, card=none))
            await Loader(store, Normalizer(Profile.load("madden26").card)).store("j", records(page))

    portal.call(fill)
    return database


@pytest.fixture
def m26(
    stored: str,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Callable[..., Any]]:
    monkeypatch.setenv("M26_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("M26_POSTGRES__DSN", stored)
    monkeypatch.setenv("M26_REDIS__URL", redis_url)
    with commands(capsys) as run:
        yield run


@pytest.mark.anyio
async def test_a_version_is_joined_as_digits_and_as_a_number(stored: str) -> None:
    connection = await asyncpg.connect(stored)
    try:
        named = "SELECT count(*) FROM pg_proc WHERE oid = to_regprocedure('m26.card_version(text)')"
        assert await connection.fetchval(named) == 1, "there is no function"
        both = await connection.fetch(
            "SELECT l.version_hex, l.version, m26.card_version(l.version_hex) AS number,"
            " e.data::jsonb ->> 'card_version' AS told FROM m26.card_latest AS l"
            " JOIN m26.event_json AS e ON l.card_id = (e.data::jsonb ->> 'card_id')::bigint"
        )
        assert len(both) == 2
        for row in both:
            assert row["number"] == row["version"]
            assert row["version_hex"] == row["told"] == f"{row['version'] % 2**64:016x}"
        number = "SELECT m26.card_version($1)"
        for value in (0, 1, -1, 2**63 - 1, -(2**63), 0x0123456789ABCDEF):
            assert await connection.fetchval(number, f"{value % 2**64:016x}") == value
        for odd in ("", "3e56", "x" * 16, "0" * 17, None):
            assert await connection.fetchval(number, odd) is None
        plan = await connection.fetch(
            "EXPLAIN SELECT name FROM m26.card WHERE card_id = 999"
            f" AND version = m26.card_version('{both[0]['told']}')"
        )
        assert "m26.card_version" not in "".join(line[0] for line in plan), (
            "counted once, not per row"
        )
    finally:
        await connection.close()


def test_tail_shows_the_card_s_name_as_text_and_the_event_as_it_is(m26: Callable[..., Any]) -> None:
    lines = m26("tail", "--from", "1", "--limit", "2").out.splitlines()
    assert "card       999 [bold]Odd \\x1bName  " in lines[0]
    assert "card       998  " in lines[1]
    event = orjson.loads(m26("tail", "--from", "1", "--limit", "1", "--json").out)
    assert event["card_id"] == 999
    assert "name" not in event


def test_ids_above_2_to_53_keep_all_digits(m26: Callable[..., Any], tmp_path: Path) -> None:
    line = m26("tail", "--from", "1", "--limit", "1", "--json").out
    assert f'"auction_id":{AUCTION},' in line
    assert f'"card_instance_id":{COPY},' in line
    assert f" {AUCTION} " in m26("tail", "--from", "1", "--limit", "1").out
    example = runpy.run_path(str(EXAMPLE))
    state = example["State"](tmp_path / "counts.db")
    state.add([(AUCTION, line)])
    kept = example["State"](tmp_path / "counts.db")
    assert kept.seq == AUCTION
    assert str(AUCTION) in kept.mark
    assert example["is_marked"](line, kept.mark)
    assert not example["is_marked"](line.replace(str(AUCTION), str(AUCTION - 1)), kept.mark)
