"""The simulator as a process: what it leaves in its folder, what outlives it, how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from tests.support.simulator import Client, simulator, until

SMALL = ("--size", "30")


def test_it_goes_on_after_a_kill_with_its_market_tokens_and_sessions_and_repeats_nothing(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "sim"
    with simulator(folder, *SMALL) as first, Client(first) as client:
        client.login()
        first.control(freeze=True)
        seen = {auction["auctionId"] for auction in client.sweep()}
        refresh, session = client.refresh, client.session
        with first.ledger() as ledger:
            secrets = set(ledger.secrets())
        first.process.kill()
        first.process.wait(10)
    with simulator(folder, *SMALL) as second, Client(second) as client:
        assert client.refresh != refresh, "a start writes a capture with fresh tokens"
        client.session = session
        again = {auction["auctionId"] for auction in client.sweep()}
        assert len(seen & again) > len(seen) / 2
        assert all(new > max(seen) for new in again - seen)
        assert client.token(refresh_token=refresh).status_code == 200
        with second.ledger() as ledger:
            assert secrets < set(ledger.secrets())
            numbers = [number for number, _ in ledger.requests()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_its_files_are_for_their_owner_alone_and_it_takes_its_address_away(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "sim"
    with simulator(folder, *SMALL) as sim:
        assert folder.stat().st_mode & 0o077 == 0
        for name in ("sim.json", "capture.har", "ledger.db"):
            assert (folder / name).stat().st_mode & 0o777 == 0o600
        sim.process.send_signal(signal.SIGTERM)
        assert sim.process.wait(10) == 143
        assert not (folder / "sim.json").exists()


def test_the_default_folder_is_in_the_home(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "m26", "sim", "--home", str(tmp_path), *SMALL]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        until((tmp_path / "sim" / "sim.json").exists, process)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130


def test_one_folder_has_one_simulator_and_one_seed(tmp_path: Path) -> None:
    folder = tmp_path / "sim"
    command = [sys.executable, "-m", "m26", "sim", "--folder", str(folder)]
    with simulator(folder, *SMALL, "--seed", "5"):
        second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 75
    assert "another simulator holds" in second.stderr
    command += ["--seed", "6"]
    third = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert third.returncode == 3
    assert "seed 5, not 6" in third.stderr


def test_a_taken_port_and_a_bad_option_are_told(tmp_path: Path) -> None:
    with simulator(tmp_path / "sim", *SMALL) as sim:
        port = str(httpx.URL(sim.url).port)
        for options, code in ((["--port", port], 3), (["--size", "0"], 2), (["--account", ""], 2)):
            folder = ["--folder", str(tmp_path / "other")]
            command = [sys.executable, "-m", "m26", "sim", *folder, *options]
            ended = subprocess.run(command, capture_output=True, timeout=30, check=False)
            assert ended.returncode == code


def test_it_ends_with_the_parent_that_it_was_started_with(tmp_path: Path) -> None:
    note = tmp_path / "sim" / "sim.json"
    arguments = ["sim", "--folder", str(note.parent), "--with-parent", *SMALL]
    program = (
        "import subprocess, sys, time;"
        f"p = subprocess.Popen([sys.executable, '-m', 'm26', *{arguments!r}]);"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        until(note.exists, parent)
        parent.kill()
    until(lambda: not note.exists())
    until(lambda: not Path(f"/proc/{child}").exists() or _zombie(child))


def _zombie(pid: int) -> bool:
    return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()


def test_it_ends_when_the_pipe_on_its_standard_input_is_closed(tmp_path: Path) -> None:
    options = {"stdin": subprocess.PIPE}
    with simulator(tmp_path / "sim", *SMALL, "--with-parent", **options) as sim:
        assert sim.process.stdin is not None
        sim.process.stdin.close()
        assert sim.process.wait(10) == 0


def test_it_drains_while_a_reply_is_dripping(tmp_path: Path) -> None:
    with simulator(tmp_path / "sim", *SMALL) as sim, Client(sim) as client:
        client.login()
        sim.control(fault="drip", next=1)
        client.http.timeout = httpx.Timeout(0.2)
        with pytest.raises(httpx.ReadTimeout):
            client.process()
        sim.process.send_signal(signal.SIGTERM)
        assert sim.process.wait(10) == 143


def test_accounts_have_a_platform_and_a_capture_each(tmp_path: Path) -> None:
    folder = tmp_path / "sim"
    accounts = ("--account", "alice:ps5", "--account", "bob:xbsx")
    with simulator(folder, *SMALL, *accounts) as sim:
        with Client(sim, platform="ps5") as alice, Client(sim, "capture-bob.har", "xbsx") as bob:
            for client in (alice, bob):
                client.login()
            sim.control(freeze=True)
            ids = [{auction["auctionId"] for auction in c.sweep()} for c in (alice, bob)]
            assert min(map(len, ids)) > 20
            assert not ids[0] & ids[1]
            wrong = bob.login(accessToken=alice.access)
            assert wrong.status_code == 404
        with sim.ledger() as ledger:
            served = {(row.account, row.platform) for row in ledger.served()}
    assert served == {("alice", "ps5"), ("bob", "xbsx")}


def test_nothing_secret_is_printed_whatever_is_asked_of_it(tmp_path: Path) -> None:
    environment = {**os.environ, "M26_LOG__LEVEL": "debug"}
    with simulator(tmp_path / "sim", *SMALL, "--debug", env=environment) as sim:
        with Client(sim) as client:
            client.token()
            client.login()
            client.sweep()
            client.process(headers={"x-application-key": "OTHER"})
            client.process(deviceId="SIM-CANARY-OTHER")
            client.http.post(f"/wal/mca/Process/{client.session}", content=b"\xff{")
            client.http.post("/connect/token", content=b"\xff=%zz&client_id")
            client.login(accessToken="SIM-CANARY-NONE")
            for fault in ("session_kill", "half_gzip", "reset"):
                client.login()
                sim.control(fault=fault, next=1)
                try:
                    client.process()
                except httpx.HTTPError:
                    assert fault in {"half_gzip", "reset"}
        with sim.ledger() as ledger:
            secrets = ledger.secrets()
    assert len(secrets) > 10
    printed = sim.output()
    assert sim.url in printed
    assert not [secret for secret in secrets if secret in printed]
    assert "SIM-CANARY" not in printed
    assert "Traceback" not in printed
