"""What others give and goes out again: a profile, a token or login answer in, requests out."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import h11
import httpx
import orjson

from m26.auth.credentials import Credentials, Ticket, Tokens, dump
from m26.errors import ConfigError
from m26.upstream.answers import LoginAnswer, TokenAnswer, read_login, read_tokens
from m26.upstream.client import GatewayClient
from m26.upstream.commands import refresh_form
from m26.upstream.profile import Command, Profile
from m26.upstream.replies import Reply
from m26.upstream.secret import Secret
from m26.upstream.signing import MessageAuth

_NO_DIGITS = str.maketrans("", "", "0123456789")
_SIM = Profile.load("sim")
_KEY = Secret("CANARY-KEY")
_SIGNED = MessageAuth("CANARY-CODE", "CANARY-DATA", 1)
_OTHER = Command(1, "x")
_MONTH = 30 * 86_400


def memory() -> str | None:
    """A folder of files that never reach a disk; None where there is none."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def profile(data: bytes) -> object:
    """A profile of any bytes: requests can be made of it, or it is an error for people."""
    with tempfile.NamedTemporaryFile(dir=memory(), suffix=".toml") as file:
        file.write(data)
        file.flush()
        try:
            made = Profile.load(file.name)
            sent = asyncio.run(_sent(made))
        except ConfigError as error:
            said = error.message.replace(file.name, "")
            return " ".join(said.translate(_NO_DIGITS).split()[:6])
    assert 0 < made.budget.per_day <= 10**6
    assert made.product_name(made.platforms[0])
    return len(made.commands), made.year.bit_length(), sent


def answer(data: bytes) -> object:
    """A token and a login answer of any bytes: what is kept of it can be sent, and kept again."""
    reply = Reply(status=200, content_type="", body=data, fetched_at=0, seconds=0.1)
    tokens, login = read_tokens(reply), read_login(reply)
    kinds = getattr(tokens, "reason", "tokens"), getattr(login, "reason", "session")
    pair = ticket = None
    if isinstance(tokens, TokenAnswer):
        assert 0 < tokens.expires_in <= _MONTH
        access, refresh, end = tokens.access_token, tokens.refresh_token, tokens.expires_in
        pair = Tokens(access=access, refresh=refresh, expires_at=end, obtained_at=0)
    if isinstance(login, LoginAnswer):
        key, persona = login.session_key, login.blaze_id
        ticket = Ticket(session_key=key, blaze_id=persona, obtained_at=0)
    if pair or ticket:
        held = Credentials(platform="sim", tokens=pair, ticket=ticket)
        assert Credentials.from_json(orjson.loads(dump(held))) == held
        key = ticket.session_key if ticket else _KEY
        access = pair.access if pair else _KEY
        asyncio.run(_sent(_SIM, key, access, (pair.refresh if pair else None) or _KEY))
    return kinds, pair is not None and pair.refresh is not None


async def _sent(
    made: Profile, key: Secret = _KEY, access: Secret = _KEY, refresh: Secret = _KEY
) -> int:
    """Bytes of the three calls, as HTTP lets them out."""
    out = bytearray()

    def carry(request: httpx.Request) -> httpx.Response:
        head = h11.Request(
            method=request.method, target=request.url.raw_path, headers=request.headers.raw
        )
        out.extend(h11.Connection(h11.CLIENT).send(head) or b"")
        return httpx.Response(200, stream=httpx.ByteStream(b"{}"))

    platform, transport = made.platforms[0], httpx.MockTransport(carry)
    async with GatewayClient(profile=made, platform=platform, transport=transport) as client:
        form = refresh_form(made, client_id=_KEY, client_secret=_KEY, refresh_token=refresh)
        await client.token(form)
        await client.login(access)
        await client.process(
            session_key=key,
            command=next(iter(made.commands.values()), _OTHER),
            payload="{}",
            signature=_SIGNED,
            device_id=_KEY,
            server_time=1.79e9,
        )
    assert out.count(b"\r\n\r\n") == 3
    return len(out).bit_length()
