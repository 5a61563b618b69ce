"""The first moments of a command: what is wrong, what will be used, and an end before the start."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support import product
from tests.support.product import Home

from m26.embedded.folders import socket_folder

_SIGTERM_CAUGHT = 1 << (signal.SIGTERM - 1)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home whose database is never made: it would take as long as it is waited for."""
    programs = tmp_path / "bin"
    programs.mkdir()
    does = {"postgres": "echo postgres 18.6", "initdb": 'mkdir "$2" "$2/base"; exec sleep 600'}
    for name, line in does.items():
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    with product.home(tmp_path / "home", pg_bin=programs, log__level="warning") as made:
        yield made


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of 127.0.0.1 that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def _wait(condition: Callable[[], object], *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _left(home: Home) -> list[str]:
    """Processes that name the home, or stand in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if bytes(home.path) in line:
            found.append(line.replace(b"\0", b" ").decode())
    return found


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "no-such-host.invalid"])
def test_a_port_that_cannot_be_had_is_told_before_anything_starts(home: Home, host: str) -> None:
    (home.path.parent / "bin" / "initdb").write_text("#!/bin/sh\nexit 1\n")  # not reached
    family = socket.AF_INET6 if host == "::1" else socket.AF_INET
    address = host if host == "::1" else "127.0.0.1"
    with socket.create_server((address, 0), family=family) as listener:
        port = listener.getsockname()[1]
        home.settings |= {
            "web.host": host,
            "web.port": port,
            "web.token": "CANARY-token-of-the-beginning",
        }
        done = home.m26("run", code=3)
    assert f"cannot serve HTTP on {host} port {port}" in done.stderr
    assert "M26_WEB__" in done.stderr
    assert done.stdout == ""
    assert {path.name for path in home.path.iterdir()} <= {"lock"}


def test_a_simulator_whose_port_is_in_use_makes_no_world(home: Home, taken: int) -> None:
    done = home.m26("sim", "--port", str(taken), code=3)
    assert f"127.0.0.1:{taken}: Address already in use" in done.stderr
    assert not list(home.path.glob("sim/*.db"))


def test_a_port_is_no_business_of_commands_that_serve_nothing(home: Home, taken: int) -> None:
    home.settings["web.port"] = taken
    assert "m26 does not run" in home.m26("status", code=1).stdout
    assert f"127.0.0.1:{taken}" in home.m26("run", "--dry-run").stdout


def test_what_will_be_used_is_told_before_anything_of_it_starts(home: Home) -> None:
    run = home.start("--for", "30s")
    try:
        _wait(lambda: "Ctrl-C" in run.out.read_text() or run.process.poll() is not None)
        told = run.out.read_text()
        for fact in (
            "the built-in simulator",
            f"embedded, {socket_folder(home.path / 'postgres')}",
            f"embedded, {socket_folder(home.path / 'valkey')}/valkey.sock",
            "http://127.0.0.1:",
            "/api/v1/status",
        ):
            assert fact in told
        assert not (home.path / "postgres" / "data").exists()
        assert not (home.path / "run.json").exists()
        assert run.end(signal.SIGINT) == 130
    finally:
        run.kill()
    assert home.log.read_text() == ""
    assert not _left(home)


def test_a_run_that_waits_for_its_database_says_which_and_ends_when_told(tmp_path: Path) -> None:
    dsn = f"postgresql://user:CANARY-password@127.0.0.1:1/m26?host={tmp_path}/nothing"
    given = {"profile": "sim", "redis__url": "redis://:CANARY-other@127.0.0.1:1/3"}
    with product.home(tmp_path / "home", postgres__dsn=dsn, **given) as home:
        run = home.start()
        try:
            _wait(lambda: "Ctrl-C" in run.out.read_text() or run.process.poll() is not None)
            told = run.out.read_text()
            assert "given, 127.0.0.1:1/m26" in told
            assert "given, 127.0.0.1:1/3" in told
            assert "CANARY" not in told
            _wait((home.path / "sim" / "sim.json").exists)
            assert run.end(signal.SIGTERM) == 143
        finally:
            run.kill()
        assert "cannot connect" not in home.log.read_text(), "it did not wait any longer"
        assert not _left(home)


def test_an_interrupted_start_is_quiet_and_leaves_nothing(home: Home, seed: int) -> None:
    commands = ("run", "sim", "tail", "embedded start", "embedded psql", "db status")
    begun = {
        command: subprocess.Popen(
            [sys.executable, "-m", "m26", *command.split()],
            env=home.environment | {"M26_HOME": str(home.path / command.replace(" ", "-"))},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for command in commands
    }
    for number, (command, process) in enumerate(begun.items()):
        # Before, Python's own start prints a traceback, and nothing of ours is begun.
        _wait(lambda process=process: _catches(process.pid))
        time.sleep((seed * 7 + number * 3) % 10 / 10)
        process.send_signal(signal.SIGINT)
        _wait(lambda process=process: process.poll() is not None)
        _, said = process.communicate()
        assert (process.returncode, said) == (130, b""), command
    _wait(lambda: not _left(home))
    assert not list(home.path.glob("*/postgres/data.new.*"))


def _catches(pid: int) -> bool:
    """Whether a process has handlers of its own by now."""
    status = Path(f"/proc/{pid}/status").read_text()
    (caught,) = [line for line in status.splitlines() if line.startswith("SigCgt")]
    return bool(int(caught.split()[1], 16) & _SIGTERM_CAUGHT)
