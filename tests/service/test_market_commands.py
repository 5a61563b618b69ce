"""`m26 market` as an operator asks: a real database behind it."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from anyio.from_thread import BlockingPortal
from tests.support import servers
from tests.support.asked import JOSE, LONELY, SANDERS, Market
from tests.support.commands import Outcome, commands
from tests.support.documents import DOCUMENTS, check_printed
from tests.support.wire import T0

from m26.embedded.postgres import Postgres
from m26.store.database import opened

ASKS = {
    "floor": "",
    "deals": "--max-age 1h",
    "movers": "--min-sales 1",
    "diff": f"--from {T0 - 121_000}",
    "show": "drew sanders",
    "sales": "",
    "depth": "drew sanders",
    "index": "",
    "basket": "{files}/set.txt",
}


@pytest.fixture(scope="module")
def dsn(portal: BlockingPortal, postgres: Postgres) -> Iterator[str]:
    with servers.fresh_database(portal, postgres) as made:
        portal.call(fill, made)
        yield made


async def fill(dsn: str) -> None:
    async with opened(dsn) as store:
        await store.migrate()
        connection = await asyncpg.connect(dsn)
        try:
            await Market(store, connection).begin()
        finally:
            await connection.close()


Asking = Callable[..., Outcome]


@pytest.fixture
def m26(
    dsn: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Asking]:
    (tmp_path / "home").mkdir(mode=0o700)
    monkeypatch.setenv("M26_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("M26_POSTGRES__DSN", dsn)
    (tmp_path / "set.txt").write_text(
        f"# a set\n2 x drew sanders\n\n{JOSE}\n3 x {LONELY}\n", encoding="utf-8"
    )
    with commands(capsys) as m26:
        yield m26


@pytest.fixture
def market(m26: Asking) -> Asking:
    return lambda *arguments: m26("market", *arguments)


@pytest.mark.parametrize("command", ASKS)
def test_each_question_has_a_table_a_document_and_rows(
    market: Asking, tmp_path: Path, command: str
) -> None:
    words = [command, *ASKS[command].format(files=tmp_path).split()]
    shown, document, rows = market(*words), market(*words, "--json"), market(*words, "--csv")
    assert [each.code for each in (shown, document, rows)] == [0, 0, 0], (shown, document, rows)
    check_printed(DOCUMENTS[f"market {command}"], document.json)
    assert "ps5 at 2026-" in shown.out
    read = list(csv.DictReader(io.StringIO(rows.out)))
    items = document.json.get("items", [document.json])
    assert [list(row) for row in read] == [
        [name for name in item if name != "schema_version"] for item in items
    ]
    assert items


def test_floor_last_sale_net_and_age_are_told(market: Asking) -> None:
    (sanders,) = market("floor", "sanders", "--json").json["items"]
    assert (sanders["floor"], sanders["floor2"], sanders["asks"]) == (5_040, 5_050, 2)
    assert (sanders["net"], sanders["last_sale"], sanders["sales_day"]) == (6_300, 5_000, 3)
    assert sanders["floor_stale"], "nobody has looked at it for four minutes"
    assert {"stale", "thin", "bait"} == set(sanders["flags"])
    shown = market("show", "drew", "sanders", "--roi", "5").out
    for text in (
        "floor        5,040, then 5,050; 2 asks; seen 5 m ago, stale",
        "7,000 (6,500-7,500); 9 sales of 9 copies, by level",
        "6,300 net; max buy for 5 %: 6,000",
        "3 in 24 h",
    ):
        assert text in shown, shown


def test_every_question_is_asked_of_the_past_as_well(market: Asking, tmp_path: Path) -> None:
    for command, words in ASKS.items():
        if command != "diff":
            given = words.format(files=tmp_path).split()
            done = market(command, *given, "--at", str(T0 + 30), "--json")
            assert done.code == 0, done
            found = done.json
            assert found["at"] == found["market_time"] == "2026-09-21T14:13:50Z", command
            check_printed(DOCUMENTS[f"market {command}"], found)
    (sanders,) = market("floor", "sanders", "--at", str(T0 + 30), "--json").json["items"]
    assert (sanders["floor"], sanders["asks"], sanders["last_sale"]) == (5_010, 5, None)
    assert market("floor", "--at", str(T0 - 200_000), "--json").json["items"] == []
    unknown = market("show", "drew", "sanders", "--at", str(T0 - 121_000))
    assert (unknown.code, "nothing was seen of it until" in unknown.err) == (2, True)
    ahead = market("floor", "--at", "2030-01-01")
    assert (ahead.code, "2030-01-01T00:00:00Z has not come" in ahead.err) == (2, True)


def test_what_changed_between_two_moments_is_told(market: Asking) -> None:
    sold = market("diff", "--from", str(T0 + 30), "--json").json
    assert (sold["moved"], sold["new"], sold["offered"], sold["gone"]) == (1, 0, 0, 0)
    (sanders,) = sold["items"]
    assert (sanders["kind"], sanders["floor_before"], sanders["floor"]) == ("moved", 5_010, 5_040)
    assert (sanders["change"], sanders["asks_before"], sanders["asks"]) == (0.006, 5, 2)
    span = ("--from", str(T0 - 121_000), "--to", str(T0 - 1_000))
    assert "0 floors moved, 0 new cards, 0 offered again, 1 gone" in market("diff", *span).out
    listed = market("diff", "--from", str(T0 - 1_000), "--to", str(T0 + 30), "--json").json
    assert [row["kind"] for row in listed["items"]] == ["new", "new", "offered"]


def test_of_few_sales_the_range_is_told_first(market: Asking, dsn: str) -> None:
    query = "UPDATE m26.market_now SET n = 2 WHERE card_id = {0}"
    servers_query(dsn, query.format(SANDERS))
    assert "6,500-7,500 (7,000)" in market("floor", "sanders").out
    servers_query(dsn, query.format(SANDERS).replace("n = 2", "n = 9"))


def servers_query(dsn: str, query: str) -> None:
    import asyncio

    async def run() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(query)
        finally:
            await connection.close()

    asyncio.run(run())


def test_a_name_that_may_be_several_cards_is_asked_back(market: Asking) -> None:
    wrong = market("show", "drwe", "sandres")
    assert wrong.code == 2
    assert f"Did you mean Drew Sanders 82 MLB Team Builders ({SANDERS})?" in wrong.err, wrong
    assert market("depth", "xyzzy", "--json").json["error"]["code"] == "usage"
    unknown = market("sales", "xyzzy")
    assert (unknown.code, "is called 'xyzzy'" in unknown.err) == (2, True)


def test_a_basket_is_bought_at_asks_one_by_one(market: Asking, tmp_path: Path) -> None:
    found = market("basket", str(tmp_path / "set.txt"), "--json").json
    sanders, jose, lonely = found["items"]
    assert (sanders["asks"], sanders["cost"]) == ([5_040, 5_050], 10_090)
    assert (jose["wanted"], lonely["missing"]) == (1, 3)
    assert found["cost"] == sanders["cost"] + jose["cost"]
    assert found["missing"] == [LONELY]
    (tmp_path / "wrong.txt").write_text("xyzzy\n", encoding="utf-8")
    assert "xyzzy" in market("basket", str(tmp_path / "wrong.txt")).err


def test_what_is_no_question_is_refused(market: Asking) -> None:
    for words in (
        ("floor", "--json", "--csv"),
        ("floor", "--platform", "amiga"),
        ("floor", "--after", "soon"),
        ("floor", "--watch", "often"),
        ("movers", "--window", "3w"),
        ("sales", "--since", "yesterday"),
        ("floor", "--at", "soon"),
        ("floor", "--at", str(T0), "--watch", "1s"),
        ("diff", "--from", str(T0), "--to", str(T0 - 1)),
        ("diff", "--from", str(T0), "--at", str(T0)),
        ("show",),
    ):
        assert market(*words).code == 2, words


def test_a_watched_answer_comes_again_until_it_is_ended(market: Asking) -> None:
    command = [sys.executable, "-m", "m26", "market", "floor", "--watch", "100ms", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        process.terminate()
        assert process.wait(timeout=20) == 143
    assert len(set(lines)) == 1


def test_the_shell_is_told_of_names_as_they_were_begun(m26: Asking) -> None:
    assert "\nSANders 82\tMLB Team Builders\n" in m26("__complete", "market", "show", "SAN").out
    assert m26("__complete", "market", "show", "xyzzy").out == "\n\x1fbegin\n"


def test_the_shell_gets_a_script(m26: Asking, tmp_path: Path) -> None:
    script = tmp_path / "m26.bash"
    done = m26("--install-completion", "--shell", "bash", "--output", str(script), "--no-startup")
    assert (done.code, str(script) in done.out) == (0, True)
    assert "market" in script.read_text("utf-8")


def test_a_market_of_which_nothing_is_known_says_so(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, market: Asking
) -> None:
    monkeypatch.setenv("M26_POSTGRES__DSN", database)
    done = market("floor")
    assert (done.code, "nothing was rolled up yet" in done.out) == (0, True)
    assert market("floor", "--json").json["items"] == []


def test_a_database_of_before_is_left_as_it_is(
    database: str, monkeypatch: pytest.MonkeyPatch, m26: Asking
) -> None:
    monkeypatch.setenv("M26_POSTGRES__DSN", database)
    assert m26("db", "migrate").code == 0
    servers_query(database, "DELETE FROM m26.schema_migration WHERE name LIKE '0014%'")
    asked = m26("market", "floor")
    assert (asked.code, "of an m26 before this one" in asked.err) == (6, True)
