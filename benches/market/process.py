"""A planner's process: lines to its stdin, lines from its stdout, what it used of the machine."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

SILENCE = 120.0
"""Seconds without a byte after which a run is over."""
LEAVE = 60.0
"""Seconds a planner has to exit."""


class Gone(Exception):  # noqa: N818 - it names what happened
    """The planner ended, or said nothing for too long; the message says which."""


class Planner:
    """One life of the planner; its home outlasts it."""

    def __init__(self, command: Sequence[str], home: Path, log: Path) -> None:
        self._log = log.open("ab")
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "M26_HOME": str(home)},
            bufsize=0,
        )
        assert self._child.stdout is not None
        self._out = self._child.stdout.fileno()
        self._rest, self._closed = b"", False
        self._lines: deque[bytes] = deque()
        self.peak_mb = 0.0
        self.heard = 0.0
        """When it last wrote, s of `time.perf_counter`."""

    def say(self, line: bytes) -> None:
        """Write one line; a planner that reads no more is noticed when it is listened to."""
        assert self._child.stdin is not None
        try:
            left = memoryview(line + b"\n")
            while left:
                left = left[self._child.stdin.write(left) or 0 :]
        except BrokenPipeError:
            return

    def line(self, patience: float = SILENCE) -> bytes:
        """The next line; Gone if there is none."""
        while not self._lines:
            ready, _, _ = select.select([self._out], [], [], patience)
            if not ready:
                raise Gone(f"it said nothing for {patience:.0f} s")
            if not self._read():
                raise Gone("it ended by itself")
        return self._lines.popleft()

    def _read(self) -> bool:
        got = os.read(self._out, 1 << 20)
        if got:
            self.heard = time.perf_counter()
            *lines, self._rest = (self._rest + got).split(b"\n")
            self._lines.extend(lines)
        return bool(got)

    def measure(self) -> None:
        """Look at its peak memory."""
        try:
            status = Path(f"/proc/{self._child.pid}/status").read_text()
        except OSError:
            return
        for row in status.splitlines():
            if row.startswith("VmHWM:"):
                self.peak_mb = max(self.peak_mb, int(row.split()[1]) / 1024)

    def cpu(self) -> float:
        """Seconds that its main thread has run."""
        try:
            return int(Path(f"/proc/{self._child.pid}/schedstat").read_text().split()[0]) / 1e9
        except OSError:
            return 0.0

    def kill(self, after: float = 0.0) -> list[bytes]:
        """End it without a warning; the whole lines it had written."""
        if self._closed:
            return []
        time.sleep(after)
        self._child.kill()
        return self._leave(LEAVE)

    def leave(self) -> tuple[list[bytes], int | None]:
        """Let it end by itself; its last lines, and its exit code, None if it had to be killed."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        until = time.monotonic() + LEAVE
        while (left := until - time.monotonic()) > 0:
            ready, _, _ = select.select([self._out], [], [], left)
            if ready and not self._read():
                break
        try:
            self._child.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._child.kill()
            return self._leave(LEAVE), None
        return self._leave(LEAVE), self._child.returncode

    def _leave(self, patience: float) -> list[bytes]:
        self._closed = True
        self._child.wait(patience)
        while self._read():
            pass
        for pipe in (self._child.stdin, self._child.stdout, self._log):
            if pipe is not None:
                pipe.close()
        lines = list(self._lines)
        self._lines.clear()
        return lines
