from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from m26.clock import iso, unix
from m26.errors import StorageError
from m26.home.files import write_private
from m26.home.runfile import RUN, announced, read_run
from m26.home.stops import STOP, Stop, clear_stop, read_stop, read_stops, write_stop
from m26.redaction import MASK

CAPTCHA = Stop(
    reason="captcha",
    message="the gateway asks for a captcha",
    advice="Solve it in the companion app.",
    since=1_786_914_000.0,
    account="main",
)


def test_a_running_process_is_found_and_gone_at_its_end(tmp_path: Path) -> None:
    assert read_run(tmp_path) is None
    with announced(tmp_path, url="http://127.0.0.1:8026/", clock=lambda: 5.0):
        run = read_run(tmp_path)
        assert run is not None
        assert (run.pid, run.url, run.started_at) == (os.getpid(), "http://127.0.0.1:8026", 5.0)
        assert stat.S_IMODE((tmp_path / RUN).stat().st_mode) == 0o600
    assert not (tmp_path / RUN).exists()


def test_the_file_goes_when_the_block_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), announced(tmp_path, url="http://127.0.0.1:1"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_not_taken_for_a_running_one(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from m26.home.runfile import announced\n"
        "with announced(Path(sys.argv[1]), url='http://127.0.0.1:1'):\n"
        "    print('up', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        run = read_run(tmp_path)
        assert run is not None
        assert run.pid == child.pid
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert read_run(tmp_path) is None, "a zombie does not run"
    assert (tmp_path / RUN).exists()
    assert read_run(tmp_path) is None


def test_another_process_with_the_same_pid_is_not_ours(tmp_path: Path) -> None:
    with announced(tmp_path, url="http://127.0.0.1:1"):
        document = orjson.loads((tmp_path / RUN).read_bytes())
        write_private(tmp_path / RUN, orjson.dumps({**document, "birth": document["birth"] - 1}))
        assert read_run(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid":"x"}', b"null", b"\xff"])
def test_a_damaged_run_file_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / RUN).write_bytes(content)
    assert read_run(tmp_path) is None


def test_a_stop_stays_until_it_is_cleared(tmp_path: Path) -> None:
    assert read_stop(tmp_path) is None
    write_stop(tmp_path, CAPTCHA)
    assert stat.S_IMODE((tmp_path / STOP).stat().st_mode) == 0o600
    with announced(tmp_path, url="http://127.0.0.1:1"):
        assert read_stop(tmp_path) == CAPTCHA
    assert read_stop(tmp_path) == CAPTCHA
    clear_stop(tmp_path)
    assert read_stop(tmp_path) is None
    clear_stop(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b'{"reason":"captcha"}', b"[1]"])
def test_a_damaged_stop_still_stops(tmp_path: Path, content: bytes) -> None:
    (tmp_path / STOP).write_bytes(content)
    stop = read_stop(tmp_path)
    assert stop is not None
    assert (stop.reason, "m26 resume" in stop.advice) == ("unreadable", True)


def test_a_stop_holds_no_secret(tmp_path: Path) -> None:
    told = "https://gateway/wal/mca/Process/CANARYsession%2Fkey failed"
    write_stop(tmp_path, Stop(reason="x", message=told, advice="", since=1.0, account="main"))
    text = (tmp_path / STOP).read_text()
    assert "CANARY" not in text
    assert MASK in text


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    (target / "inside").touch()  # a folder that is not empty cannot be replaced by a file
    with pytest.raises(StorageError, match="cannot write"):
        write_private(target, b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    with pytest.raises(StorageError, match="cannot write"):
        write_private(tmp_path / "missing" / "file", b"x")


def test_times_have_a_fraction_only_where_it_is_not_zero() -> None:
    assert iso(1_786_913_835.0) == "2026-08-16T20:57:15Z"
    assert iso(1_786_913_835.25) == "2026-08-16T20:57:15.250Z"
    assert unix(iso(1_786_913_835.25)) == 1_786_913_835.25


def test_a_stop_that_nobody_was_shown_is_not_cleared(tmp_path: Path) -> None:
    write_stop(tmp_path, CAPTCHA)
    shown = read_stops(tmp_path)
    banned = replace(CAPTCHA, reason="banned")
    write_stop(tmp_path, banned)
    clear_stop(tmp_path, shown)
    assert read_stops(tmp_path) == (banned,)
