"""What lies behind a reply: it is nobody's, and never the reply to the next call."""

from __future__ import annotations

import asyncio
import json

import pytest
import structlog
from structlog.testing import capture_logs
from tests.support.bareserver import Behave, answering, client, search, serving

from m26.upstream.secret import Secret
from m26.upstream.verdicts import BrokenTransferError

pytestmark = pytest.mark.anyio

BAN = b'{"error":{"errorname":"AUTH_ERR_BANNED"}}'
MADE_UP = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BAN), BAN)


def counted(before: bytes, behind: bytes = b"") -> Behave:
    """Answers with the number of the call; `behind` lies behind each reply."""
    calls = 0

    async def behave(writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        body = b'{"call":%d}' % calls
        writer.write(before.replace(b"SIZE", b"%d" % len(body)).replace(b"BODY", body) + behind)

    return behave


PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: SIZE\r\n\r\nBODY"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nBODY\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("reply", "behind"),
    [
        pytest.param(PLAIN, MADE_UP, id="a made-up ban"),
        pytest.param(PLAIN, MADE_UP * 3, id="several replies"),
        pytest.param(PLAIN, MADE_UP[:-5], id="most of a reply"),
        pytest.param(PLAIN, b"HTTP/1.1 200 OK\r\nX-Junk: ", id="half a head"),
        pytest.param(PLAIN, b"HTTP/1.1 100 Continue\r\n\r\n" + MADE_UP, id="informational first"),
        pytest.param(PLAIN, b"more of the body", id="a body longer than it says"),
        pytest.param(PLAIN, b"\r\n", id="an empty line"),
        pytest.param(CHUNKED, MADE_UP, id="behind the last chunk"),
    ],
)
async def test_bytes_behind_a_reply_are_not_the_next_reply(reply: bytes, behind: bytes) -> None:
    async with serving(counted(reply, behind)) as server, client(server.url) as gateway:
        bodies = [(await search(gateway)).body for _ in range(3)]
    assert bodies == [b'{"call":1}', b'{"call":2}', b'{"call":3}']
    assert server.connections == 3


async def test_bytes_behind_a_reply_without_a_body_are_not_the_next_reply() -> None:
    turns = iter(
        [
            answering(b"", "X: 1", status="204 No Content"),
            answering(MADE_UP, status="204 No Content"),
            answering(b"{}"),
        ]
    )

    async def behave(writer: asyncio.StreamWriter) -> None:
        await next(turns)(writer)

    async with serving(behave) as server, client(server.url) as gateway:
        replies = [await search(gateway) for _ in range(3)]
    assert [reply.status for reply in replies] == [204, 204, 200]
    assert [reply.body for reply in replies] == [b"", b"", b"{}"]


@pytest.mark.parametrize("size", [2**16, 2**17, 2**18])
async def test_a_reply_that_just_fills_a_read_has_nothing_behind_it_either(size: int) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: SIZE\r\n\r\n"
    length = size - len(head) - 2  # the number has five or six digits
    while len(head.replace(b"SIZE", b"%d" % length)) + length < size:
        length += 1
    full = head.replace(b"SIZE", b"%d" % length) + b"x" * length
    turns = iter([full + MADE_UP, PLAIN.replace(b"SIZE", b"2").replace(b"BODY", b"{}")])

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(next(turns))

    async with serving(behave) as server, client(server.url) as gateway:
        assert len((await search(gateway)).body) == length
        assert (await search(gateway)).body == b"{}"


async def test_what_comes_while_nobody_waits_for_a_reply_is_not_the_next_one() -> None:
    sent, turns = asyncio.Event(), counted(PLAIN)

    async def behave(writer: asyncio.StreamWriter) -> None:
        await turns(writer)
        await writer.drain()
        if not sent.is_set():
            asyncio.get_running_loop().call_later(0.05, late, writer)

    def late(writer: asyncio.StreamWriter) -> None:
        writer.write(MADE_UP)
        sent.set()

    async with serving(behave) as server, client(server.url) as gateway:
        assert (await search(gateway)).body == b'{"call":1}'
        await sent.wait()
        assert (await search(gateway)).body == b'{"call":2}'


async def test_the_late_reply_to_a_call_that_was_given_up_is_not_the_next_one() -> None:
    given_up, turns = asyncio.Event(), counted(PLAIN)

    async def behave(writer: asyncio.StreamWriter) -> None:
        if not given_up.is_set():
            await given_up.wait()
        await turns(writer)

    async with serving(behave) as server, client(server.url, deadline=0.2) as gateway:
        with pytest.raises(BrokenTransferError) as caught:
            await search(gateway)
        assert caught.value.reason == "too_slow"
        given_up.set()
        assert (await search(gateway)).body == b'{"call":2}'
        assert server.connections == 2


@pytest.mark.parametrize("reset", [False, True])
async def test_a_connection_that_was_ended_in_silence_is_replaced_without_a_failure(
    reset: bool,
) -> None:
    ended, turns = asyncio.Event(), counted(PLAIN)

    async def behave(writer: asyncio.StreamWriter) -> None:
        await turns(writer)
        await writer.drain()
        asyncio.get_running_loop().call_later(0.02, end, writer)

    def end(writer: asyncio.StreamWriter) -> None:
        if reset:
            writer.transport.abort()
        else:
            writer.close()
        ended.set()

    async with serving(behave) as server, client(server.url) as gateway:
        for number in (1, 2, 3):
            ended.clear()
            assert (await search(gateway)).body == b'{"call":%d}' % number
            await ended.wait()
    assert server.connections == 3


async def test_logins_and_token_calls_are_as_safe() -> None:
    token = json.dumps({"access_token": "CANARY-X", "refresh_token": "CANARY-Y"}).encode()
    behind = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(token), token)
    async with serving(counted(PLAIN, behind)) as server, client(server.url) as gateway:
        bodies = [(await gateway.token({"a": "b"})).body for _ in range(2)]
        bodies += [(await gateway.login(Secret("CANARY-A"))).body for _ in range(2)]
    assert bodies == [b'{"call":%d}' % call for call in (1, 2, 3, 4)]


async def test_that_bytes_were_thrown_away_is_told_without_showing_them() -> None:
    structlog.reset_defaults()  # another test may have raised the level
    with capture_logs() as lines:
        async with serving(counted(PLAIN, b"CANARY" * 3)) as server, client(server.url) as gateway:
            await search(gateway)
            await search(gateway)
    told = [line for line in lines if line["event"] == "gateway.unread_bytes"]
    assert [line["size"] for line in told] == [18, 18]
    assert {line["log_level"] for line in told} == {"warning"}
    assert "CANARY" not in str(lines)
