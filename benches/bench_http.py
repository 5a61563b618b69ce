"""Questions over HTTP: how soon four clients are answered while pages are stored."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from anyio.from_thread import BlockingPortal
from benches import asked, databases, figures
from benches.asking import asking
from benches.figures import Figure, quantile
from benches.pages import SEED
from pytest_benchmark.fixture import BenchmarkFixture

from m26.embedded.postgres import Postgres

CLIENTS = 4
PER_SECOND = 10
SMALL, LARGE = 100_000, 10_000_000
GZIP = {"Accept-Encoding": "gzip"}
Draw = Callable[[random.Random], str]


class Question(NamedTuple):
    """What is asked, how often, and within what time."""

    label: str
    path: Draw
    most: float
    """Milliseconds, of 99 of a hundred."""
    times: int = 200


def _card(rng: random.Random) -> int:
    return asked.FIRST_CARD + rng.randrange(asked.CARDS)


def _of_card(part: str) -> Draw:
    return lambda rng: f"/api/v1/cards/{_card(rng)}{part}"


def _plain(path: str) -> Draw:
    return lambda _: f"/api/v1/{path}"


QUESTIONS = (
    Question("a card's page, the first time", _of_card(""), 20),
    Question("a card's page", _of_card(""), 20),
    Question("a card's days", _of_card("/prices"), 50),
    Question("a card's hours", _of_card("/prices?bucket=hour"), 50),
    Question("a card's asks", _of_card("/asks"), 50),
    Question("a card's sales", _of_card("/sales"), 50),
    Question("a page of the market", _plain("market?position=QB&min_overall=80"), 50),
    Question("cards by name", lambda r: f"/api/v1/market?q=player{r.randrange(300)}+qb", 50),
    Question("the newest sales", _plain("sales"), 50),
    Question("deals", _plain("market/deals"), 50),
    Question("movers of a day", _plain("market/movers"), 50),
    Question("the index by days", _plain("market/index"), 50),
    Question(
        "ten cards",
        lambda r: f"/api/v1/basket?ids={','.join(str(_card(r)) for _ in range(10))}",
        50,
    ),
    Question("the whole market", _plain("market/latest"), 50),
)


class Answer(NamedTuple):
    """What came back."""

    seconds: float
    status: int
    etag: str
    size: int


class Client:
    """One connection that stays open until it is closed."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)

    def close(self) -> None:
        self._connection.close()

    def get(self, path: str, headers: Mapping[str, str] = GZIP) -> Answer:
        before = time.perf_counter()
        self._connection.request("GET", path, headers=dict(headers))
        answer = self._connection.getresponse()
        size = len(answer.read())
        took = time.perf_counter() - before
        return Answer(took, answer.status, answer.headers.get("etag", ""), size)


def side_by_side(url: str, question: Question, times: int) -> list[Answer]:
    """Ask by as many clients as there are, each `times` times."""
    answers: list[Answer] = []

    def ask(seed: int) -> None:
        rng = random.Random(f"{SEED} {question.label} {seed}")
        with closing(Client(url)) as client:
            found = [client.get(question.path(rng)) for _ in range(times)]
        answers.extend(found)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def whole_markets(url: str, times: int) -> Iterator[Figure]:
    """The market made anew, and one that the client has already."""
    made, known = [], []
    with closing(Client(url)) as client:
        for _ in range(times):
            time.sleep(1.05)  # for a second an answer is given again
            fresh = client.get("/api/v1/market/latest")
            again = client.get("/api/v1/market/latest", {**GZIP, "If-None-Match": fresh.etag})
            made.append(fresh.seconds)
            if again.status == 304:
                known.append(again.seconds)
    yield Figure("the whole market, made anew, most", 1e3 * max(made), "ms", at_most=300)
    if known:
        yield Figure("the whole market, known already, most", 1e3 * max(known), "ms", at_most=5)


def raced(dsn: str, *, times: int) -> list[Figure]:
    """All questions, one kind after the other."""
    found = []
    with asking(dsn, per_second=PER_SECOND, pages=5 * times) as process:
        for question in QUESTIONS:
            answers = side_by_side(process.url, question, times)
            assert {each.status for each in answers} <= {200, 404}, question.label
            seconds = [each.seconds for each in answers]
            label, most = f"{question.label}, 99 of 100", question.most
            found.append(Figure(label, 1e3 * quantile(seconds, 0.99), "ms", at_most=most))
            found.append(Figure(f"{question.label}, median", 1e3 * quantile(seconds, 0.5), "ms"))
        found += whole_markets(process.url, 5)
    commits, late = process.said["commits"], process.said["late"]
    found.append(Figure("a page is stored meanwhile, median", 1e3 * quantile(commits, 0.5), "ms"))
    found.append(Figure("the event loop is late, 99 of 100", 1e3 * quantile(late, 0.99), "ms"))
    found.append(Figure("the event loop is late, most", 1e3 * max(late), "ms"))
    return found


@pytest.fixture
def market(portal: BlockingPortal, postgres: Postgres, smoke: bool) -> Iterator[str]:
    portal.call(databases.set_fsync, postgres, "off")
    make = partial(asked.made, postgres, "asked", auctions=SMALL if smoke else LARGE)
    dsn = portal.call(make)
    portal.call(databases.set_fsync, postgres, "on")
    yield dsn
    portal.call(databases.drop, postgres, "asked")


def test_questions(benchmark: BenchmarkFixture, market: str, smoke: bool) -> None:
    found = benchmark.pedantic(raced, (market,), {"times": 20 if smoke else 250}, rounds=1)
    figures.note(
        benchmark,
        part="P9",
        title="Questions about a market over HTTP",
        note=f"{SMALL if smoke else LARGE:,} auctions of {asked.CARDS:,} cards. {CLIENTS} clients "
        f"ask about cards drawn at random, while the same process stores {PER_SECOND} pages a "
        "second and makes prices of them.",
        figures=found,
    )
