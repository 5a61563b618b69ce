"""Addresses as the consoles of clouds print them: taken, or refused by name at once."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.support.bareserver import self_signed

from m26.app.servers import Patience, store
from m26.config import load
from m26.errors import ConfigError, OutageError, StorageError

SYSTEM = __file__
"""In place of the file of the system's certificates."""
ROOT = quote(SYSTEM)
VERIFIED = f"sslmode=verify-full&sslrootcert={ROOT}"
POSTGRES = [
    # Neon, Supabase, Heroku, Render, DigitalOcean
    ("postgresql://u:CANARY@x.neon.tech/d?sslmode=require&channel_binding=require",
     "postgresql://u:CANARY@x.neon.tech/d?sslmode=require"),
    ("postgres://postgres.ref:CANARY@x.supabase.com:6543/postgres?pgbouncer=true&connection_limit=1",
     f"postgres://postgres.ref:CANARY@x.supabase.com:6543/postgres?{VERIFIED}"),
    ("postgres://u:CANARY@ec2.example:5432/d?ssl=true", "postgres://u:CANARY@ec2.example:5432/d?sslmode=require"),
    ("postgresql://u:CANARY@h:25060/defaultdb?sslmode=require&connect_timeout=10&keepalives=1&keepalives_idle=30",
     "postgresql://u:CANARY@h:25060/defaultdb?sslmode=require"),
    ("postgresql://u:CANARY@h/d?gssencmode=disable&sslcompression=0&application_name=a&target_session_attrs=any",
     f"postgresql://u:CANARY@h/d?target_session_attrs=any&{VERIFIED}"),
    # CockroachDB, Azure, Google
    ("postgresql://u:CANARY@h:26257/d?sslmode=verify-full&sslrootcert=system&options=--cluster%3Dx-1",
     f"postgresql://u:CANARY@h:26257/d?sslmode=verify-full&sslrootcert={ROOT}&options=--cluster%3Dx-1"),
    ("postgres://u@server:CANARY@server.azure.example/d", f"postgres://u%40server:CANARY@server.azure.example/d?{VERIFIED}"),
    ("postgresql://u:CANARY@/d?host=/cloudsql/project:region:place", "postgresql://u:CANARY@/d?host=/cloudsql/project:region:place"),
    # a password that nobody escaped, or in another place
    ("postgres://u:CAN#A@R:Y@h/d", f"postgres://u:CAN%23A%40R%3AY@h/d?{VERIFIED}"),
    ("postgres://u:[CANARY]@h/d\n", f"postgres://u:%5BCANARY%5D@h/d?{VERIFIED}"),
    ("postgres://h/d?user=u@x&password=CAN+ARY", f"postgres://u%40x:CAN%2BARY@h/d?{VERIFIED}"),
    # libpq's other form
    ("host=h port=5433 dbname=d user=u password='CAN \\'@/ARY' sslmode=require connect_timeout=9",
     "postgresql://u:CAN%20%27%40%2FARY@h:5433/d?sslmode=require"),
    # another machine is verified unless the address says otherwise; this one is as before
    ("postgres://u:CANARY@h/d?sslmode=prefer", "postgres://u:CANARY@h/d?sslmode=prefer"),
    ("postgres://u:CANARY@h/d?ssl=false", "postgres://u:CANARY@h/d?sslmode=disable"),
    (f"postgres://u:CANARY@h/d?sslrootcert={ROOT}", f"postgres://u:CANARY@h/d?sslrootcert={ROOT}&sslmode=verify-full"),
    ("postgres://u:CANARY@h/d?sslmode=verify-full", f"postgres://u:CANARY@h/d?{VERIFIED}"),
    ("postgres://u:CANARY@localhost,h/d", f"postgres://u:CANARY@localhost,h/d?{VERIFIED}"),
    ("postgres:///d?host=localhost,h&password=CANARY", f"postgres://:CANARY@/d?host=localhost,h&{VERIFIED}"),
    ("postgres://u:CANARY@127.0.0.1.example/d", f"postgres://u:CANARY@127.0.0.1.example/d?{VERIFIED}"),
    ("postgres://u:CANARY@127.8.9.1,localhost:5433/d", "postgres://u:CANARY@127.8.9.1,localhost:5433/d"),
    ("postgres://u:CANARY@%2Frun%2Fpostgresql/d", "postgres://u:CANARY@%2Frun%2Fpostgresql/d"),
    ("host=/run/postgresql dbname = m26", "postgresql:///m26?host=/run/postgresql"),
    ("host=::1 dbname=d", "postgresql://[::1]/d"),
]  # fmt: skip
REDIS = [
    ("rediss://default:CAN@ARY@x.upstash.io:6379", "rediss://default:CAN%40ARY@x.upstash.io:6379"),
    ("redis://default:CAN#ARY@h:6379/0?tls=off", "redis://default:CAN%23ARY@h:6379/0"),
    ("redis://:CANARY@localhost:6379?family=0&socket_timeout=300", "redis://:CANARY@localhost:6379"),
    ("redis://:CANARY@h:6379?decode_responses=no&tls=true", "rediss://:CANARY@h:6379"),
    ("rediss://:CANARY@h?ssl_cert_reqs=CERT_NONE", "rediss://:CANARY@h?ssl_cert_reqs=none"),
    ("unix:///run/redis@main.sock?db=1&password=CANARY", "unix://:CANARY@/run/redis@main.sock?db=1"),
]  # fmt: skip


@pytest.mark.parametrize(("printed", "taken"), POSTGRES)
def test_a_dsn_as_a_console_prints_it_is_taken(
    monkeypatch: pytest.MonkeyPatch, printed: str, taken: str
) -> None:
    monkeypatch.setenv("M26_POSTGRES__DSN", printed)
    assert tried("postgres") == taken


@pytest.mark.parametrize(("printed", "taken"), REDIS)
def test_a_url_of_redis_as_a_console_prints_it_is_taken(
    monkeypatch: pytest.MonkeyPatch, printed: str, taken: str
) -> None:
    monkeypatch.setenv("M26_REDIS__URL", printed)
    assert tried("redis") == taken


@pytest.fixture(autouse=True)
def certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", SYSTEM)
    monkeypatch.setenv("HOME", "/nowhere")


@pytest.mark.parametrize(
    ("variable", "value", "taken"),
    [
        ("PGHOST", "db.example", f"postgresql://db.example/d?{VERIFIED}"),
        ("PGHOST", "/run/postgresql", "postgresql:///d?host=/run/postgresql"),
        ("PGSSLMODE", "disable", "postgresql:///d"),
        ("PGSERVICE", "far", f"postgresql://u:CANARY@db.example:5433/d?{VERIFIED}"),
        ("PGSERVICE", "near", "postgresql:///d?host=/run/postgresql"),
        ("PGSERVICE", "open", "postgresql://db.example/d?sslmode=prefer"),
    ],
)
def test_a_host_of_the_surroundings_is_another_machine_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, value: str, taken: str
) -> None:
    file = tmp_path / "services"
    file.write_text(
        "[far]\nhost=db.example\nport=5433\nuser=u\npassword=CANARY\ndbname=other\n"
        "[near]\nhost=/run/postgresql\n[open]\nhost=db.example\nsslmode=prefer\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    monkeypatch.setenv(variable, value)
    monkeypatch.setenv("M26_POSTGRES__DSN", "postgresql:///d")
    assert tried("postgres") == taken


def tried(what: str) -> str:
    """The address as it is used, or the error in its place."""
    try:
        settings = load().settings
    except ConfigError as error:
        return error.message
    secret = settings.postgres.dsn if what == "postgres" else settings.redis.url
    return secret.get_secret_value() if secret else ""


@pytest.mark.parametrize(
    ("name", "url", "told"),
    [
        ("M26_POSTGRES__DSN", "postgresql://u:CAN/ARY@h/d", "/ as %2F"),
        ("M26_POSTGRES__DSN", "postgresql://u:CAN?ARY@h/d", r"\? as %3F"),
        ("M26_POSTGRES__DSN", "postgresql://u:C@NARY/x@h/d", "@ as %40"),
        ("M26_POSTGRES__DSN", "postgresql://u:C@N?CANARY=1@h/d", "percent-encoded"),
        ("M26_POSTGRES__DSN", "postgresql://u:1?CANARY@h/d", "percent-encoded"),
        ("M26_POSTGRES__DSN", "postgresql://u:p@h/d?password=CA&CANARY", "& as %26"),
        ("M26_POSTGRES__DSN", "postgresql://u:CANARY@h\u2100/d", "form host:port"),
        ("M26_POSTGRES__DSN", "postgresql://u:CANARY@h/d?passwd=CANARY", "parameter passwd"),
        ("M26_POSTGRES__DSN", "postgresql://u:CANARY@h/d?require_auth=md5", "require_auth"),
        ("M26_POSTGRES__DSN", "postgresql://u:CANARY@h/d?statement_timeout=9", "options=-c%20"),
        ("M26_POSTGRES__DSN", "postgresql://u:CANARY@h/d?gssencmode=require", "gssencmode"),
        (
            "M26_POSTGRES__DSN",
            "postgresql://u:CANARY@h/d?sslmode=verify-ca&sslrootcert=/nowhere/ca.pem",
            "parameter sslrootcert cannot be read: /nowhere/ca.pem",
        ),
        ("M26_POSTGRES__DSN", "host=h hostaddr=10.0.0.1 password=CANARY", "parameter hostaddr"),
        ("M26_POSTGRES__DSN", "host=h password=CAN ARY", "write it as postgresql://user"),
        ("M26_POSTGRES__DSN", "jdbc:postgresql://h/d?password=CANARY", "begins with postgresql://"),
        ("M26_POSTGRES__DSN", "psql 'postgresql://u:CANARY@h/d'", "begins with postgresql://"),
        ("M26_REDIS__URL", "redis://default:p@CANARY/..@host", "percent-encoded"),
        ("M26_REDIS__URL", "redis://default:CAN/ARY@host:6379", "/ as %2F"),
        ("M26_REDIS__URL", "redis://:CANARY@h?foo=1", "parameter foo"),
        ("M26_REDIS__URL", "redis://:CANARY@h:6379", "rediss://, or add tls=off"),
        ("M26_REDIS__URL", "redis://127.1:6379/0", "rediss://, or add tls=off"),
        ("M26_POSTGRES__DSN", "postgresql:///d?service=CANARY", "service is not in"),
        ("M26_REDIS__URL", "redis://:CANARY@h/main", "number, that of the database"),
        ("M26_REDIS__URL", "redis://:CANARY@h?ssl_cert_reqs=none", "rediss://"),
        ("M26_REDIS__URL", "rediss://:CANARY@h?ssl_cert_reqs=never", "none, optional or required"),
        ("M26_REDIS__URL", "redis-cli --tls -u redis://:CANARY@h", "begins with redis://"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_what_to_write_and_without_the_password(
    m26: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, name: str, url: str, told: str
) -> None:
    monkeypatch.setenv(name, url)
    with pytest.raises(ConfigError, match=told):
        load()
    done = m26("db", "status")
    assert done.code == 3
    assert "CANARY" not in done.err.replace("=CANARY", "")
    assert "ARY@" not in done.err
    assert name in done.err


@asynccontextmanager
async def answering(reply: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of what answers a first message as a PostgreSQL or a pooler does, and hangs up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(reply)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]


async def failing(port: int, asked: str) -> StorageError:
    dsn = f"postgresql://u:CANARY@127.0.0.1:{port}/d?{asked}"
    with pytest.raises(StorageError) as caught:
        async with store(dsn, patience=Patience(seconds=0.1, pause=0.05)):
            pytest.fail("it is no PostgreSQL")
    assert "CANARY" not in f"{caught.value}{caught.value.hint}"
    return caught.value


def refusal(code: str, text: str) -> bytes:
    """PostgreSQL's message of an error."""
    fields = b"".join(
        kind + value.encode() + b"\0"
        for kind, value in ((b"S", "FATAL"), (b"C", code), (b"M", text))
    )
    return b"E" + (len(fields) + 5).to_bytes(4, "big") + fields + b"\0"


@pytest.mark.anyio
async def test_a_server_that_will_never_fit_is_not_waited_for(tmp_path: Path) -> None:
    async with answering(b"N") as port:
        error = await failing(port, "sslmode=require")
        assert not isinstance(error, OutageError), "a server without TLS"
    (tmp_path / "others").mkdir()
    self_signed(tmp_path / "others")
    trusted = f"sslmode=verify-full&sslrootcert={tmp_path}/others/server.pem"
    async with answering(b"", self_signed(tmp_path)) as port:
        error = await failing(port, f"sslnegotiation=direct&{trusted}")
        assert not isinstance(error, OutageError), "a certificate that nobody trusts"
        assert "certificate" in error.message
    (tmp_path / "ca.pem").write_text("no certificate")
    error = await failing(1, f"sslmode=verify-ca&sslrootcert={tmp_path / 'ca.pem'}")
    assert not isinstance(error, OutageError), "a file that holds no certificate"
    pooler = refusal("08P01", "unsupported startup parameter: options")
    async with answering(pooler) as port:
        error = await failing(port, "sslmode=disable&options=--cluster%3Dx")
        assert not isinstance(error, OutageError), "a pooler that passes no options on"
        assert "unsupported startup parameter: options" in error.message


@pytest.mark.anyio
async def test_a_server_that_is_only_away_is_waited_for() -> None:
    for reply in (refusal("57P03", "starting up"), refusal("08P01", "server login failed"), b""):
        async with answering(reply) as port:
            assert isinstance(await failing(port, "sslmode=disable"), OutageError)
    assert isinstance(await failing(1, "sslmode=require"), OutageError)
