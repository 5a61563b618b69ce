from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime

import h11
import pytest
import structlog
from structlog.testing import capture_logs
from tests.support.bareserver import SIM, Behave, Server, answering, client, search, serving

from m26.errors import TransportError
from m26.upstream.replies import classify_transport
from m26.upstream.secret import Secret
from m26.upstream.verdicts import Action, BrokenTransferError

pytestmark = pytest.mark.anyio


async def broken(behave: Behave, *, deadline: float = 5) -> BrokenTransferError:
    async with serving(behave) as server, client(server.url, deadline=deadline) as gateway:
        with pytest.raises(BrokenTransferError) as caught:
            await search(gateway)
    text = f"{caught.value} {caught.value.hint} {caught.value!r}"
    assert "CANARY" not in text
    assert server.url not in text
    assert caught.value.__suppress_context__ or caught.value.__cause__ is None
    return caught.value


async def test_a_request_is_on_the_wire_as_the_protocol_says() -> None:
    async with serving(answering(b"{}")) as server, client(server.url) as gateway:
        reply = await search(gateway)
    assert (reply.status, reply.body) == (200, b"{}")
    line, *headers = server.heads[0].splitlines()
    assert line == (
        "POST /wal/mca/Process/CANARY%2FSESSION%2B1%3D%24%2A?offset=0&count=99 HTTP/1.1"
    )
    sent = {name.lower(): value for name, value in (h.split(": ") for h in headers if h)}
    assert sent.pop("host") in server.url
    assert sent.pop("content-length") == str(len(server.bodies[0]))
    assert sent == {
        "accept": "application/json",
        "accept-charset": "UTF-8",
        "accept-encoding": "gzip",
        "connection": "keep-alive",
        "content-type": "application/json",
        "user-agent": "m26-sim-client",
        "x-application-key": "MADDEN-MCA",
        "x-blaze-id": "madden-2026-sim",
        "x-blaze-void-resp": "XML",
    }


async def test_token_and_login_go_to_their_own_paths() -> None:
    async with serving(answering(b"{}")) as server, client(f"{server.url}/base/") as gateway:
        await gateway.token({"grant_type": "refresh_token", "refresh_token": "CANARY/R"})
        await gateway.login(Secret("CANARY-ACCESS"))
    token, login = server.heads
    assert token.startswith("POST /base/connect/token HTTP/1.1")
    assert "content-type: application/x-www-form-urlencoded" in token.lower()
    assert "accept-encoding: gzip\r\n" in token.lower()
    assert server.bodies[0] == b"grant_type=refresh_token&refresh_token=CANARY%2FR"
    assert login.startswith("POST /base/wal/authentication/login HTTP/1.1")
    assert json.loads(server.bodies[1])["accessToken"] == "CANARY-ACCESS"


async def test_one_connection_is_kept_and_calls_wait_for_each_other() -> None:
    busy = most = 0

    async def slowly(writer: asyncio.StreamWriter) -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0.02)
        busy -= 1
        await answering(b"{}")(writer)

    async with serving(slowly) as server, client(server.url) as gateway:
        await asyncio.gather(*(search(gateway) for _ in range(5)))
        assert (server.connections, most) == (1, 1)


async def test_waiting_for_another_call_does_not_use_up_the_deadline() -> None:
    async def slowly(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.4)
        await answering(b"{}")(writer)

    async with serving(slowly) as server, client(server.url, deadline=1.5) as gateway:
        replies = await asyncio.gather(*(search(gateway) for _ in range(4)))
    assert [reply.status for reply in replies] == [200] * 4


async def test_times_are_measured() -> None:
    async with serving(answering(b"{}")) as server, client(server.url) as gateway:
        before, began = datetime.now(UTC).timestamp(), time.monotonic()
        reply = await search(gateway)
        took = time.monotonic() - began
    assert before * 1e6 <= reply.fetched_at <= datetime.now(UTC).timestamp() * 1e6
    assert 0 < reply.seconds <= took


async def test_a_chunked_body_is_read_whole() -> None:
    async def chunked(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"2\r\n{}\r\n0\r\n\r\n")

    async with serving(chunked) as server, client(server.url) as gateway:
        assert (await search(gateway)).body == b"{}"


async def test_an_encoding_nobody_asked_for_is_no_reply() -> None:
    assert (await broken(answering(b"{}", "Content-Encoding: br"))).reason == "encoding"


async def test_a_short_body_is_no_reply() -> None:
    assert (await broken(answering(b'{"a":', length=500))).reason == "cut"


async def test_a_short_chunk_is_no_reply() -> None:
    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\n{}")
        await writer.drain()
        writer.close()

    assert (await broken(cut)).reason == "cut"


async def test_a_reset_is_no_reply() -> None:
    async def reset(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{")
        await writer.drain()
        writer.transport.abort()

    assert (await broken(reset)).reason == "cut"


async def test_a_drip_ends_at_the_deadline() -> None:
    drops = 0

    async def drip(writer: asyncio.StreamWriter) -> None:
        nonlocal drops
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
        for _ in range(500):
            drops += 1
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    assert (await broken(drip, deadline=0.4)).reason == "too_slow"
    assert 0 < drops < 500


async def test_silence_ends_at_the_deadline() -> None:
    async def silence(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3)

    assert (await broken(silence, deadline=0.2)).reason == "too_slow"


async def test_after_a_broken_transfer_the_next_call_works() -> None:
    turns = iter([answering(b"{", length=9), answering(b"{}")])

    async def behave(writer: asyncio.StreamWriter) -> None:
        await next(turns)(writer)

    async with serving(behave) as server, client(server.url) as gateway:
        with pytest.raises(TransportError):
            await search(gateway)
        assert (await search(gateway)).body == b"{}"
    assert server.connections == 2


async def test_a_body_over_the_cap_is_given_up_while_reading() -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n")
        for _ in range(2_000):
            writer.write(b"[" * 65_536)
            await writer.drain()

    error = await broken(endless)
    assert error.reason == "too_large"
    assert error.part == b"[" * 65_536
    assert classify_transport(error).quarantine


async def test_nobody_listening_is_unreachable() -> None:
    async with serving(answering(b"{}")) as server:
        url = server.url
    async with client(url) as gateway:
        with pytest.raises(BrokenTransferError) as caught:
            await search(gateway)
    assert caught.value.reason == "unreachable"
    assert classify_transport(caught.value).action is Action.RETRY


async def test_a_redirect_is_shown_and_not_followed() -> None:
    moved = answering(b"", "Location: http://127.0.0.1:1/", status="302 Found")
    async with serving(moved) as server, client(server.url) as gateway:
        assert (await search(gateway)).status == 302
    assert len(server.heads) == 1


def cookies_back(server: Server) -> list[str]:
    """The cookie that each request came with."""
    pattern = re.compile(r"^cookie: *(.*)$", re.IGNORECASE | re.MULTILINE)
    return [found[1].strip() if (found := pattern.search(head)) else "" for head in server.heads]


SETTING = answering(
    b"{}", "Set-Cookie: ak_bmsc=CANARY; Path=/; HttpOnly", "Set-Cookie: b=2; Path=/"
)


async def test_cookies_are_not_sent_back() -> None:
    async with serving(SETTING) as server, client(server.url) as gateway:
        for _ in range(2):
            await gateway.login(Secret("CANARY-ACCESS"))
            await search(gateway)
            await gateway.token({"a": "b"})
    assert cookies_back(server) == [""] * 6


@pytest.mark.parametrize("section", ["wal", "oauth"])
async def test_cookies_are_sent_back_to_the_host_whose_profile_says_so(section: str) -> None:
    changed = replace(getattr(SIM, section), cookies=True)
    profile = replace(SIM, **{section: changed})
    async with serving(SETTING) as server, client(server.url, profile=profile) as gateway:
        for _ in range(2):
            await search(gateway)
            await gateway.token({"a": "b"})
    sent = "ak_bmsc=CANARY; b=2"
    assert cookies_back(server) == ["", "", *((sent, "") if section == "wal" else ("", sent))]


async def test_cookies_are_few_short_and_of_plain_text() -> None:
    number = 0

    async def behave(writer: asyncio.StreamWriter) -> None:
        nonlocal number
        lines = [f"Set-Cookie: c{number + n}={'x' * 9}; Path=/" for n in range(40)]
        number += 40
        long = f"Set-Cookie: long={'x' * 60_000}; Path=/"
        await answering(b"{}", *lines, long, "Set-Cookie: odd=na\u00efve; Path=/")(writer)

    profile = replace(SIM, wal=replace(SIM.wal, cookies=True))
    async with serving(behave) as server, client(server.url, profile=profile) as gateway:
        for _ in range(4):
            await search(gateway)
    assert [sent.count("=") for sent in cookies_back(server)] == [0, 40, 50, 50]
    assert len(server.heads[-1]) < 4_096


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serving(answering(b"{}")) as server, client(server.url) as gateway:
        assert (await search(gateway)).status == 200


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("Retry-After: 37", 37, 37),
        ("Retry-After: soon", None, None),
        ("Retry-After: -5", None, None),
        ("Retry-After: Wed, 21 Oct 99999999999 07:28:00 GMT", None, None),
        ("Retry-After: Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ("X-Other: 1", None, None),
    ],
)
async def test_retry_after_is_read_in_both_its_forms(
    header: str, low: float | None, high: float | None
) -> None:
    limited = answering(b"", header, status="429 Too Many Requests")
    async with serving(limited) as server, client(server.url) as gateway:
        assert (await search(gateway)).retry_after in (low, high)


async def test_the_servers_clock_is_noticed() -> None:
    async with (
        serving(answering(b"{}", "Date: Thu, 01 Jan 2026 00:00:00 GMT")) as server,
        client(server.url) as gateway,
    ):
        assert (await search(gateway)).date == 1_767_225_600_000_000


async def test_a_log_line_of_a_call_tells_no_secret() -> None:
    structlog.reset_defaults()  # another test may have raised the level
    with capture_logs() as lines:
        async with serving(answering(b"{}")) as server, client(server.url) as gateway:
            await search(gateway)
    assert [line["call"] for line in lines] == ["Mobile_SearchAuctions"]
    assert "CANARY" not in str(lines)
    assert "127.0.0.1" not in str(lines)


async def test_a_header_that_http_forbids_is_a_verdict_and_nothing_leaves() -> None:
    evil = replace(SIM, wal=replace(SIM.wal, user_agent="X\r\nY: 1"))
    outcome = ""
    async with serving(answering(b"{}")) as server, client(server.url, profile=evil) as gateway:
        for call in (search(gateway), gateway.token({"a": "b"})):
            try:
                await call
            except BrokenTransferError as error:
                outcome = error.reason
            except h11.LocalProtocolError:
                outcome = "the end"
            assert outcome == "unsendable"
        assert server.heads == []
