from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
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
