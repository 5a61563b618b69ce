"""``m26 embedded`` as an operator runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from m26.embedded import postgres, valkey

LIBPQ = {
    "PGHOST": "nowhere.invalid",
    "PGSERVICE": "nowhere",
    "PGOPTIONS": "-c search_path=elsewhere",
    "PGTARGETSESSIONATTRS": "standby",
    "PGSSLMODE": "verify-full",
    "PGKRBSRVNAME": "",
    "PGPORT": "none",
}


def m26(home: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "m26", "embedded", *arguments],
        env={**os.environ, "M26_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        **options,
    )


def status(home: Path) -> list[dict[str, Any]]:
    done = m26(home, "status", "--json")
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)["items"]
    return rows


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for the tests of this file, which leave nothing running."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def started(home: Path) -> Iterator[subprocess.Popen[str]]:
    """``m26 embedded start`` whose servers are up."""
    command = [sys.executable, "-m", "m26", "embedded", "start", "--json", "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        urls = json.loads(process.stdout.readline())
        assert urls["postgres"].startswith("postgresql:///m26?host=/")
        assert urls["redis"].startswith("unix:///")
        yield process
        process.kill()
    for server in (postgres.server(home), valkey.server(home)):
        if left := server.process():
            os.kill(left.pid, signal.SIGKILL)


def test_status_of_an_empty_home_makes_nothing(tmp_path: Path) -> None:
    rows = status(tmp_path / "nowhere")
    assert [row["name"] for row in rows] == ["PostgreSQL", "Valkey"]
    assert not any(row["running"] for row in rows)
    assert not (tmp_path / "nowhere").exists()


def test_psql_starts_the_server_for_its_own_time_and_gives_its_exit_code(home: Path) -> None:
    done = m26(home, "psql", "-tAc", "SELECT current_database()")
    assert (done.returncode, done.stdout, done.stderr) == (0, "m26\n", "")
    done = m26(home, "psql", "-v", "ON_ERROR_STOP=1", input="SELECT nonsense;")
    assert done.returncode == 3
    assert "nonsense" in done.stderr
    assert not any(row["running"] for row in status(home))


def test_psql_does_not_hear_of_the_servers_of_the_users_shell(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in LIBPQ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("M26_WEB__TOKEN", "CANARY-token")
    done = m26(home, "psql", "-tA", input="SHOW search_path;\n\\! env | grep -c ^M26_\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, '"$user", public\n0\n', "")


@pytest.mark.parametrize("line", ["db status", "embedded psql -c 'TABLE pg_class'"])
def test_a_reader_that_goes_away_ends_what_asks_the_servers_with_0(home: Path, line: str) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'{{ "$0" -m m26 {line}; echo $? >&2; }} | :', sys.executable],
        env={**os.environ, "M26_HOME": str(home), "M26_LOG__LEVEL": "error"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == "0\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("command", ["tail", "embedded psql"])
def test_a_command_that_a_signal_ends_stops_the_servers_that_it_started(
    home: Path, command: str, number: signal.Signals
) -> None:
    arguments = [sys.executable, "-m", "m26", *command.split(), "--home", str(home)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        server = postgres.server(home)
        while not (server.data.exists() and anyio.run(server.answers)):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(timeout=30) == 128 + number
    assert not any(row["running"] for row in status(home))


def test_a_signal_that_was_ignored_from_the_start_stays_ignored(home: Path) -> None:
    command = [sys.executable, "-m", "m26", "embedded", "start", "--home", str(home)]
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.3)
        process.terminate()
        assert process.wait(timeout=30) == 143


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_start_keeps_both_until_a_signal(
    home: Path, started: subprocess.Popen[str], number: signal.Signals
) -> None:
    database, cache = status(home)
    assert database["running"]
    assert cache["running"]
    assert database["owner_pid"] == cache["owner_pid"] == started.pid
    assert database["version"].split(".")[0].isdigit()
    assert database["data_bytes"] > 2**20
    assert Path(database["socket_folder"], ".s.PGSQL.5432").is_socket()
    assert str(database["pid"]) in m26(home, "status").stdout
    started.send_signal(number)
    assert started.wait(timeout=30) == 128 + number
    assert not any(row["running"] for row in status(home))


def test_psql_attaches_to_a_running_server(home: Path, started: subprocess.Popen[str]) -> None:
    before = status(home)
    assert m26(home, "psql", "-tAc", "SELECT 1").stdout == "1\n"
    assert [row["pid"] for row in status(home)] == [row["pid"] for row in before]


def test_stop_leaves_the_servers_of_a_living_command_and_says_whose_they_are(
    home: Path, started: subprocess.Popen[str]
) -> None:
    done = m26(home, "stop")
    assert done.returncode == 6
    assert f"pid {started.pid}" in done.stderr
    assert all(row["running"] for row in status(home))


def test_a_second_start_says_who_stops_the_servers(
    home: Path, started: subprocess.Popen[str]
) -> None:
    command = [sys.executable, "-m", "m26", "embedded", "start", "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as second:
        assert second.stdout is not None
        told = "".join(second.stdout.readline() for _ in range(5))
        for name in ("PostgreSQL", "Valkey"):
            assert f"{name} is stopped by the m26 of pid {started.pid}" in told
        assert "Ctrl-C stops neither" in told
        second.send_signal(signal.SIGINT)
        assert second.wait(timeout=30) == 130
    assert all(row["running"] and row["owner_pid"] == started.pid for row in status(home))


def test_stop_stops_what_a_killed_command_left_running(
    home: Path, started: subprocess.Popen[str]
) -> None:
    started.kill()
    started.wait()
    before = status(home)
    assert all(row["running"] and row["owner_pid"] is None for row in before)
    done = m26(home, "stop", "--json")
    assert json.loads(done.stdout)["items"] == [
        {"name": r["name"], "pid": r["pid"]} for r in before
    ]
    assert not any(row["running"] for row in status(home))
    assert "PostgreSQL was not running" in m26(home, "stop").stdout


def test_a_wrong_folder_of_binaries_is_exit_3(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("M26_PG_BIN", str(home))
    for command in ("status", "psql", "start"):
        done = m26(home, command)
        assert done.returncode == 3
        assert "M26_PG_BIN" in done.stderr
