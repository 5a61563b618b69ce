"""What was refused before, read again by ``m26 rejects retry``; what is given up by ``drop``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
from tests.support.commands import Outcome, commands
from tests.support.documents import DOCUMENTS, check_printed
from tests.support.journals import open_journal
from tests.support.wire import T0, auction, body, card, page, records

from m26.models import BROKEN, Page, Record
from m26.normalizer import Normalizer
from m26.store.database import opened
from m26.store.load import Loader
from m26.upstream.profile import Profile

RULES = Profile.load("madden26").card


@dataclass(frozen=True)
class Place:
    """A home and its database."""

    dsn: str
    home: Path
    run: Callable[..., Outcome]

    def m26(self, *arguments: str, code: int = 0) -> Any:
        """The document of ``m26 rejects`` with these arguments."""
        done = self.run("rejects", *arguments, "--json")
        assert done.code == code, done.err + done.out
        check_printed(DOCUMENTS[f"rejects {arguments[0]}"], done.json)
        return done.json

    def do(self, work: Callable[[Loader, asyncpg.Connection[Any]], Awaitable[Any]]) -> Any:
        """Work on the database as a collector does, and as its owner."""

        async def main() -> Any:
            async with self.open() as (loader, connection):
                return await work(loader, connection)

        return asyncio.run(main())

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[Loader, asyncpg.Connection[Any]]]:
        async with opened(self.dsn) as store:
            await store.migrate()
            connection = await asyncpg.connect(self.dsn)
            try:
                yield Loader(store, Normalizer(RULES)), connection
            finally:
                await connection.close()

    def sql(self, *statements: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """The rows of the last one."""

        async def work(_: Loader, connection: asyncpg.Connection[Any]) -> list[tuple[Any, ...]]:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return [tuple(row) for row in await connection.fetch(statements[-1], *values)]

        return list(self.do(work))

    def store(self, *pages: Page, part: str = "file:capture") -> Any:
        """Store pages of a part, from its beginning; what is odd goes to the quarantine."""
        rows = [Record(pos, each) for pos, each in enumerate(pages)]
        return self.do(lambda loader, _: loader.store(part, rows))

    def understand(self, raw: bytes, number: int = 1) -> None:
        """As if this m26 understood what another one refused: its bytes are ones that it reads."""
        self.sql("UPDATE m26.reject SET raw = $1 WHERE id = $2", values=(raw, number))


@pytest.fixture
def place(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Place]:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("M26_HOME", str(home))
    monkeypatch.setenv("M26_POSTGRES__DSN", database)
    with commands(capsys) as run:
        yield Place(database, home, run)


def one(listed: dict[str, Any]) -> bytes:
    return orjson.dumps(listed)


def test_what_postgres_refused_is_stored_once_and_at_the_time_it_was_served(place: Place) -> None:
    odd = auction(8, card=card(999, instance=8, firstName="Odd"))
    refused = body(auction(1), auction(2, buyoutPrice=666), odd)

    async def with_checks(loader: Loader, connection: asyncpg.Connection[Any]) -> None:
        await connection.execute("ALTER TABLE m26.auction ADD CONSTRAINT a CHECK (bids = 9)")
        await connection.execute("ALTER TABLE m26.card ADD CONSTRAINT c CHECK (card_id <> 999)")
        await loader.store("j", records(refused))
        await connection.execute("ALTER TABLE m26.auction DROP CONSTRAINT a")
        await connection.execute("ALTER TABLE m26.card DROP CONSTRAINT c")

    place.do(with_checks)
    assert place.sql("SELECT count(*) FROM m26.auction_event") == [(0,)]
    retried = place.m26("retry", "--all")

    assert (retried["chosen"], retried["stored"], retried["events"]) == (4, 4, 3)
    assert (retried["new"], retried["late"], retried["refused"]) == (3, 0, {})
    served = "SELECT auction_id, extract(epoch FROM observed_at)::bigint FROM m26.auction"
    assert sorted(place.sql(served)) == [(1, T0), (2, T0), (8, T0)]
    assert place.sql("SELECT count(*) FROM m26.card WHERE card_id = 999") == [(1,)]
    assert place.m26("ls")["items"] == []
    assert place.m26("retry", "--all")["chosen"] == 0
    again = place.m26("retry", "1", "2", "3", "4")
    assert (again["stored"], again["settled_before"], again["events"]) == (0, 4, 0)
    stored = place.do(lambda loader, _: loader.store("j", records(refused, start=1)))
    assert (stored.unchanged, stored.new, stored.seq) == (3, 0, 3)


def test_a_retry_changes_nothing_that_its_auction_has_become_since(place: Place) -> None:
    later = body(auction(7, bid=300, bids=2), at=T0 + 60)
    place.store(page(body(auction(7, bid=-5))), page(later))
    place.understand(one(auction(7)))
    rows = "SELECT auction_id, observed_at, last_seen, current_bid, bids FROM m26.auction"
    before = place.sql(rows)
    retried = place.m26("retry", "--reason", "out_of_range")

    assert (retried["stored"], retried["new"]) == (1, 0)
    assert place.sql(rows) == before
    assert place.sql("SELECT state FROM m26.reject") == [("retried",)]


def test_a_page_that_is_understood_now_is_stored_and_what_is_odd_in_it_is_refused_alone(
    place: Place,
) -> None:
    started = T0 * 1_000_000
    place.store(page(body(auction(3)), sweep=started), page(b"<html>", sweep=started))
    sweeps = place.sql("SELECT * FROM m26.sweep")
    content = body(auction(1), auction(2, bid=-5), auction(3), at=T0 + 5)
    place.understand(content)
    retried = place.m26("retry", "1")

    assert (retried["stored"], retried["new"], retried["unchanged"]) == (1, 2 - 1, 1)
    (left,) = place.m26("ls")["items"]
    assert (left["part"], left["pos"], left["item"]) == ("file:capture", 1, 1)
    assert (left["reason"], left["state"]) == ("out_of_range", "new")
    shown = place.m26("show", str(left["id"]))
    assert shown["raw"].encode() == content[left["byte_from"] : left["byte_to"]]
    assert (shown["origin"]["platform"], shown["origin"]["response_time"]) == (
        "ps5",
        (T0 + 5) * 1_000_000,
    )
    assert place.sql("SELECT * FROM m26.sweep") == sweeps
    place.understand(one(auction(2)), left["id"])
    assert place.m26("retry", "--all")["new"] == 1


def test_an_auction_whose_card_is_mended_is_stored_and_the_card_kept(place: Place) -> None:
    place.store(page(body(auction(1), auction(2, bid=-5))))
    place.understand(
        one(auction(2, card=card(999, instance=2, firstName="Odd"))).replace(b"Odd", b"\\u0000")
    )
    retried = place.m26("retry", "1")

    assert (retried["stored"], retried["refused"], retried["new"]) == (1, {}, 1)
    (kept,) = place.m26("ls")["items"]
    assert (kept["reason"], kept["part"], kept["pos"], kept["item"]) == (
        "card_mended",
        "file:capture",
        0,
        1,
    )
    assert place.m26("retry", "--all")["refused"] == {}
    assert place.m26("ls")["items"] == []


def test_what_is_refused_again_stays_with_the_reason_that_it_has_now(place: Place) -> None:
    content = body(auction(1), auction(2, bid=-5))
    place.store(page(content), page(b"<html>"))
    (detail,) = place.sql("SELECT detail FROM m26.reject WHERE id = 1")
    place.sql("UPDATE m26.reject SET reason = 'number_range', detail = '' WHERE id = 1")
    retried = place.m26("retry", "--all", code=7)

    assert (retried["chosen"], retried["stored"]) == (2, 0)
    assert retried["refused"] == {"out_of_range": 1, "not_json": 1}
    page_, item = place.m26("ls")["items"]
    assert (page_["reason"], item["reason"]) == ("not_json", "out_of_range")
    assert (item["detail"],) == detail  # with its place in the page, as when it came


def test_what_cannot_be_read_is_told_with_why_and_dropped_on_demand(place: Place) -> None:
    place.store(
        page(b"{aaaa", command=BROKEN, query='{"reason":"too_large","message":"17 MiB"}'),
        page(b"<error><errorcode>418</errorcode></error>", status=418),
        page(body(auction(1, bid=-5))),
    )
    lost = [Record(3, None, "records 3 to 9 are missing", 7)]
    place.do(lambda loader, _: loader.store("file:capture", lost))
    place.sql("UPDATE m26.reject SET origin = NULL WHERE item IS NOT NULL")
    retried = place.m26("retry", "--all")

    assert (retried["chosen"], retried["stored"], retried["refused"]) == (4, 0, {})
    assert {why.split()[0]: count for why, count in retried["unreadable"].items()} == {
        "its": 1,  # record is gone
        "an": 1,  # older m26 kept nothing but its bytes
        "it": 2,  # is no whole reply of the market
    }
    assert place.sql("SELECT DISTINCT state FROM m26.reject") == [("new",)]
    asked = place.run("rejects", "drop", "--all")
    assert (asked.code, "--yes" in asked.err) == (2, True)
    assert place.m26("drop", "--reason", "journal_damaged", "--yes")["dropped"] == 1
    assert place.m26("drop", "--all", "--yes")["dropped"] == 3
    assert place.m26("drop", "1", "--yes")["dropped"] == 0
    assert place.m26("ls")["items"] == []
    dropped = place.m26("ls", "--state", "dropped")["items"]
    assert [each["bytes"] for each in dropped] == [0] * 4


def test_which_rejects_must_be_said_once_and_be_there(place: Place) -> None:
    place.store(page(b"<html>"))
    for arguments in ((), ("1", "--all"), ("--all", "--reason", "empty"), ("1", "77")):
        for command in ("retry", "drop"):
            done = place.run("rejects", command, *arguments)
            assert done.code == 2, (command, arguments)
    assert "no reject 77" in done.err
    assert place.sql("SELECT state FROM m26.reject") == [("new",)]


def test_a_reject_of_an_older_version_is_read_by_its_record_in_the_journal(place: Place) -> None:
    journal = open_journal(place.home / "journal", segment_bytes=1)
    served = ((1,), (2, 3), (4,))
    for at, numbers in enumerate(served):
        journal.append(page(body(*map(auction, numbers), at=T0 + at), platform="pc"))

    async def refused(loader: Loader, connection: asyncpg.Connection[Any]) -> None:
        await connection.execute("ALTER TABLE m26.auction ADD CONSTRAINT c CHECK (auction_id < 3)")
        await loader.store(journal.id, journal.read(0))
        await connection.execute("ALTER TABLE m26.auction DROP CONSTRAINT c")
        await connection.execute("UPDATE m26.reject SET origin = NULL")

    place.do(refused)
    other = one(auction(5))
    place.sql("UPDATE m26.reject SET raw = $1 WHERE pos = 2", values=(other,))
    retried = place.m26("retry", "--all")

    assert (retried["stored"], sum(retried["unreadable"].values())) == (1, 1)
    query = "SELECT platform, extract(epoch FROM observed_at)::bigint FROM m26.auction"
    assert place.sql(f"{query} WHERE auction_id = 3") == [("pc", T0 + 1)]
    assert place.sql("SELECT max(auction_id) FROM m26.auction") == [(3,)]
    assert len(journal.read(0)) == len(served)
    journal.close()
