"""Who tries tokens: how long it takes, what is told of it, and that nobody else is locked out."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import httpx
import pytest
from structlog.testing import capture_logs
from tests.support.observing import Watched

from m26.web.app import create_app
from m26.web.refusals import Refusals

pytestmark = pytest.mark.anyio
TOKEN = "CANARY-0123456789abcd"
RIGHT = {"authorization": f"Bearer {TOKEN}"}
WRONG = {"authorization": "Bearer CANARY-0123456789abce"}


class Site:
    """The application behind a token, with a clock and delays of the test's own."""

    def __init__(self) -> None:
        self.watched, self.now = Watched(), 1000.0
        self.delayed: list[float] = []
        self.over = anyio.Event()
        self.over.set()

    async def sleep(self, seconds: float) -> None:
        self.delayed.append(seconds)
        await self.over.wait()

    def client(self) -> httpx.AsyncClient:
        metrics = self.watched.metrics
        refusals = Refusals(metrics.web_refused.inc, clock=lambda: self.now, sleep=self.sleep)
        app = create_app(
            metrics=metrics,
            snapshot=self.watched.observer.snapshot,
            ready=list,
            prices=None,
            token=TOKEN,
            refusals=refusals,
        )
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")

    @property
    def refused(self) -> float:
        return self.watched.metrics.value("m26_web_refused_total")


@pytest.fixture
def site() -> Site:
    return Site()


async def test_after_ten_refusals_a_minute_each_one_waits_and_it_is_told_once(site: Site) -> None:
    async with site.client() as client:
        with capture_logs() as logs:
            for _ in range(10):
                assert (await client.get("/metrics", headers=WRONG)).status_code == 401
            assert (site.delayed, logs) == ([], [])
            for headers in (WRONG, {}, {"authorization": f"Basic {TOKEN}"}, WRONG):
                assert (await client.get("/api/v1/status", headers=headers)).status_code == 401
        assert site.delayed == [1.0] * 4
        assert [(line["event"], line["log_level"]) for line in logs] == [
            ("web.token_guessed", "warning")
        ]
        assert "CANARY" not in str(logs)
        assert site.refused == 14
        assert (await client.get("/api/v1/status", headers=RIGHT)).status_code == 200
        assert len(site.delayed) == 4, "the right token does not wait"
        site.now += 61
        assert (await client.get("/metrics", headers=WRONG)).status_code == 401
        assert len(site.delayed) == 4, "a minute later nobody does"


async def test_a_guesser_over_a_day_is_told_of_every_minute(site: Site) -> None:
    async with site.client() as client:
        with capture_logs() as logs:
            for _ in range(3 * 60):
                await client.get("/", headers=WRONG)
                site.now += 1
        assert len(logs) == 3
        assert len(site.delayed) == 3 * 60 - 10


async def test_who_waits_is_bounded_and_the_operator_passes_meanwhile(site: Site) -> None:
    site.over = anyio.Event()
    answers: list[int] = []

    async def ask(client: httpx.AsyncClient) -> None:
        answers.append((await client.get("/", headers=WRONG)).status_code)

    with anyio.fail_after(5):
        async with site.client() as client, anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(ask, client)
            while len(answers) < 50 - 16:
                await anyio.lowlevel.checkpoint()
            assert sorted(answers) == [401] * 10 + [429] * 24
            answer = await client.get("/", headers=RIGHT)
            assert answer.status_code == 200
            refused = await client.get("/", headers=WRONG)
            assert refused.headers["retry-after"] == "1"
            assert refused.headers["connection"] == "close"
            assert (await client.get("/healthz")).status_code == 200
            site.over.set()
    assert answers.count(401) == 26
    assert len(site.delayed) == 16


async def test_a_token_in_the_query_is_none_and_is_not_logged(site: Site) -> None:
    async with site.client() as client:
        with capture_logs() as logs:
            for _ in range(12):
                answer = await client.get("/metrics", params={"token": TOKEN})
                assert answer.status_code == 401
        assert "CANARY" not in f"{logs}{answer.text}{answer.headers}"
    assert logs
