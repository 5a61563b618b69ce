"""Clients that hold connections and ask for nothing, or read nothing, against the real server."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import urlsplit

import anyio
import anyio.lowlevel
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from m26.httpserver import Bounds
from m26.web.server import listening, serve, url_of

pytestmark = pytest.mark.anyio
_HEAD = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
_WAITING = 32
_ESTABLISHED = 1
"""Of Linux's states of a TCP connection."""


async def hello(_: Request) -> Response:
    return PlainTextResponse("hello")


async def silent(_: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        yield b"first"
        await anyio.sleep_forever()

    return StreamingResponse(parts())


APP = Starlette(routes=[Route("/", hello), Route("/silent", silent)])


@asynccontextmanager
async def served(app: Starlette = APP, bounds: Bounds | None = None) -> AsyncIterator[str]:
    async with listening("127.0.0.1", 0) as listener, anyio.create_task_group() as group:
        await group.start(partial(serve, app, listener, bounds=bounds))
        yield url_of(listener)
        group.cancel_scope.cancel()


@asynccontextmanager
async def clients(url: str, *sent: bytes) -> AsyncIterator[list[socket.socket]]:
    """Connections, each of which sends its bytes and then is left alone."""
    address, made = (urlsplit(url).hostname, urlsplit(url).port), list[socket.socket]()

    def connect() -> None:
        for data in sent:
            made.append(socket.create_connection(address, timeout=10))
            made[-1].sendall(data)
            made[-1].settimeout(0)

    try:
        await anyio.to_thread.run_sync(connect)
        yield made
    finally:
        for each in made:
            each.close()


def is_open(client: socket.socket) -> bool:
    """Whether the server has not closed it; what it has sent is read away."""
    try:
        while client.recv(2**16):
            pass
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def count(made: list[socket.socket]) -> int:
    return sum(map(is_open, made))


def is_answered(client: socket.socket) -> bool:
    """Whether an answer has begun."""
    try:
        return bool(client.recv(1, socket.MSG_PEEK))
    except OSError:
        return False


def is_established(client: socket.socket) -> bool:
    """Whether the server has not closed it, as the system knows it: nothing is read."""
    return client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _ESTABLISHED


async def until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Whether it comes to hold within that time."""
    with anyio.move_on_after(seconds):
        while not condition():
            await anyio.sleep(0.02)
    return condition()


@pytest.mark.parametrize("sent", [b"", _HEAD], ids=["silent", "half a header"])
async def test_of_those_who_ask_for_nothing_32_stay_and_who_asks_is_answered(sent: bytes) -> None:
    async with (
        served() as url,
        httpx.AsyncClient() as client,
        clients(url, *[sent] * 400) as made,
    ):
        assert (await client.get(url)).text == "hello"
        assert await until(lambda: count(made) <= _WAITING), count(made)
        assert (await client.get(url)).text == "hello"
        assert count(made) >= _WAITING - 2  # no more are closed than have to be


async def test_no_way_of_asking_for_nothing_lasts() -> None:
    """All side by side, for each of them takes ten seconds."""
    body = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999\r\n\r\n"
    ways = {
        "nothing": b"",
        "half a header": _HEAD,
        "a header, by drops": _HEAD + b"X-Y: ",
        "half a body": body,
        "a body, by drops": body,
        "an answer that is not read": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    }
    given_up = anyio.Event()

    async def endless(_: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield bytes(2**20)
                    await anyio.lowlevel.checkpoint()
            finally:
                given_up.set()

        return StreamingResponse(parts())

    app = Starlette(routes=[Route("/", endless)])
    async with served(app) as url, clients(url, *ways.values()) as made:
        asking = dict(zip(ways, made[:-1], strict=False))
        for _ in range(50):
            for way, client in asking.items():
                if way.endswith("by drops") and is_established(client):
                    client.send(b"x")
            if given_up.is_set() and not any(map(is_established, asking.values())):
                break
            await anyio.sleep(0.5)
        assert [way for way, client in asking.items() if is_established(client)] == []
        assert given_up.is_set()


async def test_answers_that_last_are_no_waiting_and_have_the_place_of_those_who_wait() -> None:
    ask = b"GET /silent HTTP/1.1\r\nHost: x\r\n\r\n"
    bounds = Bounds(most=50, seconds=1.0)
    async with served(bounds=bounds) as url, clients(url, *[ask] * 45) as listening:
        assert await until(lambda: all(map(is_answered, listening)))
        async with clients(url, *[b""] * 20) as idle:
            assert await until(lambda: count(idle) == 0)
        async with clients(url, *[ask] * 45) as more:
            assert await until(lambda: count(listening) + count(more) == 50)
            assert count(listening) == 45


async def test_a_crowd_that_asks_at_once_is_served() -> None:
    ask = b"GET /silent HTTP/1.1\r\nHost: x\r\n\r\n"
    async with served() as url, clients(url, *[ask] * 400) as crowd:
        assert await until(lambda: all(map(is_answered, crowd)))
        assert count(crowd) == 400


async def test_a_reader_that_is_slow_but_reads_is_served_to_the_end() -> None:
    body = os.urandom(8 * 2**20)

    async def large(_: Request) -> Response:
        return Response(body)

    app, bounds = Starlette(routes=[Route("/", large)]), Bounds(most=50, seconds=1.0)
    async with served(app, bounds) as url, httpx.AsyncClient() as client:
        read = b""
        async with client.stream("GET", url) as answer:
            async for part in answer.aiter_raw(2**20):
                read += part
                await anyio.sleep(0.2)
        assert read == body
