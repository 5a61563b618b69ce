"""Clients that hold connections and ask for nothing, or read nothing, against the real server."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from urllib.parse import urlsplit

import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from m26.web.server import serve

pytestmark = pytest.mark.anyio
_HEAD = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
_WAITING = 32


async def hello(_: Request) -> Response:
    return PlainTextResponse("hello")


async def endless(_: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield bytes(2**20)

    return StreamingResponse(parts())


async def silent(_: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        yield b"first"
        await anyio.sleep_forever()

    return StreamingResponse(parts())


APP = Starlette(routes=[Route("/", hello), Route("/endless", endless), Route("/silent", silent)])


@asynccontextmanager
async def served(**options: object) -> AsyncIterator[str]:
    async with anyio.create_task_group() as group:
        url: str = await group.start(partial(serve, APP, host="127.0.0.1", port=0, **options))
        yield url
        group.cancel_scope.cancel()


@contextmanager
def clients(url: str, count: int, sent: bytes = b"") -> Iterator[list[socket.socket]]:
    """Connections, each of which sends the same and then is left alone."""
    parts = urlsplit(url)
    address = (parts.hostname, parts.port)
    made = []
    try:
        for _ in range(count):
            made.append(socket.create_connection(address, timeout=10))
            made[-1].setblocking(False)  # noqa: FBT003 - the socket's own
            made[-1].sendall(sent)
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


async def until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Whether it comes to hold within that time."""
    with anyio.move_on_after(seconds):
        while not condition():  # noqa: ASYNC110 - it is the other side of a socket
            await anyio.sleep(0.02)
    return condition()


@pytest.mark.parametrize("sent", [b"", _HEAD], ids=["silent", "half a header"])
async def test_of_those_who_ask_for_nothing_32_stay_and_who_asks_is_answered(sent: bytes) -> None:
    async with served() as url, httpx.AsyncClient() as client:
        with await anyio.to_thread.run_sync(clients(url, 400, sent).__enter__) as made:
            assert (await client.get(url)).text == "hello"
            assert await until(lambda: count(made) <= _WAITING), count(made)
            assert (await client.get(url)).text == "hello"
            assert count(made) >= _WAITING - 2  # no more are closed than have to be


async def test_no_way_of_asking_for_nothing_lasts() -> None:
    """All side by side, for each of them takes ten seconds."""
    drips = {"header": _HEAD, "body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n"}
    ways = {
        "nothing": b"",
        "half a header": _HEAD,
        "a header, by drops": _HEAD + b"X-Y: ",
        "half a body": drips["body"],
        "a body, by drops": drips["body"],
    }
    async with served() as url, anyio.create_task_group() as group:
        parts = urlsplit(url)
        made: dict[str, socket.socket] = {}
        for way, sent in ways.items():
            made[way] = socket.create_connection((parts.hostname, parts.port))
            made[way].setblocking(False)  # noqa: FBT003 - the socket's own
            made[way].sendall(sent)

        async def drip() -> None:
            while True:
                for way, client in made.items():
                    if way.endswith("by drops") and is_open(client):
                        client.send(b"x")
                await anyio.sleep(0.5)

        group.start_soon(drip)
        deaf = await asyncio.open_connection(parts.hostname, parts.port, limit=1)
        deaf[1].write(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")  # and reads no more than a bit
        closed = await until(lambda: not any(map(is_open, made.values())), 25)
        assert closed, [way for way, client in made.items() if is_open(client)]
        with anyio.move_on_after(25) as patience:
            await anyio.wait_readable(deaf[1].get_extra_info("socket"))
            while not _reset(deaf[1].get_extra_info("socket")):
                await anyio.sleep(0.1)
        assert not patience.cancelled_caught
        deaf[1].transport.abort()
        for client in made.values():
            client.close()
        group.cancel_scope.cancel()


def _reset(client: socket.socket) -> bool:
    """Whether the server has ended the connection, though it has more to say."""
    state = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return state != 1  # TCP_ESTABLISHED


async def test_answers_that_last_are_no_waiting_and_have_the_place_of_those_who_wait() -> None:
    from m26.httpserver import Bounds

    ask = b"GET /silent HTTP/1.1\r\nHost: x\r\n\r\n"
    bounds = Bounds(most=50, waiting=8, seconds=1.0)
    async with served(bounds=bounds) as url:
        with clients(url, 45, ask) as listening, clients(url, 20) as idle:
            assert await until(lambda: count(idle) == 0)
            assert count(listening) == 45
            with clients(url, 45, ask) as more:
                assert await until(lambda: count(listening) + count(more) == 50)
                assert count(listening) == 45


async def test_a_reader_that_is_slow_but_reads_is_served_to_the_end() -> None:
    from m26.httpserver import Bounds

    body = os.urandom(8 * 2**20)

    async def large(_: Request) -> Response:
        return Response(body)

    app = Starlette(routes=[Route("/", large)])
    bounds = Bounds(most=50, seconds=1.0)
    async with anyio.create_task_group() as group, httpx.AsyncClient() as client:
        url = await group.start(partial(serve, app, host="127.0.0.1", port=0, bounds=bounds))
        read = b""
        async with client.stream("GET", url) as answer:
            async for part in answer.aiter_raw(2**20):
                read += part
                await anyio.sleep(0.2)
        assert read == body
        group.cancel_scope.cancel()
