"""Questions about a market over HTTP: a real database, a real server, real connections."""

from __future__ import annotations

import csv
import inspect
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from anyio.from_thread import BlockingPortal
from tests.support import servers
from tests.support.asked import JOSE, LONELY, SANDERS, Market, served
from tests.support.documents import strict
from tests.support.observing import Clock
from tests.support.proxy import Faults, Proxy
from tests.support.wire import T0, auction, body

from m26.embedded.postgres import Postgres
from m26.errors import OutageError
from m26.market.views import LatestView
from m26.store.prices import Prices
from m26.web.app import ROUTES
from m26.web.desk import MOST, Desk
from m26.web.kept import Kept
from m26.web.media import Body, columns, wrapped
from m26.web.problem import ProblemView
from m26.web.questions import QUESTIONS
from m26.web.route import Route

CSV = {"accept": "text/csv"}
LATEST, CARD = "/api/v1/market/latest", f"/api/v1/cards/{SANDERS}"
ASKED = {
    **dict.fromkeys((each.path for each in QUESTIONS), ""),
    "/api/v1/basket": f"ids={SANDERS},{SANDERS},{JOSE}",
    "/api/v1/market": "q=drew+sanders",
    "/api/v1/market/movers": "min_sales=1",
}


@pytest.fixture(scope="module")
def market(portal: BlockingPortal, postgres: Postgres) -> Iterator[Market]:
    with (
        servers.fresh_database(portal, postgres) as dsn,
        portal.wrap_async_context_manager(served(dsn)) as market,
    ):
        portal.call(market.begin)
        yield market


@pytest.fixture
def client(market: Market) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=market.url) as client:
        yield client


def address(path: str) -> str:
    return f"{path.format(card_id=SANDERS)}?{ASKED[path]}"


def refusal(answer: httpx.Response, status: int) -> Any:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    strict(ProblemView).validate(answer.json())
    return answer.json()


@pytest.mark.parametrize("route", QUESTIONS, ids=lambda route: route.path)
def test_a_question_is_answered_in_its_type_as_json_and_as_rows(
    client: httpx.Client, route: Route
) -> None:
    answer = client.get(address(route.path))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    strict(route.kind).validate(document)
    table = client.get(address(route.path), headers=CSV)
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    names, *lines = csv.reader(io.StringIO(table.text))
    assert tuple(names) == columns(route.kind)
    wanted = document.get("items", [document])
    assert len(lines) == len(wanted) > 0
    for line, row in zip(lines, wanted, strict=True):
        plain = [n for n in names if not isinstance(row[n], bool | float | list | dict)]
        cells = dict(zip(names, line, strict=True))
        assert [cells[n] for n in plain] == ["" if row[n] is None else f"{row[n]}" for n in plain]


@pytest.mark.parametrize("route", QUESTIONS, ids=lambda route: route.path)
def test_an_answer_that_is_known_is_not_sent_again(client: httpx.Client, route: Route) -> None:
    first = client.get(address(route.path))
    assert first.headers["etag"].startswith(f'W/"{first.json()["seq"]}-')
    assert first.headers["cache-control"] == "private, no-cache"
    for known in (first.headers["etag"], f'"x", {first.headers["etag"]}', "*"):
        again = client.get(address(route.path), headers={"if-none-match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    other = client.get(address(route.path), headers={"if-none-match": 'W/"0-0"'})
    assert other.content == first.content


def test_csv_spells_lists_with_spaces_and_names_as_they_are(client: httpx.Client) -> None:
    text = client.get("/api/v1/market", headers=CSV).text
    rows = {row["card_id"]: row for row in csv.DictReader(io.StringIO(text))}
    assert rows[str(JOSE)]["name"] == "José Ramírez, Jr."
    assert rows[str(JOSE)]["flags"].split()[:2] == ["thin", "bait"]
    assert rows[str(LONELY)]["floor"] == ""
    assert rows[str(JOSE)]["floor_stale"] in {"true", "false"}


def test_the_whole_market_changes_with_its_events_and_goes_out_packed(
    market: Market, client: httpx.Client, portal: BlockingPortal
) -> None:
    plain = client.get(LATEST, headers={"accept-encoding": "identity"})
    packed = client.get(LATEST, headers={"accept-encoding": "br, gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    assert packed.num_bytes_downloaded < plain.num_bytes_downloaded
    assert packed.headers["etag"] == plain.headers["etag"]
    assert {i["card_id"] for i in plain.json()["items"]} == {SANDERS, JOSE, LONELY}

    portal.call(market.grow, body(auction(30, buyoutPrice=4_400), at=T0 + 200))

    known, deadline = {"if-none-match": plain.headers["etag"]}, time.monotonic() + 20
    while client.get(LATEST, headers=known).status_code == 304:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    newer = client.get(LATEST).json()
    strict(LatestView).validate(newer)
    assert newer["seq"] > plain.json()["seq"]
    assert [i["floor"] for i in newer["items"] if i["card_id"] == SANDERS] == [4_400]
    time.sleep(1.05)  # so long other tests would be given answers of before


@pytest.mark.parametrize(
    ("path", "limit"), [("/api/v1/market", 1), ("/api/v1/sales", 2), (f"{CARD}/sales", 1)]
)
def test_pages_follow_each_other_without_a_gap(client: httpx.Client, path: str, limit: int) -> None:
    whole = client.get(path).json()["items"]
    pages, answer = [], client.get(path, params={"limit": limit})
    while True:
        document = answer.json()
        assert len(document["items"]) <= limit
        pages += document["items"]
        if document["next"] is None:
            break
        assert answer.links["next"]["url"].endswith(f"limit={limit}&after={document['next']}")
        answer = client.get(answer.links["next"]["url"])
    assert "link" not in answer.headers
    assert pages == whole
    assert len(pages) > limit


@pytest.mark.parametrize(
    ("asked", "name", "words"),
    [
        ("market?limt=5", "limt", "did you mean limit?"),
        ("market?nonsense=5", "nonsense", "known here: platform, q,"),
        ("market?limit=0", "limit", "a whole number from 1 to 1000"),
        ("market?limit=1.0", "limit", "a whole number"),
        ("market?limit=5&limit=6", "limit", "given 2 times"),
        ("market?q=", "q", "text of 1 to 100 characters"),
        ("market?q=a%00b", "q", "text of 1 to 100 characters"),
        ("market?after=x", "after", "`next` of the answer before"),
        ("market?platform=PS5!", "platform", "a platform, as ps5"),
        ("market/latest?limit=5", "limit", "known here: platform"),
        ("market/movers?window=24", "window", "hours up to 999h or days up to 99d"),
        ("market/movers?window=100d", "window", "up to 99d"),
        ("market/deals?order=best", "order", "one of expected, profit, roi, newest"),
        ("market/deals?min_confidence=nan", "min_confidence", "a number from 0 to 1"),
        ("cards/x", "card_id", "a whole number from 0"),
        ("cards/9223372036854775808/asks", "card_id", "a whole number from 0"),
        ("cards/1/prices?bucket=week", "bucket", "one of hour, day"),
        ("cards/1/prices?since=2026-08-15", "since", "as 2026-08-15T20:57:15Z"),
        ("cards/1/prices?since=2026-13-15T20:57:15Z", "since", "as 2026-08-15T20:57:15Z"),
        ("cards/1/prices?since=0001-01-01T00:00:00%2B23:00", "since", "as 2026-08-15T20:57:15Z"),
        ("basket", "ids", "missing"),
        ("basket?ids=1,,2", "ids", "separated by commas"),
        ("status?pretty=1", "pretty", "known here: none"),
    ],
)
def test_a_parameter_that_is_not_right_is_named_with_what_is_allowed(
    client: httpx.Client, asked: str, name: str, words: str
) -> None:
    document = refusal(client.get(f"/api/v1/{asked}"), 422)
    [fault] = document["faults"]
    assert fault["name"] == name
    assert words in fault["detail"]
    assert fault["detail"] in document["detail"]


def test_all_faults_of_a_request_are_told_at_once(client: httpx.Client) -> None:
    document = refusal(client.get("/api/v1/market?limt=5&min_overall=x"), 422)
    assert [each["name"] for each in document["faults"]] == ["limt", "min_overall"]


@pytest.mark.parametrize("route", QUESTIONS, ids=lambda route: route.path)
def test_a_question_about_a_moment_is_answered_as_of_then(
    client: httpx.Client, route: Route
) -> None:
    then = f"{address(route.path)}&at=2026-09-21T14:13:50%2B00:00"
    answer = client.get(then)
    assert answer.status_code == 200, answer.text
    strict(route.kind).validate(answer.json())
    assert answer.json()["at"] == "2026-09-21T14:13:50Z"
    assert client.get(then, headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    ahead = refusal(client.get(f"{address(route.path)}&at=2999-01-01T00:00:00Z"), 404)
    assert "has not come" in ahead["detail"]


def test_of_a_moment_before_a_sale_nothing_is_known_of_it(client: httpx.Client) -> None:
    now = client.get(f"{CARD}/sales").json()["items"]
    then = client.get(f"{CARD}/sales?at=2026-09-21T14:13:50Z").json()["items"]
    assert (len(now), then) == (3, [])
    assert refusal(client.get(f"{CARD}?at=0001-01-01T00:00:00Z"), 404)


@pytest.mark.parametrize("part", ["", "/prices", "/asks", "/sales"])
def test_what_was_not_seen_is_not_found(client: httpx.Client, part: str) -> None:
    assert "card 77 on ps5" in refusal(client.get(f"/api/v1/cards/77{part}"), 404)["detail"]
    assert "there is ps5" in refusal(client.get(f"{CARD}{part}?platform=pc"), 404)["detail"]
    assert client.get(f"{CARD}{part}?platform=ps5").status_code == 200


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("*/*", "application/json"),
        ("text/*", "text/csv"),
        ("text/csv;q=0.5, application/json;q=0.4", "text/csv"),
        ("text/html, application/*;q=0.1", "application/json"),
        ("text/csv;q=0, */*;q=0.1", "application/json"),
        ("text/html", ""),
        ("text/csv;q=nonsense", ""),
    ],
)
def test_a_client_gets_the_form_that_it_prefers(
    client: httpx.Client, accept: str, media: str
) -> None:
    answer = client.get(CARD, headers={"accept": accept})
    if media:
        assert answer.headers["content-type"].startswith(media)
        assert answer.headers["vary"] == "accept, accept-encoding"
    else:
        assert "application/json or text/csv" in refusal(answer, 406)["detail"]


def test_a_route_has_the_parameters_of_its_question() -> None:
    """But for deals, which take some of them as one, and the whole market, which is kept."""
    for path, method in {
        "/api/v1/market": Prices.market,
        "/api/v1/market/movers": Prices.movers,
        "/api/v1/market/index": Prices.index,
        "/api/v1/cards/{card_id}": Prices.card,
        "/api/v1/cards/{card_id}/prices": Prices.prices,
        "/api/v1/cards/{card_id}/asks": Prices.asks,
        "/api/v1/sales": Prices.sales,
        "/api/v1/basket": Prices.basket,
    }.items():
        [route] = [each for each in ROUTES if each.path == path]
        named = {each.name for each in route.parameters}
        assert named == {*inspect.signature(method).parameters} - {"self"}, path


@pytest.mark.anyio
async def test_without_a_database_it_says_when_to_ask_again(
    postgres: Postgres, database: str, tmp_path: Path, seed: int
) -> None:
    faults, name, target = Faults(seed), ".s.PGSQL.5432", postgres.socket_folder
    way = database.replace(str(target), str(tmp_path))
    async with (
        Proxy(tmp_path / name, target / name, faults),
        served(database, way=way) as market,
        httpx.AsyncClient(base_url=market.url) as client,
    ):
        document = refusal(await client.get(LATEST), 404)
        assert "No market was seen yet" in document["detail"]
        await market.begin()
        assert (await client.get(CARD)).status_code == 200
        faults.reset_probability = 1.0
        for path in (f"{CARD}/asks", "/api/v1/market", LATEST):
            answer = await client.get(path)
            assert "PostgreSQL does not answer" in refusal(answer, 503)["detail"]
            assert answer.headers["retry-after"] == "2"
        assert (await client.get("/healthz")).status_code == 200
        faults.none()
        assert (await client.get(CARD)).status_code == 200


@pytest.mark.anyio
async def test_who_asks_while_others_ask_too_much_is_told_so_and_holds_up_nobody() -> None:
    desk, done = Desk(None, patience=0.5), anyio.Event()

    async def ask() -> None:
        async with desk.turn():
            await done.wait()

    async with anyio.create_task_group() as group:
        for _ in range(MOST):
            group.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(OutageError, match=f"{MOST} questions are asked") as caught:
            async with desk.turn():
                pass
        assert "fewer at a time" in caught.value.hint
        done.set()
    async with desk.turn():
        pass


@pytest.mark.anyio
async def test_what_many_ask_is_made_once_a_second_and_fails_once_for_all_who_wait() -> None:
    clock, made = Clock(), list[float]()
    kept = Kept(clock=clock)

    async def make() -> Body | None:
        made.append(clock.now)
        await anyio.sleep(0.01)
        if len(made) > 2:
            raise OutageError("away")
        return wrapped(b"x", len(made), pack=False)

    async def many() -> list[str]:
        told: list[str] = []

        async def ask() -> None:
            try:
                body = await kept.body("question", make)
            except OutageError as error:
                told.append(error.message)
            else:
                assert body is not None
                told.append(body.etag.split("-")[0])

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(ask)
        return told

    assert await many() == ['W/"1'] * 5
    clock.now += 0.9
    assert await many() == ['W/"1'] * 5
    clock.now += 0.2
    assert await many() == ['W/"2'] * 5
    clock.now += 1.1
    assert await many() == ["away"] * 5
    assert len(made) == 3
