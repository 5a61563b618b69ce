"""Questions about a market over HTTP: a real database, a real server, real connections."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import httpx
import pytest
from anyio.from_thread import BlockingPortal
from tests.support import servers
from tests.support.asked import JOSE, SANDERS, Market, served
from tests.support.documents import strict

from m26.embedded.postgres import Postgres
from m26.web.media import columns
from m26.web.questions import QUESTIONS
from m26.web.route import Route

JSON, CSV = {"accept": "application/json"}, {"accept": "text/csv"}
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
    names, *rows = csv.reader(io.StringIO(table.text))
    assert tuple(names) == columns(route.kind)
    wanted = document.get("items", [document])
    assert len(rows) == len(wanted) > 0
