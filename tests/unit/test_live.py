from __future__ import annotations

import fcntl
import io
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from typing import Any

import anyio
import orjson
import pytest
import structlog
from rich.console import Console
from structlog.testing import capture_logs
from tests.support.observing import Watched

from m26.cli.figures import banner, figures, summary
from m26.cli.live import LiveView, log_progress, say
from m26.cli.output import print_rows
from m26.errors import StorageError
from m26.models import Account
from m26.status.conditions import State
from m26.status.views import StatusView

ESCAPE = "\x1b"
RUN = """
import anyio, structlog, sys
from m26 import config, log
from m26.cli.figures import banner
from m26.cli.live import LiveView, say
from m26.cli.output import console
from m26.status.conditions import State
from tests.support.observing import Watched

async def main():
    log.configure(color=config.color_allowed())
    watched = Watched()
    watched.status.report("account:main", State.COLLECTING)
    watched.metrics.auctions.labels("new").inc(1234)
    as_json = "--json" in sys.argv
    if not as_json:
        say(banner(watched.setup, []), console())
    async with LiveView(watched.observer.snapshot, redraw_every=0.05, as_json=as_json):
        structlog.get_logger().info("a.log.line")
        await anyio.sleep(0.3)

anyio.run(main)
"""


def run(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        **more,
    )


def run_on_terminal(*, columns: int, **environment: str) -> str:
    """All that a terminal of that width gets."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    inherited = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, "-c", RUN],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**inherited, "TERM": "xterm-256color", **environment},
    )
    os.close(slave)
    received, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        if not select.select([master], [], [], 1)[0]:
            continue
        try:
            received += os.read(master, 65536)
        except OSError:  # Linux's word for: the other side is closed
            break
    os.close(master)
    assert process.wait(10) == 0, received
    return received.decode()


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    structlog.reset_defaults()
    with capture_logs() as lines:
        yield lines


def plain(width: int = 200) -> Console:
    return Console(file=io.StringIO(), width=width)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_pipe_gets_text_without_escapes_and_log_lines_go_to_stderr() -> None:
    done = run(env={**os.environ, "FORCE_COLOR": ""})
    assert ESCAPE not in done.stdout + done.stderr
    assert re.search(r"^source +the built-in simulator", done.stdout, re.MULTILINE)
    assert re.search(r"^auctions +new 1,234, changed 0", done.stdout, re.MULTILINE)
    assert done.stdout.count("ran for") == 1
    events = [orjson.loads(line)["event"] for line in done.stderr.splitlines()]
    assert sorted(events) == ["a.log.line", "run.progress"]


def test_with_json_stdout_is_the_last_snapshot_alone() -> None:
    done = run("--json")
    assert orjson.loads(done.stdout)["auctions"]["new"] == 1234


def test_a_terminal_gets_a_table_that_is_redrawn_and_log_lines_above_it() -> None:
    text = run_on_terminal(columns=100)
    assert text.count("budget left") > 3
    assert re.search(r"\x1b\[\d*A", text), "the cursor goes up to draw over the last table"
    assert "a.log.line" in text
    assert text.rstrip().endswith("m26 embedded psql`"), "the summary is what stays"
    assert "\x1b[?25h" in text, "the cursor is shown again"


def test_no_color_is_honoured() -> None:
    coloured = re.compile(r"\x1b\[[\d;]*3[0-7]m")
    assert coloured.search(run_on_terminal(columns=100))
    assert not coloured.search(run_on_terminal(columns=100, NO_COLOR="1"))


def test_a_dumb_terminal_gets_no_animation() -> None:
    text = run_on_terminal(columns=80, TERM="dumb", NO_COLOR="1")
    assert not re.search(r"\x1b\[\d*A", text)
    assert "ran for" in text


@pytest.mark.parametrize("columns", [12, 20, 40])
def test_a_narrow_terminal_folds_lines_and_never_exceeds_its_width(columns: int) -> None:
    text = run_on_terminal(columns=columns, NO_COLOR="1")
    lines = re.split(r"\r?\n|\r", re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", text))
    assert max(len(line) for line in lines if "a.log.line" not in line) <= columns
    assert "1,234" in re.sub(r"\s", "", "".join(lines))


def test_the_banner_says_what_is_used_and_how_to_stop() -> None:
    out = plain()
    say(banner(Watched(simulator=False).setup, [Account("main", "ps5")]), out)
    text = written(out)
    for fact in (
        "main (ps5)",
        "madden26",
        "given 18.6, /var/lib/m26/postgres/run",
        "embedded 9.1, /var/lib/m26/valkey/run",
        "/var/lib/m26",
        "http://127.0.0.1:8026/api/v1/status",
        "Ctrl-C",
    ):
        assert fact in text


@pytest.mark.anyio
async def test_a_state_comes_with_reason_advice_and_next_attempt(watched: Watched) -> None:
    now = watched.clock.now
    watched.status.report(
        "account:main", State.PAUSED, reason="429 [red]", advice="Wait.", until=now + 90
    )
    watched.status.report("publish", State.COLLECTING, reason="Redis is away")
    watched.clock.now += 30
    out = plain()
    async with LiveView(watched.observer.snapshot, out=out):
        pass
    text = written(out)
    assert re.search(r"state +paused: 429 \[red\] \(for 30 s\)", text)
    assert re.search(r"do +Wait\.", text)
    assert re.search(r"also +publish collecting: Redis is away", text)
    assert re.search(r"next try +in 1 m 0 s", text)


@pytest.mark.anyio
async def test_the_error_of_the_block_comes_out_as_it_is(watched: Watched) -> None:
    out = plain()
    with pytest.raises(StorageError, match="away"):
        async with LiveView(watched.observer.snapshot, out=out):
            raise StorageError("away")
    assert "ran for" in written(out)


def test_the_summary_tells_how_it_was_and_not_that_it_ends(watched: Watched) -> None:
    watched.status.report("stop", State.STOPPED, reason="captcha: solve it", advice="Solve it.")
    watched.status.report("app", State.DRAINING, reason="ending: storing", advice="Wait.")
    rows = dict(summary(watched.observer.snapshot()))
    assert rows["state"].startswith("stopped: captcha")
    assert (rows["do"], "also" in rows) == ("Solve it.", False)


@pytest.mark.anyio
async def test_a_cancelled_run_still_gets_its_summary(watched: Watched) -> None:
    out = plain()
    with anyio.move_on_after(0.01) as scope:
        async with LiveView(watched.observer.snapshot, out=out):
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert "ran for" in written(out)


@pytest.mark.anyio
async def test_progress_is_logged_at_once_and_then_periodically(
    watched: Watched, logs: list[Any]
) -> None:
    watched.metrics.auctions.labels("new").inc(5)
    looked = 0

    def snapshot() -> StatusView:
        nonlocal looked
        looked += 1
        if looked == 4:
            scope.cancel()
        return watched.observer.snapshot()

    with anyio.move_on_after(30) as scope:
        await log_progress(snapshot, every=0.001)
    assert len(logs) == 4
    assert (logs[0]["event"], logs[0]["auctions"]["new"]) == ("run.progress", 5)


def test_control_bytes_of_foreign_text_do_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_rows([("state", "paused: \x1b[2J\x07[bold]x")])
    assert "paused: \\x1b[2J\\x07[bold]x" in capsys.readouterr().out


def test_each_of_several_accounts_has_a_line_of_its_own(watched: Watched) -> None:
    now = watched.observer.snapshot()
    at = "2026-08-16T21:00:00Z"
    now["now"] = at
    now["accounts"] = [
        {
            "name": f"player{number}",
            "platform": "xbsx",
            "state": "collecting",
            "reason": "",
            "strategy": "signed",
            "budget": {"day": 0, "minute": 6},
            "next_request_at": "2026-08-16T21:00:12Z",
            "refills_at": {"day": "2026-08-16T21:00:12Z"},
            "auth_seconds_left": {"session": 600.0, "access_token": 9000.0},
        }
        for number in range(4)
    ]
    lines = [text for label, text in figures(now) if label == "account"]
    assert lines[3] == (
        "player3 (xbsx): collecting, signed, left: day 0, minute 6, next in 12 s, "
        "the day's refill in 12 s, auth 10 m 0 s"
    )
    assert len(lines) == 4
    assert max(len(line) for line in lines) < 120
