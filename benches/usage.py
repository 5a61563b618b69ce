"""What processes use, as the kernel counts it: CPU seconds and the peak of memory."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from m26.embedded.postgres import Postgres

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU seconds since the processes began, user and system."""

    own: float
    """Of this process."""
    postgres: float
    """Of a server, with all its backends, those that have ended too."""

    @property
    def total(self) -> float:
        return self.own + self.postgres

    @classmethod
    def now(cls, server: Postgres) -> Cpu:
        """As it stands."""
        lock = next(server.socket_folder.glob(".s.PGSQL.*.lock"))
        postmaster = int(lock.read_text().split(maxsplit=1)[0])
        ticks = 0
        for pid, parent, own, ended in _processes():
            if postmaster in (pid, parent):
                ticks += own + ended
        return cls(time.process_time(), ticks / _TICK)

    def since(self, before: Cpu) -> Cpu:
        return Cpu(self.own - before.own, self.postgres - before.postgres)


def peak_memory(pid: int | str = "self") -> int:
    """Largest resident size of a process so far, bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def _processes() -> list[tuple[int, int, int, int]]:
    """(pid, parent, ticks of its own, ticks of its children that have ended) of each process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we were looking
        times = [int(value) for value in fields[11:15]]
        found.append((int(path.parent.name), int(fields[1]), sum(times[:2]), sum(times[2:])))
    return found
