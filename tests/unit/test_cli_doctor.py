from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support import ports

from m26.cli import server_checks
from m26.config import load
from m26.home.lock import HomeLock
from m26.home.runfile import announced
from m26.home.stops import Stop, write_stop

Command = Callable[..., Any]


@pytest.fixture
def doctor(m26: Command, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], dict[str, Any]]]:
    """Runs it on a free port; gives the lines by name, and the exit code as ``code``."""

    def run() -> dict[str, Any]:
        result = m26("doctor", "--json")
        lines = {check["name"]: check for check in result.json["checks"]}
        assert result.code == any(line["result"] == "fail" for line in lines.values())
        assert "CANARY" not in result.out + result.err
        return lines

    with ports.reserved() as port:
        monkeypatch.setenv("M26_WEB__PORT", str(port))
        yield run


def failing(lines: dict[str, Any]) -> list[str]:
    return [name for name, line in lines.items() if line["result"] == "fail"]


def test_on_a_sound_home_nothing_fails(doctor: Any, m26: Command, home: Path) -> None:
    lines = doctor()
    assert failing(lines) == []
    assert lines.keys() == {
        "config", "python", "packages", "native module", "clock", "disk", "home", "collector",
        "stop", "vault", "captures", "upstream", "port", "PostgreSQL", "Redis", "schema",
    }  # fmt: skip
    assert list(home.iterdir()) == [], "a doctor leaves nothing behind"
    text = m26("doctor")
    assert text.code == 0
    assert len(text.out.splitlines()) >= len(lines)


def test_a_bad_setting_is_the_one_line(doctor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("M26_WEB__PORT", "CANARY")
    lines = doctor()
    assert list(lines) == ["config"]
    assert "M26_WEB__PORT" in lines["config"]["fix"]


def test_a_taken_port(doctor: Any, m26: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setenv("M26_WEB__PORT", str(other.getsockname()[1]))
        lines = doctor()
        text = m26("doctor")
    assert failing(lines) == ["port"]
    assert "M26_WEB__PORT" in lines["port"]["fix"]
    assert text.code == 1
    assert "fix: Set M26_WEB__PORT" in text.out


def test_an_address_of_another_machine_is_no_matter_of_the_port(
    doctor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("M26_WEB__HOST", "192.0.2.1")
    monkeypatch.setenv("M26_WEB__TOKEN", "CANARY-token-of-nobody")
    fix = doctor()["port"]["fix"]
    assert "M26_WEB__HOST" in fix
    assert "M26_WEB__PORT" not in fix


def test_the_port_of_the_running_m26_is_not_taken(
    doctor: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as ours:
        port = ours.getsockname()[1]
        monkeypatch.setenv("M26_WEB__PORT", str(port))
        with announced(home, url=f"http://127.0.0.1:{port}"), HomeLock.acquire(home):
            lines = doctor()
    assert failing(lines) == []
    assert "runs: pid" in lines["collector"]["found"]


@pytest.mark.parametrize("token", ["", "CANARY-0123456789ab"])
def test_an_open_address_without_a_token_that_nobody_guesses(
    doctor: Any, m26: Command, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("M26_WEB__HOST", "0.0.0.0")
    monkeypatch.setenv("M26_WEB__TOKEN", token)
    lines = doctor()
    assert failing(lines) == ["port"]
    assert "M26_WEB__TOKEN" in lines["port"]["fix"]
    assert "openssl rand -hex 24" in lines["port"]["fix"]
    run = m26("run", "--for", "1s")
    assert run.code == 3
    assert "CANARY" not in run.err


@pytest.mark.parametrize(
    ("variable", "address", "result", "told"),
    [
        ("M26_POSTGRES__DSN", "postgresql://u@{}/d", "ok", "certificate and name are checked"),
        ("M26_POSTGRES__DSN", "postgresql://u@{}/d?sslmode=verify-ca", "warn", "its name is not"),
        ("M26_POSTGRES__DSN", "postgresql://u@{}/d?sslmode=require", "warn", "to whoever answers"),
        ("M26_POSTGRES__DSN", "postgresql://u@{}/d?sslmode=prefer", "warn", "only if"),
        ("M26_POSTGRES__DSN", "postgresql://u@{}/d?sslmode=disable", "warn", "not encrypted"),
        ("M26_REDIS__URL", "rediss://{}", "ok", "certificate and name are checked"),
        ("M26_REDIS__URL", "rediss://{}?ssl_check_hostname=no", "warn", "its name is not"),
        ("M26_REDIS__URL", "rediss://{}?ssl_cert_reqs=none", "warn", "to whoever answers"),
        ("M26_REDIS__URL", "redis://{}?tls=off", "warn", "not encrypted"),
    ],
)
def test_it_is_said_what_is_encrypted_on_the_way_to_another_machine(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    address: str,
    result: str,
    told: str,
) -> None:
    monkeypatch.setenv("HOME", str(home))  # no authority of the operator's own
    check = server_checks.redis if "REDIS" in variable else server_checks.postgres
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv(variable, address.format(f"0.0.0.0:{port}"))
        found = check(load())
        assert (found.result, bool(found.fix)) == (result, result == "warn")
        assert told in found.found
        monkeypatch.setenv(variable, address.format(f"127.0.0.1:{port}").partition("?")[0])
        assert check(load()).found.endswith("; on this machine")


def test_a_lock_that_another_copy_holds(doctor: Any, home: Path) -> None:
    with HomeLock.acquire(home):
        lines = doctor()
    assert failing(lines) == ["collector"]
    assert "another m26" in lines["collector"]["found"]
    assert failing(doctor()) == []


def test_a_stop(doctor: Any, home: Path) -> None:
    stop = Stop(reason="captcha", message="asked", advice="Solve it.", since=1.0, account="a")
    write_stop(home, stop)
    lines = doctor()
    assert failing(lines) == ["stop"]
    assert lines["stop"]["fix"] == "Solve it. Then run: m26 resume"
    write_stop(home, replace(stop, reason="login_again", account="b", scope="account"))
    assert doctor()["stop"]["found"] == "captcha: asked (a); login_again: asked (b)"


def test_a_secret_that_others_can_read(doctor: Any, home: Path) -> None:
    key = home / "vault.key"
    key.touch(mode=0o644)
    assert failing(doctor()) == [], "nobody else enters a 0700 folder"
    home.chmod(0o755)
    lines = doctor()
    assert failing(lines) == ["home"]
    assert lines["home"]["fix"] == f"chmod -R go-rwx {key}"
    key.chmod(0o600)
    assert failing(doctor()) == []


@pytest.mark.parametrize(
    ("name", "url", "line"),
    [
        ("M26_POSTGRES__DSN", "postgresql://u:CANARY@127.0.0.1:9/m26", "PostgreSQL"),
        ("M26_POSTGRES__DSN", "postgresql://u:CANARY@/m26?host=/nowhere&port=5", "PostgreSQL"),
        ("M26_POSTGRES__DSN", "postgresql://u:CANARY@no-such.invalid/m26", "PostgreSQL"),
        ("M26_REDIS__URL", "redis://:CANARY@127.0.0.1:9/0", "Redis"),
        ("M26_REDIS__URL", "unix:///nowhere/valkey.sock?password=CANARY", "Redis"),
    ],
)
def test_a_server_that_does_not_answer(
    doctor: Any, monkeypatch: pytest.MonkeyPatch, name: str, url: str, line: str
) -> None:
    monkeypatch.setenv("M26_PROFILE", "sim")
    monkeypatch.setenv(name, url)
    lines = doctor()
    assert failing(lines) == [line]
    assert name in lines[line]["fix"]
    assert "not looked at" in lines["schema"]["found"]


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("postgresql://u:CANARY@127.0.0.1:9,127.0.0.1:8/m26", "127.0.0.1 port 9"),
        ("postgresql://u:CANARY@%2FNo%2FWhere/m26", "/No/Where/.s.PGSQL.5432"),
        ("postgresql://u:CANARY@[::1]:9/m26", "::1 port 9"),
        ("host=127.0.0.1 port=9 password=CANARY", "127.0.0.1 port 9"),
    ],
)
def test_a_server_is_looked_for_where_its_address_says(
    doctor: Any, monkeypatch: pytest.MonkeyPatch, url: str, where: str
) -> None:
    monkeypatch.setenv("M26_PROFILE", "sim")
    monkeypatch.setenv("M26_POSTGRES__DSN", url)
    lines = doctor()
    assert lines.get("PostgreSQL", lines["config"])["found"].startswith(
        f"nothing answers at {where}: "
    )


def test_a_server_that_answers(doctor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("M26_PROFILE", "sim")
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("M26_REDIS__URL", f"redis://127.0.0.1:{server.getsockname()[1]}")
        assert failing(doctor()) == []


def test_servers_of_one_s_own_without_an_account(
    doctor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("M26_REDIS__URL", f"redis://127.0.0.1:{server.getsockname()[1]}")
        lines = doctor()
    assert failing(lines) == ["vault"]
    assert lines["vault"]["fix"].startswith("m26 auth import")


def test_a_folder_without_postgres(
    doctor: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("M26_PG_BIN", str(home))
    lines = doctor()
    assert failing(lines) == ["PostgreSQL"]
    assert "M26_PG_BIN" in lines["PostgreSQL"]["found"] + lines["PostgreSQL"]["fix"]


def test_little_space_for_the_journal(doctor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("M26_JOURNAL__KEEP_BYTES", f"{2**20}GiB")
    lines = doctor()
    assert lines["disk"]["result"] == "warn"
    assert "M26_JOURNAL__KEEP_BYTES" in lines["disk"]["fix"]
