"""What is PostgreSQL's own: its data, its settings, whom it runs as, what a crash leaves."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from tests.support.servers import until

from m26.embedded import binaries, postgres, supervise
from m26.errors import ConfigError, StorageError

pytestmark = pytest.mark.anyio

OWNER = """
import signal
import sys
from pathlib import Path
import anyio
from m26.embedded import postgres

async def main():
    async with postgres.running(Path(sys.argv[1])) as server:
        print("up", server.dsn, flush=True)
        await anyio.sleep_forever()

# A suite that runs in the background of a shell inherits an ignored SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)
anyio.run(main)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose database exists already; copying it is quicker than making one."""
    home = tmp_path_factory.mktemp("made")
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(home)], stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert any(line.startswith("up") for line in owner.stdout)
        owner.send_signal(signal.SIGINT)
    return home


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Iterator[Path]:
    """A home of the test's own; nothing of it runs on after the test."""
    home = tmp_path / "home"
    shutil.copytree(made, home)
    yield home
    if left := pid_of(home):
        os.kill(left, signal.SIGKILL)


@pytest.fixture
def zombie() -> Iterator[subprocess.Popen[bytes]]:
    """A dead process called postgres that nobody has reaped."""
    program = binaries.postgres_folder() / "postgres"
    with subprocess.Popen([program, "--version"], stdout=subprocess.PIPE) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        yield process


def pid_of(home: Path) -> int | None:
    process = postgres.server(home).process()
    return process.pid if process else None


async def fetch(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_a_new_home_gets_a_durable_utf8_database_behind_a_private_socket(
    tmp_path: Path,
) -> None:
    async with postgres.running(tmp_path) as server:
        assert await fetch(server.dsn, "SELECT current_database()::text") == "m26"
        for name, value in {
            "listen_addresses": "",
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "server_encoding": "UTF8",
            "shared_buffers": "64MB",
            "TimeZone": "UTC",
        }.items():
            assert await fetch(server.dsn, f"SHOW {name}") == value
        collation = "SELECT datcollate FROM pg_database WHERE datname = 'm26'"
        assert await fetch(server.dsn, collation) == "C"
        assert server.socket_folder.stat().st_mode & 0o777 == 0o700
    assert pid_of(tmp_path) is None


async def test_data_survives_restarts_and_sockets_are_found_in_odd_homes(made: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "a 'home', 100%\"" + "x" * 100)
        shutil.copytree(made, home)
        async with postgres.running(home) as server:
            await fetch(server.dsn, "CREATE TABLE kept AS SELECT 1 AS one")
        for _ in range(2):
            async with postgres.running(home) as server:
                assert await fetch(server.dsn, "SELECT one FROM kept") == 1
        server.socket_folder.rmdir()


async def test_what_a_killed_command_left_running_is_adopted_and_then_owned(home: Path) -> None:
    command = [sys.executable, "-c", OWNER, str(home)]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE)
    with owner:
        assert owner.stdout is not None
        assert any(line.startswith(b"up") for line in owner.stdout)
        owner.kill()
    left = pid_of(home)
    assert left is not None
    async with postgres.running(home) as server:
        assert pid_of(home) == left
        assert await fetch(server.dsn, "SELECT 1") == 1
    assert pid_of(home) is None


async def test_a_killed_server_is_brought_back_with_all_that_was_committed(home: Path) -> None:
    reports: list[str] = []
    async with postgres.running(home, report=reports.append) as server:
        await fetch(server.dsn, "CREATE TABLE kept AS SELECT 1 AS one")
        died = pid_of(home)
        assert died is not None
        os.kill(died, signal.SIGKILL)
        await until(lambda: "" in reports)
        assert reports == ["the embedded PostgreSQL was killed by signal 9", ""]
        assert pid_of(home) not in {None, died}
        assert await fetch(server.dsn, "SELECT one FROM kept") == 1


async def test_a_pid_file_whose_pid_is_another_program_now_is_no_obstacle(home: Path) -> None:
    data, place = home / "postgres" / "data", home / "postgres" / "run"
    mine = f"{os.getpid()}\n{data}\n0\n5432\n{place}\n\n\n"
    (data / "postmaster.pid").write_text(mine)
    (place / ".s.PGSQL.5432.lock").write_text(mine)
    async with postgres.running(home) as server:
        assert await fetch(server.dsn, "SELECT 1") == 1


async def test_the_zombie_of_a_killed_server_is_no_obstacle(
    home: Path, zombie: subprocess.Popen[bytes]
) -> None:
    (home / "postgres" / "data" / "postmaster.pid").write_text(f"{zombie.pid}\n")
    async with postgres.running(home) as server:
        assert await fetch(server.dsn, "SELECT 1") == 1


async def test_a_database_half_made_is_made_again(home: Path) -> None:
    folder = home / "postgres"
    half = (folder / "data").rename(folder / "data.new.1")
    (half / "PG_VERSION").unlink()
    async with postgres.running(home) as server:
        assert await fetch(server.dsn, "SELECT 1") == 1
    assert not half.exists()


async def test_a_server_of_somebody_else_on_the_data_is_left_alone(home: Path) -> None:
    async with supervise.supervised(postgres.server(home)):
        theirs = pid_of(home)
        (home / "postgres" / "owner.lock").unlink()
        (home / "postgres" / "data.lock").unlink()
        with pytest.raises(StorageError, match=f"process {theirs}, not of m26"):
            async with postgres.running(home):
                pass
        assert pid_of(home) == theirs


async def test_damaged_data_is_a_storage_error_with_the_last_words(home: Path) -> None:
    (home / "postgres" / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(StorageError, match="did not start") as raised:
        async with postgres.running(home):
            pass
    assert "version 9" in raised.value.hint


async def test_a_wrong_folder_of_binaries_is_a_config_error_even_beside_a_running_server(
    home: Path,
) -> None:
    async with postgres.running(home):
        with pytest.raises(ConfigError, match="M26_PG_BIN"):
            async with postgres.running(home, pg_bin=home):
                pass


async def test_a_database_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    found = binaries.postgres_folder()
    (tmp_path / "postgres").symlink_to(found / "postgres")
    (tmp_path / "initdb").write_text("#!/bin/sh\necho no room left >&2\nexit 1\n")
    (tmp_path / "initdb").chmod(0o755)
    with pytest.raises(StorageError, match="no room left"):
        async with postgres.running(tmp_path / "home", pg_bin=tmp_path):
            pass
    assert not (tmp_path / "home" / "postgres" / "data").exists()


def test_an_ordinary_user_runs_it_without_a_namespace(home: Path) -> None:
    command = [sys.executable, "-c", OWNER, str(home)]
    if os.geteuid() == 0:  # in this namespace we are user 1000, and what root owns is ours
        command = ["unshare", "--user", "--map-user=1000", "--map-group=1000", *command]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert any(line.startswith("up") for line in owner.stdout)
        owner.send_signal(signal.SIGINT)
    assert owner.returncode != 0
    assert pid_of(home) is None
