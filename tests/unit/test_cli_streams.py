"""Standard streams that are closed, full, read in part, or of another encoding."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest


def in_shell(line: str, home: Path | str, **more: str) -> subprocess.CompletedProcess[bytes]:
    """A line as a user types it; `m26` is this m26."""
    environment = {"PATH": os.defpath, "M26_HOME": str(home), **more}
    m26 = f"{shlex.quote(sys.executable)} -m m26"
    return subprocess.run(
        ["/bin/sh", "-c", line.replace("m26", m26)],
        env=environment,
        capture_output=True,
        check=False,
        timeout=30,
    )


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("m26 config show >&-", 0, b""),
        ("m26 config show <&- >&- 2>&-", 0, b""),
        ("m26 config show --json >&-", 0, b""),
        ("m26 bogus 2>&-", 2, b""),
        ("m26 bogus 2>/dev/full", 2, b""),
        ("m26 bogus --json >/dev/full", 2, b""),
        ("m26 bogus --debug 2>/dev/full", 2, b""),
        ("m26 --help >/dev/full", 6, b"No space left on device"),
        ("m26 config show >/dev/full", 6, b"No space left on device"),
        ("m26 config show --json >/dev/full", 6, b"No space left on device"),
    ],
)
def test_a_stream_that_takes_nothing_changes_neither_the_code_nor_what_else_is_said(
    tmp_path: Path, line: str, code: int, says: bytes
) -> None:
    done = in_shell(line, tmp_path)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert b"Traceback" not in done.stderr
    assert b"unexpected" not in done.stderr


@pytest.mark.parametrize(
    "line", ["m26 --help", "m26 run --help", "m26 doctor", "m26 config show", "m26 embedded stop"]
)
def test_a_reader_that_goes_away_ends_a_command_with_0(tmp_path: Path, line: str) -> None:
    done = in_shell(f"{{ {line}; echo $? >&2; }} | :", tmp_path)
    assert done.stderr.decode().strip() == "0"


def test_a_file_does_not_take_the_place_of_a_stream_that_is_closed(tmp_path: Path) -> None:
    code = "import os; from m26.cli import streams; streams.prepare(); print(os.pipe()[0], file=f)"
    out = tmp_path / "out"
    script = f"f = open({str(out)!r}, 'w', opener=lambda p, m: os.dup2(os.open(p, m), 9))"
    python = shlex.quote(sys.executable)
    line = f"{python} -c {shlex.quote(f'import os; {script}; {code}')} <&- >&- 2>&-"
    subprocess.run(["/bin/sh", "-c", line], check=True, timeout=30)
    assert int(out.read_text()) > 2


def test_what_an_encoding_cannot_show_is_replaced(tmp_path: Path) -> None:
    home = tmp_path / "geh\u00e4use"
    done = in_shell("m26 config show", home, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"geh?use" in done.stdout


@pytest.mark.parametrize("line", ["m26 config show", "m26 config show --json", "m26 status"])
def test_a_home_whose_name_is_no_utf_8_is_shown_as_it_can_be(tmp_path: Path, line: str) -> None:
    done = in_shell(line, os.fsdecode(bytes(tmp_path) + b"/\xff"))
    assert b"Traceback" not in done.stderr
    assert b"unexpected" not in done.stderr
    assert done.stdout + done.stderr
