"""No secret shows: not one that the simulator handed out, nor one that the operator set."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from itertools import chain
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import asyncpg
import httpx
import pytest
import redis
from anyio.from_thread import BlockingPortal
from cryptography.fernet import Fernet
from tests.oracle import leaks, trial
from tests.support import product, servers
from tests.support.simulator import Simulator, simulator, until

from m26.embedded import postgres
from m26.embedded.valkey import Valkey

_MARKET = ("--size", "60", "--speed", "1440")
_TOKEN = "CANARY-WEB-TOKEN-5d70aa91c3"
_PASSWORDS = {"PostgreSQL": "CANARY/pg p@ss+w%rd", "Redis": "CANARY/redis p@ss+w%rd"}
_PATHS = ("/", "/healthz", "/readyz", "/metrics", "/api/v1/status", "/openapi.json")
_HANGING = """
import os, re, signal, sys

def hang(*_):
    token, dsn = os.environ["M26_WEB__TOKEN"], os.environ["M26_POSTGRES__DSN"]
    re.match("(a+)+b", "a" * 60 + token + dsn)

if __name__ == "__main__":
    os.umask(0o022)
    signal.signal(signal.SIGUSR1, hang)
    from m26.__main__ import main
    main()
"""
"""m26, which stands still when it is told to, among secrets; the other umask: test_surroundings."""


@contextmanager
def _postgres_with_a_password(portal: BlockingPortal, folder: Path) -> Iterator[str]:
    """DSN of a PostgreSQL that asks for one, with it."""
    password = _PASSWORDS["PostgreSQL"]
    with servers.postgres_server(portal, folder) as server:
        portal.call(_execute, server.dsn, f"ALTER ROLE m26 PASSWORD '{password}'")
        access = folder / "postgres" / "data" / "pg_hba.conf"
        access.write_text(f"local all m26 scram-sha-256\n{access.read_text()}")
        process = postgres.server(folder).process()
        assert process is not None
        os.kill(process.pid, signal.SIGHUP)
        until(lambda: _refuses(server.dsn))
        yield f"{server.dsn}&password={quote(password, safe='')}"


async def _execute(dsn: str, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()


def _refuses(dsn: str) -> bool:
    try:
        asyncio.run(_execute(dsn, "SELECT 1"))
    except asyncpg.InvalidPasswordError:
        return True
    return False


@contextmanager
def _redis_with_a_password(valkey: Valkey) -> Iterator[str]:
    """URL of a user of Redis who has one, with it."""
    password = _PASSWORDS["Redis"]
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
        client.acl_setuser(
            "canary",
            enabled=True,
            passwords=[f"+{password}"],
            categories=["+@all"],
            keys=["*"],
            channels=["*"],
        )
        try:
            path = urlsplit(valkey.url).path
            yield f"unix://{path}?username=canary&password={quote(password, safe='')}"
        finally:
            client.acl_deluser("canary")


@pytest.fixture
def home(
    portal: BlockingPortal, valkey: Valkey, tmp_path: Path
) -> Iterator[tuple[product.Home, Simulator]]:
    """A home with a secret in each place where an operator has some, and its upstream."""
    shipped = files("m26").joinpath("profiles/sim.toml").read_text("utf-8")
    own = {"client_id", "client_secret", "static_data", "key", "code_secret"}
    lines = shipped.splitlines()
    secret = [line for line in lines if line.split(" = ")[0] in own]
    assert len(secret) == len(own)
    profile = tmp_path / "shared.toml"
    profile.write_text("\n".join(line for line in lines if line not in secret))
    with (
        simulator(tmp_path / "sim", *_MARKET) as sim,
        _postgres_with_a_password(portal, tmp_path / "servers") as dsn,
        _redis_with_a_password(valkey) as url,
        product.home(
            tmp_path / "home",
            profile=profile,
            upstream__oauth_url=sim.url,
            upstream__base_url=sim.url,
            postgres__dsn=dsn,
            redis__url=url,
            web__token=_TOKEN,
            vault__key=Fernet.generate_key().decode(),
            log__level="debug",
            log__format="console",  # JSON lines are searched by the other oracle tests
            **{key.replace(".", "__"): value for key, value in product.LIVELY.items()},
        ) as made,
    ):
        (tmp_path / "hanging.py").write_text(_HANGING)
        made.variables |= {"PYTHONPATH": str(tmp_path), "M26_WATCHDOG": "3"}
        overlay = made.path / "profile.toml"
        overlay.touch(mode=0o600)
        overlay.write_text("\n".join(["[oauth]", *secret[:2], "[signing]", *secret[2:]]))
        made.m26("auth", "import", str(sim.folder / "capture.har"))
        yield made, sim


def test_no_secret_shows_in_logs_outputs_crashes_processes_files_or_stores(
    home: tuple[product.Home, Simulator],
) -> None:
    m26_home, sim = home
    printed: list[str] = []

    def m26(*arguments: str, code: int = 0) -> None:
        done = m26_home.m26(*arguments, code=code)
        printed.extend((done.stdout, done.stderr))

    with m26_home.running("--debug", program=("hanging", "run")) as run:
        run.grow(5)
        for fault in ("short_body", "timeout", "unauthorized"):
            sim.control(fault=fault, next=1)
        run.until(lambda: "token_rejected" in run.get("/metrics").text)
        run.grow(5)
        m26("auth", "rebuild", "--json", "--renew", "--debug")
        m26("doctor", "--json", "--debug")
        sim.control(fault="captcha", next=1)
        run.until(lambda: run.status["state"]["state"] == "stopped")
        seen = [*leaks.processes(run.process.pid), *_sessions(m26_home)]
        seen += [(path, run.get(path).content) for path in _PATHS]
        m26("status", "--json", code=1)
        run.until(lambda: run.status["journal"]["backlog"] == 0)
        run.process.send_signal(signal.SIGUSR1)
        assert run.process.wait(30) == -signal.SIGABRT
        assert " in hang" in m26_home.log.read_text()
    m26("auth", "status", "--bundles")
    m26("auth", "login", "--account", "main", "--redirect", _logged_in(m26_home, sim), "--debug")
    m26("resume")
    m26("auth", "login", "--account", "main", "--redirect", "CANARY-NO-CODE", "--debug", code=4)
    m26("config", "show", "--origin")
    _crashes(m26_home, sim, m26)
    said = "\n".join(printed)
    m26_home.path.with_name("home.printed").write_text(said)
    trial.hold(sim.folder / "ledger.db", m26_home)
    _, held = asyncio.run(trial.stores(m26_home))
    places = [*seen, *held.items(), *_files(m26_home), ("printed", said.encode())]
    trial.require(leaks.judge_leaks([*sim.secrets(), *_set_by_the_operator(m26_home)], places))
    assert leaks.exposed(m26_home.path) == {}
    assert "Traceback" in said, "a crash is to be among what was searched"
    assert list(m26_home.path.parent.glob("core*")) == []


def _set_by_the_operator(home: product.Home) -> list[str]:
    """What stands in settings, as it is and as addresses spell it."""
    given = [_TOKEN, str(home.settings["vault.key"]), *_PASSWORDS.values()]
    return [form for secret in given for form in (secret, quote(secret), quote(secret, safe=""))]


def _files(home: product.Home) -> Iterator[tuple[str, bytes]]:
    folder = home.path.parent
    logs = chain(folder.glob("home.*"), folder.glob("servers/*/server.log"))
    printed = ((path.name, path.read_bytes()) for path in logs)
    return chain(leaks.files(home.path, but=["profile.toml"]), printed)


def _sessions(home: product.Home) -> Iterator[tuple[str, bytes]]:
    """What the servers show of who is connected."""
    dsn, url = (str(home.settings[key]) for key in ("postgres.dsn", "redis.url"))
    for row in asyncio.run(_execute(dsn, "SELECT a::text FROM pg_stat_activity a")):
        yield "pg_stat_activity", row[0].encode()
    with redis.Redis.from_url(url) as client:
        yield "CLIENT LIST", repr(client.client_list()).encode()


def _logged_in(home: product.Home, sim: Simulator) -> str:
    """Where a browser ends up after the operator's login."""
    address = home.m26("auth", "login", "--account", "main", "--print-url").stdout.strip()
    url = next(word for word in address.split() if word.startswith("http"))
    reply = httpx.get(url, follow_redirects=False, trust_env=False)
    assert reply.status_code == 302, reply.text
    target = reply.headers["location"]
    assert dict(parse_qsl(urlsplit(target).query))["code"]
    return str(target)


def _crashes(home: product.Home, sim: Simulator, m26: object) -> None:
    assert callable(m26)
    capture = (sim.folder / "capture.har").read_bytes()
    broken = home.path.parent / "broken.har"
    broken.write_bytes(capture[: len(capture) // 2])
    m26("auth", "import", str(broken), "--debug")
    damaged = home.path.parent / "damaged.har"
    damaged.write_bytes(b"[" + capture)
    m26("auth", "import", str(damaged), "--debug", code=2)
    vault = (home.path / "vault.bin").read_bytes()
    (home.path / "vault.bin").write_bytes(vault[: len(vault) // 2])
    m26("auth", "status", "--debug", code=4)
    m26("run", "--for", "1s", "--debug", code=4)
    (home.path / "vault.bin").write_bytes(vault)
    dsn = home.settings["postgres.dsn"]
    home.settings["postgres.dsn"] = f"{dsn}wrong"
    m26("db", "status", "--debug", code=6)
    home.settings["postgres.dsn"] = dsn
