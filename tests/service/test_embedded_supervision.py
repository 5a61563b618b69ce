"""How a server is owned, shared, adopted and brought back: shown with Valkey, which is fast."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
import redis
from tests.support.servers import until

from m26.embedded import supervise, valkey
from m26.errors import StorageError
from m26.home.lock import Lock

pytestmark = pytest.mark.anyio

OWNER = """
import sys
from pathlib import Path
import anyio
from m26.embedded import valkey

async def main():
    async with valkey.running(Path(sys.argv[1])):
        print("up", flush=True)
        await anyio.sleep_forever()

anyio.run(main)
"""

Own = Callable[[Path], subprocess.Popen[str]]


@pytest.fixture
def own() -> Iterator[Own]:
    """Start commands that own or share the server of a home; they are ended with the test."""
    children: list[tuple[Path, subprocess.Popen[str]]] = []

    def start(home: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", OWNER, str(home)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        children.append((home, child))
        return child

    yield start
    for home, child in children:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()
        if left := pid_of(home):
            os.kill(left, signal.SIGKILL)


def is_up(child: subprocess.Popen[str]) -> bool:
    assert child.stdout is not None
    return "up\n" in iter(child.stdout.readline, "")


def write(server: valkey.Valkey, key: str, value: str) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.set(key, value)


def read(server: valkey.Valkey, key: str) -> object:
    with redis.Redis.from_url(server.url) as client:
        return client.get(key)


def pid_of(home: Path) -> int | None:
    process = valkey.server(home).process()
    return process.pid if process else None


def environment_of(pid: int | None) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


async def test_data_survives_a_restart_and_nothing_runs_in_between(tmp_path: Path) -> None:
    async with valkey.running(tmp_path) as server:
        write(server, "kept", "yes")
    assert pid_of(tmp_path) is None
    async with valkey.running(tmp_path) as server:
        assert read(server, "kept") == b"yes"


async def test_valkey_listens_on_its_socket_only_and_never_evicts_the_stream(
    tmp_path: Path,
) -> None:
    async with valkey.running(tmp_path) as server:
        with redis.Redis.from_url(server.url) as client:
            assert client.config_get("port") == {"port": "0"}
            assert client.config_get("appendonly") == {"appendonly": "yes"}
            assert client.config_get("appendfsync") == {"appendfsync": "everysec"}
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "volatile-lru"}
        assert server.socket.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["x" * 120, "a 'home', 100% \"odd\""])
async def test_odd_and_long_homes_work(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    async with valkey.running(home) as server:
        write(server, "kept", "yes")
    async with valkey.running(home) as server:
        assert read(server, "kept") == b"yes"
    server.socket.parent.rmdir()


async def test_a_second_command_attaches_and_leaves_the_server_running(tmp_path: Path) -> None:
    async with valkey.running(tmp_path):
        owned = pid_of(tmp_path)
        async with valkey.running(tmp_path) as server:
            assert pid_of(tmp_path) == owned
        assert read(server, "nothing") is None
        assert pid_of(tmp_path) == owned


async def test_when_the_owner_ends_an_attached_command_takes_over(tmp_path: Path, own: Own) -> None:
    owner = own(tmp_path)
    assert is_up(owner)
    before = pid_of(tmp_path)
    async with valkey.running(tmp_path) as server:
        write(server, "kept", "yes")
        owner.kill()
        await until(lambda: valkey.server(tmp_path).owner.holder() == os.getpid())
        assert read(server, "kept") == b"yes"
        assert pid_of(tmp_path) == before
    assert pid_of(tmp_path) is None


async def test_when_the_owner_stops_the_server_an_attached_command_starts_it_again(
    tmp_path: Path, own: Own
) -> None:
    owner = own(tmp_path)
    assert is_up(owner)
    before = pid_of(tmp_path)
    async with valkey.running(tmp_path) as server:
        owner.send_signal(signal.SIGINT)
        await until(lambda: pid_of(tmp_path) not in {None, before})
        await until(server.socket.exists)
        assert read(server, "nothing") is None


async def test_commands_that_start_at_once_share_one_server(tmp_path: Path, own: Own) -> None:
    commands = [own(tmp_path) for _ in range(4)]
    assert all(is_up(command) for command in commands)
    holder = valkey.server(tmp_path).owner.holder()
    assert holder in {command.pid for command in commands}
    log = (tmp_path / "valkey" / "server.log").read_text()
    assert log.count("Server initialized") == 1
    for command in sorted(commands, key=lambda command: command.pid == holder):
        command.send_signal(signal.SIGINT)  # the owner last: the others leave the server alone
        command.wait(20)
    assert pid_of(tmp_path) is None


async def test_what_a_killed_command_left_running_is_adopted_and_then_owned(
    tmp_path: Path, own: Own
) -> None:
    command = own(tmp_path)
    assert is_up(command)
    command.kill()
    command.wait()
    left = pid_of(tmp_path)
    assert left is not None
    async with valkey.running(tmp_path):
        assert pid_of(tmp_path) == left
    assert pid_of(tmp_path) is None


async def test_a_frozen_leftover_is_replaced(tmp_path: Path, own: Own) -> None:
    command = own(tmp_path)
    assert is_up(command)
    command.kill()
    command.wait()
    left = pid_of(tmp_path)
    assert left is not None
    os.kill(left, signal.SIGSTOP)
    impatient = replace(valkey.server(tmp_path), adopt_seconds=0.3, stop_seconds=0.3)
    async with supervise.supervised(impatient):
        assert pid_of(tmp_path) not in {None, left}
        assert await impatient.answers()


async def test_a_server_that_dies_is_reported_and_brought_back_with_its_data(
    tmp_path: Path,
) -> None:
    reports: list[str] = []
    async with valkey.running(tmp_path, report=reports.append) as server:
        write(server, "kept", "yes")
        died = pid_of(tmp_path)
        assert died is not None
        await anyio.sleep(1.1)  # appendfsync everysec: a second may be lost, no more
        os.kill(died, signal.SIGKILL)
        await until(lambda: "" in reports)
        assert reports == ["the embedded Valkey was killed by signal 9", ""]
        assert pid_of(tmp_path) not in {None, died}
        assert read(server, "kept") == b"yes"
    assert pid_of(tmp_path) is None


async def test_an_error_in_the_block_comes_out_as_it_is_and_the_server_is_stopped(
    tmp_path: Path,
) -> None:
    with pytest.raises(KeyError, match="mine"):
        async with valkey.running(tmp_path):
            raise KeyError("mine")
    assert pid_of(tmp_path) is None


async def test_a_cancelled_command_stops_its_server(tmp_path: Path) -> None:
    with anyio.move_on_after(0.3):
        async with valkey.running(tmp_path):
            await anyio.sleep_forever()
    assert pid_of(tmp_path) is None


async def test_a_server_that_cannot_start_says_its_last_words(tmp_path: Path) -> None:
    async with valkey.running(tmp_path) as server:
        write(server, "kept", "yes")
    for part in (tmp_path / "valkey" / "data" / "appendonlydir").glob("*.base.*"):
        part.write_bytes(b"damaged")
    with pytest.raises(StorageError, match="Valkey did not start: it ended with exit code 1") as e:
        async with valkey.running(tmp_path):
            pass
    assert "server.log" in e.value.hint
    assert e.value.exit_code == 6


async def test_data_held_by_an_unseen_process_is_left_alone(tmp_path: Path) -> None:
    async with valkey.running(tmp_path):
        pass
    unseen = Lock(tmp_path / "valkey" / "data.lock")
    assert unseen.take()
    with pytest.raises(StorageError, match="unseen"):
        async with supervise.supervised(replace(valkey.server(tmp_path), adopt_seconds=0.2)):
            pass
    unseen.release()


async def test_a_long_log_is_cut_at_the_start(tmp_path: Path) -> None:
    async with valkey.running(tmp_path):
        pass
    log = tmp_path / "valkey" / "server.log"
    with log.open("ab") as file:
        file.truncate(9 * 2**20)
    async with valkey.running(tmp_path):
        pass
    assert log.stat().st_size < 2**20
    assert log.with_name("server.log.1").stat().st_size == 9 * 2**20


async def test_a_server_sees_no_settings_of_m26(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("M26_VAULT__KEY", "CANARY-key")
    async with valkey.running(tmp_path):
        environment = environment_of(pid_of(tmp_path))
    assert b"PATH=" in environment
    assert b"CANARY" not in environment
