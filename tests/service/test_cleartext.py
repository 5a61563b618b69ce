"""Passwords and where they go: servers that ask for them over real sockets, and what they got."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.support.bareserver import self_signed

from m26 import redisclient
from m26.app.servers import Patience, store
from m26.config import Postgres, Redis
from m26.errors import OutageError, StorageError
from m26.publish.client import OUTAGES
from m26.store.connection import connect

pytestmark = pytest.mark.anyio
ELSEWHERE = "0.0.0.0"
"""It connects here, and is not spelled as this machine."""
SSL_REQUEST = struct.pack("!ii", 8, 80877103)


def asks(code: int, rest: bytes = b"") -> bytes:
    """PostgreSQL's message of authentication."""
    return b"R" + struct.pack("!ii", 8 + len(rest), code) + rest


class Rogue:
    """Listens as a PostgreSQL, says `replies` one after the other, and keeps what it is sent."""

    def __init__(self, *replies: bytes) -> None:
        self.replies, self.first, self.heard, self.port = replies, b"", b"", 0
        self.talks: set[asyncio.Task[None]] = set()

    def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.talks.add(asyncio.get_running_loop().create_task(self.talk(reader, writer)))

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError), closing(writer):
            first = await reader.read(4096)
            if first == SSL_REQUEST:
                writer.write(b"N")
                first = await reader.read(4096)
            self.first += first
            for reply in self.replies if first else ():
                writer.write(reply)
                await writer.drain()
                await asyncio.sleep(0.01)
            self.heard += await reader.read(4096)


@asynccontextmanager
async def listening(*replies: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[Rogue]:
    rogue = Rogue(*replies)
    async with await asyncio.start_server(rogue.answer, "127.0.0.1", 0, ssl=tls) as server:
        rogue.port = server.sockets[0].getsockname()[1]
        yield rogue
        server.close()
        await asyncio.gather(*rogue.talks)


async def failing(dsn: str) -> StorageError:
    """What is said of a database that cannot be used, as a run would."""
    given = Postgres.model_validate({"dsn": dsn}).dsn
    assert given is not None
    with pytest.raises(StorageError) as caught:
        async with store(given.get_secret_value(), patience=Patience(seconds=0.2, pause=0.1)):
            pytest.fail("it is no PostgreSQL")
    assert "CANARY" not in f"{caught.value}{caught.value.hint}"
    return caught.value


@pytest.mark.parametrize("mode", ["", "?sslmode=disable", "?sslmode=prefer", "?sslmode=allow"])
@pytest.mark.parametrize(
    "replies",
    [
        [asks(3)],
        [asks(3)[:1], asks(3)[1:7], asks(3)[7:]],
        [asks(0), asks(3)],  # the driver would answer until the server is ready
        [asks(0) + b"S" + struct.pack("!i", 8) + b"a\0b\0" + asks(3)],
    ],
    ids=["asked", "in pieces", "after it was let in", "behind a setting"],
)
async def test_a_password_asked_for_in_the_clear_is_not_sent(
    mode: str, replies: Sequence[bytes]
) -> None:
    async with listening(*replies) as rogue:
        error = await failing(f"postgresql://u:CANARY@{ELSEWHERE}:{rogue.port}/d{mode}")
    assert b"CANARY" not in rogue.heard
    assert not isinstance(error, OutageError), "it is not waited for"
    if mode:
        assert "asks for the password itself" in error.message
        assert "sslmode=verify-full" in error.hint
    else:
        assert "rejected SSL upgrade" in error.message
        assert "sslmode=disable" in error.hint


@pytest.mark.parametrize("source", ["environment", "passfile", "service"])
async def test_wherever_the_password_is_from(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(asks(3)) as rogue:
        dsn = f"postgresql://u@{ELSEWHERE}:{rogue.port}/d?sslmode=disable"
        file = tmp_path / "file"
        if source == "environment":
            monkeypatch.setenv("PGPASSWORD", "CANARY")
        elif source == "passfile":
            file.write_text("*:*:*:*:CANARY\n")
            file.chmod(0o600)
            dsn += f"&passfile={file}"
        else:
            file.write_text(
                f"[s]\nhost={ELSEWHERE}\nport={rogue.port}\nuser=u\npassword=CANARY\n"
                "sslmode=disable\n"
            )
            monkeypatch.setenv("PGSERVICEFILE", str(file))
            dsn = "postgresql:///d?service=s"
        error = await failing(dsn)
    assert b"CANARY" not in rogue.heard
    assert "asks for the password itself" in error.message


async def test_digests_and_passwords_to_this_machine_are_sent() -> None:
    async with listening(asks(5, b"salt")) as rogue:
        await failing(f"postgresql://u:CANARY@{ELSEWHERE}:{rogue.port}/d?sslmode=disable")
    assert rogue.heard.startswith(b"p\0\0\0(md5"), "a digest"
    async with listening(asks(3)) as rogue:
        await failing(f"postgresql://u:CANARY@127.0.0.1:{rogue.port}/d")
    assert b"CANARY" in rogue.heard, "to this machine"


async def test_a_certificate_that_nobody_trusts_gets_no_password(tmp_path: Path) -> None:
    async with listening(asks(3), tls=self_signed(tmp_path)) as rogue:
        error = await failing(
            f"postgresql://u:CANARY@{ELSEWHERE}:{rogue.port}/d?sslnegotiation=direct"
        )
        assert b"CANARY" not in rogue.heard
        assert not isinstance(error, OutageError)
        assert "sslrootcert=" in error.hint


@pytest.mark.parametrize(("asked", "is_sent"), [("", False), ("?ssl_cert_reqs=none", True)])
async def test_a_redis_elsewhere_gets_its_password_once_it_is_known(
    tmp_path: Path, asked: str, *, is_sent: bool
) -> None:
    async with listening(b"-ERR no\r\n", tls=self_signed(tmp_path)) as rogue:
        url = f"rediss://:CANARY@{ELSEWHERE}:{rogue.port}{asked}"
        given = Redis.model_validate({"url": url}).url
        assert given is not None
        async with redisclient.connect(given.get_secret_value()) as client:
            with pytest.raises(OUTAGES) as caught:
                await client.ping()
    assert (b"CANARY" in rogue.first) == is_sent
    assert "CANARY" not in str(caught.value)


async def test_a_database_without_tls_elsewhere_is_used_as_any_other(database: str) -> None:
    folder = parse_qs(urlsplit(database).query)["host"][0]
    socket = Path(folder) / ".s.PGSQL.5432"

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(socket)
        await asyncio.gather(carry(reader, up_writer), carry(up_reader, writer))

    async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(7):  # messages come in pieces
            target.write(data)
        target.close()

    talks: set[asyncio.Task[None]] = set()

    def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.get_running_loop().create_task(relay(reader, writer)))

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        parts = urlsplit(database)
        for mode in ("disable", "prefer"):
            pool = await connect(f"postgresql://m26@{ELSEWHERE}:{port}{parts.path}?sslmode={mode}")
            async with pool.acquire() as connection:
                await connection.execute("CREATE TEMP TABLE t (n int)")
                await connection.copy_records_to_table("t", records=[(n,) for n in range(99)])
                assert await connection.fetchval("SELECT count(*) FROM t") == 99
                with pytest.raises(TimeoutError):
                    await connection.execute("SELECT pg_sleep(60)", timeout=0.1)
                assert await connection.fetchval("SELECT 1") == 1
            await pool.close()
        await asyncio.gather(*talks)
