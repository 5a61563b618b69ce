from __future__ import annotations

import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from tests.support import ports
from tests.support.observing import Watched

from m26.errors import ConfigError
from m26.web.app import create_app
from m26.web.server import listening, serve, url_of

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def serving(app: Starlette, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serves inside the block, which is given the URL."""
    async with listening(host, port) as listener, anyio.create_task_group() as group:
        await group.start(serve, app, listener)
        yield url_of(listener)
        group.cancel_scope.cancel()


async def hello(_: Request) -> Response:
    return PlainTextResponse("hello")


APP = Starlette(routes=[Route("/", hello)])


async def test_port_0_gives_a_real_url_that_answers_at_once() -> None:
    async with serving(APP) as url, httpx.AsyncClient() as client:
        assert (await client.get(url)).text == "hello"


async def test_the_end_closes_the_port_and_open_connections() -> None:
    with ports.reserved() as port:
        with anyio.fail_after(5):
            async with httpx.AsyncClient() as client, serving(APP, port=port) as url:
                await client.get(url)  # a kept-alive connection is open now
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", port))


async def test_an_answer_under_way_is_finished_before_the_end() -> None:
    asked, answer = anyio.Event(), anyio.Event()

    async def slow(_: Request) -> Response:
        asked.set()
        await answer.wait()
        return PlainTextResponse("whole")

    async def give() -> None:
        answer.set()

    texts: list[str] = []

    async def ask(url: str) -> None:
        async with httpx.AsyncClient() as client:
            texts.append((await client.get(url)).text)

    app = Starlette(routes=[Route("/", slow)])
    async with anyio.create_task_group() as outer, serving(app) as url:
        outer.start_soon(ask, url)
        await asked.wait()
        outer.start_soon(give)  # when the end has begun
    assert texts == ["whole"]


async def test_an_answer_that_never_ends_does_not_hold_up_the_end() -> None:
    asked, answers = anyio.Event(), list[int]()

    async def never(_: Request) -> Response:
        asked.set()
        await anyio.sleep_forever()
        raise AssertionError

    async def ask(url: str) -> None:
        async with httpx.AsyncClient() as client:
            answers.append((await client.get(url, timeout=30)).status_code)

    with anyio.fail_after(10):
        app = Starlette(routes=[Route("/", never)])
        async with anyio.create_task_group() as outer, serving(app) as url:
            outer.start_soon(ask, url)
            await asked.wait()
    assert answers == [500]


async def test_signal_handlers_are_left_alone() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with serving(APP) as url, httpx.AsyncClient() as client:
        await client.get(url)
        during = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert during == before


async def test_a_taken_port_is_an_error_that_names_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}: Address already in use") as caught:
            async with listening("127.0.0.1", port):
                pass
    assert "M26_WEB__PORT" in caught.value.hint


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
async def test_an_address_of_another_machine_is_an_error(host: str) -> None:
    with pytest.raises(ConfigError, match="cannot serve HTTP"):
        async with listening(host, 0):
            pass


async def test_the_url_of_a_wildcard_is_one_that_this_machine_can_open() -> None:
    async with serving(APP, host="0.0.0.0") as url, httpx.AsyncClient() as client:
        assert url.startswith("http://127.0.0.1:")
        assert (await client.get(url)).text == "hello"


async def test_it_says_nothing_of_itself_and_trusts_no_forwarded_header() -> None:
    async def who(request: Request) -> Response:
        assert request.client is not None
        return PlainTextResponse(request.client.host)

    app = Starlette(routes=[Route("/", who)])
    async with serving(app) as url, httpx.AsyncClient() as client:
        answer = await client.get(url, headers={"x-forwarded-for": "203.0.113.9"})
        assert "server" not in answer.headers
        assert answer.text == "127.0.0.1"


async def test_over_real_sockets_guesses_wait_and_the_right_token_does_not() -> None:
    right, wrong = ({"authorization": f"Bearer CANARY-{word}"} for word in ("token", "guess"))
    watched = Watched()
    app = create_app(
        metrics=watched.metrics,
        snapshot=watched.observer.snapshot,
        ready=list,
        prices=None,
        token="CANARY-token",
    )
    async with serving(app) as url, httpx.AsyncClient() as client:
        for _ in range(10):
            assert (await client.get(url, headers=wrong)).status_code == 401
        with anyio.move_on_after(0.2) as patience:
            await client.get(url, headers=wrong)
        assert patience.cancelled_caught, "the eleventh guess is answered at once"
        assert (await client.get(url, headers=right)).status_code == 200
