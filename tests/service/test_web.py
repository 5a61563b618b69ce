from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from tests.support.documents import strict
from tests.support.observing import Watched

from m26.config import Web
from m26.errors import ConfigError
from m26.status.conditions import State
from m26.status.views import StatusView
from m26.web.app import create_app
from m26.web.guard import allowed_hosts, check_binding
from m26.web.pages import PAGES
from m26.web.problem import ProblemView

pytestmark = pytest.mark.anyio
TOKEN = "CANARY-web-token-of-æ"


class Site:
    """The application, and what it is told."""

    def __init__(self) -> None:
        self.watched = Watched()
        self.reasons: list[str] = []
        self.broken = False

    def app(self, **options: Any) -> Starlette:
        options.setdefault("hosts", allowed_hosts(Web()))
        return create_app(
            metrics=self.watched.metrics,
            snapshot=self.snapshot,
            ready=lambda: self.reasons,
            prices=None,
            **options,
        )

    def snapshot(self) -> Any:
        if self.broken:
            raise ZeroDivisionError("CANARY-detail")
        return self.watched.observer.snapshot()

    def client(self, base: str = "http://127.0.0.1:8026", **options: Any) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app(**options), raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=base)


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
async def client(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with site.client() as client:
        yield client


def assert_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert (document["type"], document["status"]) == ("about:blank", status)
    strict(ProblemView).validate(document)
    assert document["title"]
    assert document["detail"]
    return document


async def test_the_process_is_alive(client: httpx.AsyncClient) -> None:
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")


async def test_ready_is_200_and_not_ready_is_503_with_reasons(
    site: Site, client: httpx.AsyncClient
) -> None:
    assert (await client.get("/readyz")).status_code == 200
    site.reasons = ["no page was committed for 90 s", "PostgreSQL is away"]
    document = assert_problem(await client.get("/readyz"), 503)
    assert document["reasons"] == site.reasons
    assert "PostgreSQL is away" in document["detail"]


async def test_metrics_are_in_the_text_format(site: Site, client: httpx.AsyncClient) -> None:
    site.watched.metrics.events.labels("bid").inc(3)
    answer = await client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'm26_events_total{kind="bid"} 3.0' in answer.text


async def test_the_status_is_the_snapshot(site: Site, client: httpx.AsyncClient) -> None:
    site.watched.status.report("account:main", State.STOPPED, reason="captcha", advice="Solve it.")
    answer = await client.get("/api/v1/status")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == site.watched.observer.snapshot()
    strict(StatusView).validate(answer.json())
    assert answer.json()["state"]["advice"] == "Solve it."


async def test_the_index_names_every_endpoint_and_so_does_openapi(
    site: Site, client: httpx.AsyncClient
) -> None:
    paths = {route.path for route in site.app().routes}  # type: ignore[attr-defined]
    index = (await client.get("/")).text
    assert all(path in index for path in paths)
    document = (await client.get("/openapi.json")).json()
    assert document["paths"].keys() == paths
    assert document["openapi"].startswith("3.1")
    for page in PAGES:
        (media,) = document["paths"][page.path]["get"]["responses"]["200"]["content"]
        assert (await client.get(page.path)).headers["content-type"].startswith(media)


async def test_errors_are_problems(site: Site, client: httpx.AsyncClient) -> None:
    assert_problem(await client.get("/nothing"), 404)
    refused = await client.post("/api/v1/status")
    assert_problem(refused, 405)
    assert set(refused.headers["allow"].split(", ")) == {"GET", "HEAD"}
    site.broken = True
    assert "CANARY" not in str(assert_problem(await client.get("/api/v1/status"), 500))


@pytest.mark.parametrize("path", ["/", "/nothing", "/api/v1/status"])
async def test_every_answer_has_the_security_headers_and_no_cors(
    site: Site, client: httpx.AsyncClient, path: str
) -> None:
    site.broken = path == "/api/v1/status"
    headers = (await client.get(path, headers={"origin": "http://evil.example"})).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'self'" in headers["content-security-policy"]
    assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize("host", ["127.0.0.1:8026", "localhost:1", "LOCALHOST", "[::1]:8026"])
async def test_names_of_this_machine_are_answered(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/healthz", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8026", "127.0.0.1.evil.example", "", "[::2]", "0.0.0.0"]
)
@pytest.mark.parametrize("path", ["/healthz", "/api/v1/status"])
async def test_a_foreign_host_name_is_refused(
    client: httpx.AsyncClient, host: str, path: str
) -> None:
    assert_problem(await client.get(path, headers={"host": host}), 421)


async def test_the_configured_name_is_answered_and_a_wildcard_answers_all(site: Site) -> None:
    named = allowed_hosts(Web(host="M26.example"))
    async with site.client(hosts=named) as client:
        for host, status in (("m26.example:8026", 200), ("localhost", 200), ("other.example", 421)):
            answer = await client.get("/healthz", headers={"host": host})
            assert answer.status_code == status
    assert allowed_hosts(Web(host="0.0.0.0")) is None
    assert allowed_hosts(Web(host="::")) is None
    assert allowed_hosts(Web(host="")) is None
    async with site.client("http://any.example", hosts=None) as client:
        assert (await client.get("/healthz")).status_code == 200


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x"],
)
async def test_without_the_token_only_healthz_is_answered(site: Site, header: str | None) -> None:
    headers = {} if header is None else {"authorization": header.encode()}
    async with site.client(token=TOKEN) as client:
        for path in ("/", "/readyz", "/metrics", "/api/v1/status", "/openapi.json", "/nothing"):
            answer = await client.get(path, headers=headers)
            assert_problem(answer, 401)
            assert answer.headers["www-authenticate"].startswith("Bearer")
        assert (await client.get("/healthz", headers=headers)).status_code == 200


async def test_with_the_token_everything_is_answered(site: Site) -> None:
    async with site.client(token=TOKEN) as client:
        for scheme in ("Bearer", "bearer"):
            headers = {"authorization": f"{scheme} {TOKEN}".encode()}
            assert (await client.get("/api/v1/status", headers=headers)).status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
async def test_a_loopback_address_needs_no_token(host: str) -> None:
    check_binding(Web(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.5", "m26.example"])
async def test_another_address_needs_a_token(host: str) -> None:
    with pytest.raises(ConfigError, match="M26_WEB__HOST") as caught:
        check_binding(Web(host=host))
    assert "M26_WEB__TOKEN" in caught.value.hint
    check_binding(Web(host=host, token=SecretStr(TOKEN)))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.5", "m26.example"])
@pytest.mark.parametrize("token", ["a", "CANARY-0123456789ab"])
async def test_others_can_not_reach_it_with_a_short_token(host: str, token: str) -> None:
    with pytest.raises(ConfigError, match="its token is shorter than 20 characters") as caught:
        check_binding(Web(host=host, token=SecretStr(token)))
    assert "openssl rand -hex 24" in caught.value.hint
    assert "CANARY" not in f"{caught.value}{caught.value.hint}"
    check_binding(Web(host="127.0.0.1", token=SecretStr(token)))
    check_binding(Web(host=host, token=SecretStr(TOKEN)))
