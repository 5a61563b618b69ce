from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs
from tests.support.bareserver import SIM, answering, client, search, self_signed, serving

from m26.errors import ConfigError
from m26.upstream.client import GatewayClient, tls_context
from m26.upstream.connection import Connection
from m26.upstream.replies import classify_transport
from m26.upstream.verdicts import Action, BrokenTransferError

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "url",
    [
        "http://example.invalid",
        "http://127.0.0.1.example.invalid",
        "http://10.0.0.1:8080",
        "http://localhost.invalid",
        "ftp://127.0.0.1",
        "127.0.0.1:80",
        "https://",
    ],
)
async def test_secrets_never_travel_in_the_clear(url: str) -> None:
    for place in ("oauth_url", "base_url"):
        with pytest.raises(ConfigError, match="not allowed") as caught:
            GatewayClient(profile=SIM, platform="sim", **{place: url})  # type: ignore[arg-type]
        assert caught.value.hint


@pytest.mark.parametrize("url", ["http://[::1]:80", "http://localhost:1", "http://127.9.9.9"])
async def test_plain_http_to_loopback_is_allowed(url: str) -> None:
    async with client(url):
        pass


def test_legacy_servers_are_admitted_for_the_gateway_alone_and_always_verified() -> None:
    legacy, modern = tls_context(legacy=True), tls_context(legacy=False)
    assert legacy.options & 0x4
    assert not modern.options & 0x4
    for context in (legacy, modern):
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname


@pytest.mark.parametrize("legacy", [True, False])
async def test_a_self_signed_peer_is_a_stop_and_sees_no_request(
    tmp_path: Path, legacy: bool
) -> None:
    profile = replace(SIM, wal=replace(SIM.wal, legacy_tls=legacy))
    async with (
        serving(answering(b"{}"), self_signed(tmp_path)) as server,
        client(server.url, profile=profile) as gateway,
    ):
        for call in (search(gateway), gateway.token({"a": "b"})):
            with pytest.raises(BrokenTransferError) as caught:
                await call
            assert caught.value.reason == "certificate"
            assert classify_transport(caught.value).action is Action.STOP
    assert server.heads == []


async def test_a_record_behind_the_last_of_a_reply_is_not_the_next_reply(tmp_path: Path) -> None:
    ban = b'{"error":{"errorname":"AUTH_ERR_BANNED"}}'

    async def behave(writer: asyncio.StreamWriter) -> None:
        replies = (
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            for body in (b"{}", ban)
        )
        writer.writelines(replies)  # two records of one segment

    server_side = self_signed(tmp_path)
    trusting = ssl.create_default_context(cafile=tmp_path / "server.pem")
    trusting.check_hostname = False
    async with (
        serving(behave, server_side) as server,
        GatewayClient(
            profile=SIM, platform="sim", base_url=server.url, transport=Connection(trusting)
        ) as gateway,
    ):
        assert [(await search(gateway)).body for _ in range(3)] == [b"{}"] * 3
        assert server.connections == 3


@dataclass
class Peer:
    """A TLS server that lacks secure renegotiation (RFC 5746) in its first handshakes."""

    url: str
    refusals: int
    """So many handshakes still end in its old-fashioned answer."""
    handshakes: int = 0


_OLD_HELLO = b"\x03\x03" + os.urandom(32) + b"\0" + b"\xc0\x2f" + b"\0"
"""Of TLS 1.2, without any extension: OpenSSL refuses it, unless it is told not to."""


@asynccontextmanager
async def old_fashioned(modern: str, *, refusals: int) -> AsyncIterator[Peer]:
    """In front of the server at `modern`, to which it passes on what it does not answer itself."""
    peer = Peer("", refusals)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.handshakes += 1
        first = await reader.read(2**16)
        if peer.refusals:
            peer.refusals -= 1
            handshake = b"\x02" + len(_OLD_HELLO).to_bytes(3, "big") + _OLD_HELLO
            writer.write(b"\x16\x03\x03" + len(handshake).to_bytes(2, "big") + handshake)
            await reader.read()
        else:
            there = await asyncio.open_connection("127.0.0.1", int(modern.rsplit(":", 1)[1]))
            there[1].write(first)
            await asyncio.gather(_pass(reader, there[1]), _pass(there[0], writer))
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        peer.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield peer


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(2**16):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


def trusting(folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=folder / "server.pem")
    context.check_hostname = False
    return context


def connection(folder: Path, *, legacy: bool = True) -> Connection:
    """As the client makes it, but that it trusts the test's certificate."""
    old = trusting(folder)
    old.options |= 0x4
    return Connection(trusting(folder), legacy=old if legacy else None)


async def test_a_profile_that_allows_legacy_tls_begins_strictly(tmp_path: Path) -> None:
    structlog.reset_defaults()
    profile = replace(SIM, wal=replace(SIM.wal, legacy_tls=True))
    async with (
        serving(answering(b"{}"), self_signed(tmp_path)) as server,
        old_fashioned(server.url, refusals=1) as peer,
        client(peer.url, profile=profile, deadline=2) as gateway,
    ):
        with capture_logs() as lines, pytest.raises(BrokenTransferError) as caught:
            await search(gateway)
    told = [line["event"] for line in lines]
    assert (caught.value.reason, peer.handshakes, told) == (
        "certificate",  # the second handshake is verified like any other
        2,
        ["gateway.legacy_tls"],
    )


@pytest.mark.parametrize("legacy", [True, False])
async def test_legacy_tls_is_used_after_a_refusal_alone_and_told_once(
    tmp_path: Path, legacy: bool
) -> None:
    structlog.reset_defaults()
    async with (
        serving(answering(b"{}", "Connection: close"), self_signed(tmp_path)) as server,
        old_fashioned(server.url, refusals=1) as peer,
        GatewayClient(
            profile=SIM,
            platform="sim",
            base_url=peer.url,
            transport=connection(tmp_path, legacy=legacy),
        ) as gateway,
    ):
        with capture_logs() as lines:
            if not legacy:
                with pytest.raises(BrokenTransferError) as caught:
                    await search(gateway)
                assert (caught.value.reason, peer.handshakes) == ("unreachable", 1)
                return
            assert (await search(gateway)).body == b"{}"
            assert peer.handshakes == 2
            assert [line["event"] for line in lines] == ["gateway.legacy_tls", "gateway.reply"]
            assert (await search(gateway)).body == b"{}"
            assert peer.handshakes == 3, "strict first, each time"


async def test_a_server_that_was_seen_to_be_modern_is_not_asked_the_old_way_again(
    tmp_path: Path,
) -> None:
    async with (
        serving(answering(b"{}", "Connection: close"), self_signed(tmp_path)) as server,
        old_fashioned(server.url, refusals=0) as peer,
        GatewayClient(
            profile=SIM, platform="sim", base_url=peer.url, transport=connection(tmp_path)
        ) as gateway,
    ):
        assert (await search(gateway)).body == b"{}"
        peer.refusals = 1
        with pytest.raises(BrokenTransferError):
            await search(gateway)
        assert (peer.handshakes, peer.refusals) == (2, 0)
        assert (await search(gateway)).body == b"{}"


async def test_no_other_failure_of_tls_leads_to_the_old_way(tmp_path: Path) -> None:
    old = tls_context(legacy=True)
    async with (
        serving(answering(b"{}"), self_signed(tmp_path)) as server,
        GatewayClient(
            profile=SIM,
            platform="sim",
            base_url=server.url,
            transport=Connection(tls_context(legacy=False), legacy=old),
        ) as gateway,
    ):
        with pytest.raises(BrokenTransferError) as caught:
            await search(gateway)
        assert (caught.value.reason, server.connections) == ("certificate", 0)
