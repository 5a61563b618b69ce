"""Captured replies through ``m26 normalize`` and ``m26 replay``, and what is no capture at all."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
from tests.support import product, wire
from tests.support.journals import open_journal
from tests.support.product import Home

from m26.journal import segment_paths
from m26.sim.cards import Deck, auction_json

_ROW = {
    "platform": "ps5",
    "auction_id": 57828095,
    "card_id": 13522975,
    "card_instance_id": 4133423131,
    "acquired_at": "2026-08-15T20:55:39Z",
    "posted_at": "2026-08-15T20:57:15Z",
    "expires_at": "2026-08-16T20:57:15Z",
    "status": "active",
    "start_price": None,
    "buyout_price": 2787,
    "current_bid": 250,
    "next_bid": 300,
    "bids": 1,
    "median_price": 2775,
    "min_price": 100,
    "max_price": 22200,
}
"""What the one public reply of the real gateway has to come to."""


@pytest.fixture
def capture(tmp_path: Path, seed: int) -> Path:
    """A reply of the full wire shape with the numbers of that one."""
    rng, deck = random.Random(seed), Deck(seed)
    auction: dict[str, Any] = json.loads(
        auction_json(
            deck.card(deck.draw(rng)),
            auction_id=57828095,
            instance_id=4133423131,
            acquired=1786827339000000,
            buyout=2787,
            current_bid=250,
            next_bid=300,
            bids=1,
            posted=1786827435,
            seconds_remaining=4424,
        )
    )
    auction |= {"medianAuctionPrice": 2775, "minListingPrice": 100, "maxListingPrice": 22200}
    card = auction["card"]
    card |= {"cardId": 13522975, "firstName": "Drew", "secondName": "Sanders"}
    card["program"] |= {"programId": 135, "programName": "Team Builders"}
    for block in ("cardData", "staticCardData"):
        card[block]["value"] |= {"overallRating": 82, "position": 14}
    path = tmp_path / "reply.json"
    path.write_bytes(wire.body(auction, at=1786909411))
    return path


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with product.home(tmp_path / "home") as made:
        yield made


@pytest.fixture
def stored_at(tmp_path: Path, database: str, redis_url: str) -> Iterator[Home]:
    """A home that stores into given servers."""
    with product.home(tmp_path / "home", postgres__dsn=database, redis__url=redis_url) as made:
        yield made


def test_the_published_reply_normalizes_to_its_known_row(home: Home, capture: Path) -> None:
    done = home.m26("normalize", str(capture), "-o", "-", "--platform", "ps5")
    (line,) = done.stdout.splitlines()
    row = orjson.loads(line)
    assert {name: row[name] for name in _ROW} == _ROW


def test_a_replay_stores_it_once_however_often_it_is_replayed(
    stored_at: Home, capture: Path, database: str
) -> None:
    states = []
    for repeated in (False, True):
        done = stored_at.m26("replay", str(capture), "--platform", "ps5", "--json")
        (result,) = orjson.loads(done.stdout)["items"]
        assert (result["new"], result["already"]) == ((0, 1) if repeated else (1, 0))
        states.append(asyncio.run(_everything(database)))
    assert states[0] == states[1]
    ((event,), (auction,), (card,)) = (
        states[0][name] for name in ("auction_event", "auction", "card")
    )
    assert event["kind"] == "listed"
    for stored in (event, auction):
        shared = {name: value for name, value in _ROW.items() if name in stored}
        assert {name: stored[name] for name in shared} == shared
    assert (card["name"], card["position"], card["overall"]) == ("Drew Sanders", "MLB", 82)
    assert card["program"] == "Team Builders"


def _page(*auctions: dict[str, Any]) -> bytes:
    return wire.body(*auctions)


_GOOD = wire.auction(7)
_BAD: dict[str, tuple[Callable[[], bytes], int, list[str]]] = {
    "an empty file": (lambda: b"", 7, []),
    "HTML": (lambda: b"<HTML><BODY><H1>Access Denied</H1></BODY></HTML>", 7, ["not_json"]),
    "truncated JSON": (lambda: _page(_GOOD)[:-200], 7, ["malformed"]),
    "50 MB of nulls": (
        lambda: b'{"responseInfo":{"value":{"details":[' + b"null," * 10**7 + b"null]}}}",
        7,
        ["too_large"],
    ),
    "a depth of 100,000": (
        lambda: b'{"responseInfo":' + b"[" * 10**5 + b"]" * 10**5 + b"}",
        7,
        ["unknown_shape"],
    ),
    "a float id": (lambda: _page(_GOOD | {"auctionId": 7.5}, _GOOD), 0, ["wrong_type"]),
    "a negative price": (lambda: _page(_GOOD, _GOOD | {"currentBid": -1}), 0, ["out_of_range"]),
}
"""Its bytes, the exit code, and the reasons of what is refused; good neighbours are stored."""


@pytest.mark.parametrize("what", _BAD)
def test_bad_input_is_refused_with_its_reason(
    stored_at: Home, tmp_path: Path, database: str, what: str
) -> None:
    make, code, reasons = _BAD[what]
    bad, rejects = tmp_path / "bad.json", tmp_path / "rejects.ndjson"
    bad.write_bytes(make())
    done = stored_at.m26("normalize", str(bad), "-o", "-", "--rejects", str(rejects), code=code)
    assert len(done.stdout.splitlines()) == (code == 0)
    written = rejects.read_bytes().splitlines() if rejects.exists() else []
    assert [orjson.loads(line)["reason"] for line in written] == reasons
    assert done.stderr

    done = stored_at.m26("replay", str(bad), "--platform", "ps5", code=code)
    stored = asyncio.run(_everything(database))
    assert [row["reason"] for row in stored["reject"]] == reasons
    assert len(stored["auction_event"]) == (code == 0)
    assert "Traceback" not in done.stderr


def test_a_folder_is_replayed_file_by_file(stored_at: Home, capture: Path, tmp_path: Path) -> None:
    folder = tmp_path / "captures"
    folder.mkdir()
    for name in ("a.json", "b.json", ".hidden"):
        (folder / name).write_bytes(capture.read_bytes() + b"\n" * (name == "b.json"))
    done = stored_at.m26("replay", str(folder), str(capture), "--platform", "ps5", "--json")
    told = [
        (each["file"], each["new"], each["already"]) for each in orjson.loads(done.stdout)["items"]
    ]
    assert told == [("a.json", 1, 0), ("b.json", 0, 0), (capture.name, 0, 1)]
    (tmp_path / "empty").mkdir()
    assert "no captures" in stored_at.m26("replay", str(tmp_path / "empty"), code=7).stderr


def test_a_replay_stores_what_is_whole_before_and_behind_what_is_damaged(
    stored_at: Home, tmp_path: Path, database: str
) -> None:
    journal = open_journal(tmp_path / "journal", segment_bytes=1 << 20)
    for number in range(3):
        journal.append(wire.page(_page(wire.auction(1 + number))))
    journal.close()
    (segment,) = segment_paths(tmp_path / "journal")
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1  # in the second one's body
    segment.write_bytes(data)
    done = stored_at.m26("replay", str(segment), "--json", code=7)
    (result,) = orjson.loads(done.stdout)["items"]
    assert [row["auction_id"] for row in asyncio.run(_everything(database))["auction"]] == [1, 3]
    assert (result["pages"], len(result["problems"])) == (2, 1)
    assert "record 1 is damaged" in result["problems"][0]
    assert "record 1 is damaged" in done.stderr


def test_a_file_that_is_not_there_is_a_usage_error(stored_at: Home, tmp_path: Path) -> None:
    absent = str(tmp_path / "absent.har")
    for command in (("normalize", absent, "-o", "-"), ("replay", absent)):
        done = stored_at.m26(*command, code=2)
        assert absent in done.stderr
        assert "Traceback" not in done.stderr


async def _everything(dsn: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of the tables that a replay may change, in the spelling of JSON."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SET timezone = 'UTC'")
        found = {}
        for table in ("auction_event", "auction", "card", "sighting", "reject", "stream_head"):
            rows = await connection.fetch(f"SELECT row_to_json(t)::text FROM m26.{table} AS t")
            found[table] = [_spelled(orjson.loads(row[0])) for row in rows]
        return found
    finally:
        await connection.close()


def _spelled(row: dict[str, Any]) -> dict[str, Any]:
    """PostgreSQL's ``+00:00`` as the ``Z`` of m26."""
    return {
        name: value.replace("+00:00", "Z") if isinstance(value, str) else value
        for name, value in row.items()
    }
