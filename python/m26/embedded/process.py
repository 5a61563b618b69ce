"""Processes by identity: a pid and its start time in, is it running, signals and its end out."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio

POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Process:
    """One process, ours or one that a killed command left behind; a reused pid is not it."""

    pid: int
    started: int = 0
    """Start time in clock ticks since boot: with the pid it names a process for good."""
    child: subprocess.Popen[bytes] | None = field(default=None, compare=False)
    """Set when it is our own child: its pid stays its own until we reap it."""

    def running(self) -> bool:
        """Whether it still runs; a zombie does not."""
        if self.child is not None:
            return self.child.poll() is None
        return _started(self.pid) == self.started

    def how_it_ended(self) -> str:
        """Exit code or signal of a child; that of an adopted process is not known."""
        code = self.child.returncode if self.child is not None else None
        if code is None:
            return "ended"
        return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"

    async def stop(self, number: signal.Signals, *, seconds: float) -> None:
        """Ask with signal `number`, after `seconds` end it with SIGKILL; wait until it is gone."""
        self._send(number)
        with anyio.move_on_after(seconds):
            await self._gone()
        self._send(signal.SIGKILL)
        await self._gone()

    async def _gone(self) -> None:
        while self.running():  # noqa: ASYNC110 - there is no event: it may not be our child
            await anyio.sleep(POLL_SECONDS)

    def _send(self, number: signal.Signals) -> None:
        if self.running():
            os.kill(self.pid, number)


def find(programs: Sequence[str], marker: Sequence[str], *, owner: int) -> Process | None:
    """The process of user `owner` that is one of `programs` and has `marker` in its arguments.

    The process table is asked rather than a pid file: a command may be killed between starting a
    server and noting its pid.
    """
    wanted = [os.fsencode(part) for part in marker]
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            program, *arguments = (folder / "cmdline").read_bytes().split(b"\0")
            if folder.stat().st_uid != owner:
                continue
        except OSError:  # it ended while we looked
            continue
        if program.rpartition(b"/")[2].decode(errors="replace") in programs and any(
            arguments[at : at + len(wanted)] == wanted for at in range(len(arguments))
        ):
            pid = int(folder.name)
            started = _started(pid)
            if started is not None:
                return Process(pid, started)
    return None


def program_of(pid: int) -> str:
    """Name of the program that runs as `pid`; empty when none does, or only its zombie is left."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
    return "" if _started(pid) is None else name


def _started(pid: int) -> int | None:
    """Start time of a living process, field 22 of its stat line."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = stat.rpartition(b")")[2].split()  # the name before it may hold anything
    return None if fields[0] in {b"Z", b"X"} else int(fields[19])
