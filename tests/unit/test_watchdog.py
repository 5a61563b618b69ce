"""A loop that stands still ends its process; one that is slow, or is stopped, does not."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

HANG = """
import re, time
def in_the_search(*_): re.match("(a+)+b", "a" * 60)
def in_the_call(*_): time.sleep(60)
"""
LOOP = f"""
import asyncio, sys
from m26.app.watchdog import watched
{HANG}
async def slow():
    for _ in range(3):
        time.sleep(1.2)
        await asyncio.sleep(0.01)
async def talks():
    sys.stderr.write("x" * 1_000_000)
    await asyncio.sleep(2)
async def goes_on():
    await asyncio.sleep(60)
async def main(name, seconds):
    async with watched(seconds):
        await asyncio.sleep(0.1)
        made = globals()[name]()
        if made is not None:
            await made
asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""
RUN = f"""
import signal, sys
{HANG}
signal.signal(signal.SIGUSR1, in_the_search)
sys.argv[1:] = ["run"]
from m26.cli import main
main()
"""


def started(code: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.defpath, "M26_WEB__PORT": "0", **variables},
    )


class Manager:
    """A service manager, and a process that tells it of its beats."""

    def __init__(self, address: str, process: subprocess.Popen[str], given: socket.socket) -> None:
        self.address, self.process, self._socket = address, process, given

    def heard(self) -> bytes:
        try:
            return self._socket.recv(64)
        except TimeoutError:
            return b""

    def forget(self) -> None:
        self._socket.setblocking(False)
        while True:
            try:
                self._socket.recv(64)
            except BlockingIOError:
                break
        self._socket.settimeout(20)


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    """All at once: what takes time is the waiting."""
    home = tmp_path_factory.mktemp("watched")
    home.chmod(0o700)
    nothing = home / "nothing"
    made: dict[str, object] = {
        "in_the_search": started(LOOP, "in_the_search", "2"),
        "in_the_call": started(LOOP, "in_the_call", "2"),
        "slow": started(LOOP, "slow", "3"),
        "talks": started(LOOP, "talks", "2"),
        "run": started(
            RUN,
            M26_HOME=str(home),
            M26_PROFILE="sim",
            M26_WATCHDOG="1",
            M26_POSTGRES__DSN=f"postgresql:///m26?host={nothing}",
            M26_REDIS__URL=f"unix://{nothing}",
        ),
        "home": home,
        "began": time.monotonic(),
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as given:
        given.bind("")  # an abstract address that is free
        given.settimeout(20)
        address = "@" + given.getsockname()[1:].decode()
        process = started(LOOP, "goes_on", "3", NOTIFY_SOCKET=address)
        made["told"] = Manager(address, process, given)
        yield made
    for each in (*made.values(), process):
        if isinstance(each, subprocess.Popen):
            each.kill()
            each.communicate()


def process_of(processes: dict[str, object], name: str) -> subprocess.Popen[str]:
    process = processes[name]
    assert isinstance(process, subprocess.Popen)
    return process


def test_the_service_manager_hears_of_beats_and_a_stopped_process_is_none_that_hangs(
    processes: dict[str, object],
) -> None:
    told = processes["told"]
    assert isinstance(told, Manager)
    assert told.heard() == b"WATCHDOG=1"
    told.process.send_signal(signal.SIGSTOP)
    time.sleep(4)  # longer than the loop may stand still
    told.forget()
    told.process.send_signal(signal.SIGCONT)
    assert [told.heard() for _ in range(3)] == [b"WATCHDOG=1"] * 3
    assert told.process.poll() is None


@pytest.mark.parametrize("name", ["in_the_search", "in_the_call"])
def test_a_loop_that_hangs_ends_the_process_and_says_where(
    processes: dict[str, object], name: str
) -> None:
    process = process_of(processes, name)
    _, said = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGABRT, said
    assert "has stood still for 2 s" in said
    assert f" in {name}" in said


def test_a_loop_that_waits_for_the_reader_of_its_words_goes_on_when_there_is_one(
    processes: dict[str, object],
) -> None:
    process = process_of(processes, "talks")
    began = processes["began"]
    assert isinstance(began, float)
    time.sleep(max(0.0, began + 5 - time.monotonic()))  # longer than the loop may stand still
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said[-2_000:]
    assert said.startswith("xxx")


def test_a_loop_that_is_slow_goes_on(processes: dict[str, object]) -> None:
    process = process_of(processes, "slow")
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (0, "")


def test_a_run_that_hangs_ends(processes: dict[str, object]) -> None:
    process, home = process_of(processes, "run"), processes["home"]
    assert isinstance(home, Path)
    for _ in range(300):
        if (home / "lock").exists() or process.poll() is not None:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGUSR1)
    _, said = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGABRT, said
    assert " in in_the_search" in said
