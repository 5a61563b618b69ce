"""A process of its own that stores what a journal holds: when it committed first, and its memory.

``python -m benches.drained JOURNAL DSN`` prints one JSON document; `drained` runs that.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
from benches.live import drain_of, journal_in
from benches.usage import peak_memory

import m26.app.run  # noqa: F401 - what a run has loaded counts, too
from m26.store.database import opened
from m26.wake import Wake

_LONGEST = 600


@dataclass(frozen=True, slots=True)
class Report:
    """How it went."""

    first: float
    """Monotonic seconds at which the first batch was committed."""
    last: float
    """The same of the last."""
    peak: int
    """Largest resident size, bytes."""
    pos: int
    """Records that are committed."""


async def drain(folder: Path, dsn: str) -> Report:
    """Store all that the journal in `folder` holds beyond the cursor."""
    commits: list[float] = []
    async with opened(dsn) as store:
        with journal_in(folder) as journal:
            committed = lambda: commits.append(time.monotonic())  # noqa: E731
            draining = drain_of(journal, store, wake=Wake(), committed=committed)
            await draining.open()
            draining.finish()
            await draining.run()
            return Report(commits[0], commits[-1], peak_memory(), draining.pos)


@dataclass(frozen=True, slots=True)
class Drained:
    """A whole process, as seen from outside."""

    first_seconds: float
    """From its start to the first commit."""
    last_seconds: float
    peak: int
    """Largest resident size, bytes."""
    pos: int


def drained(folder: Path, dsn: str) -> Drained:
    """Run `drain` in a new process."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "benches.drained", str(folder), dsn],
        cwd=Path(__file__).resolve().parents[1],
        stdout=subprocess.PIPE,
        timeout=_LONGEST,
        check=True,
    )
    report = Report(**orjson.loads(done.stdout))
    return Drained(report.first - started, report.last - started, report.peak, report.pos)


if __name__ == "__main__":
    made = asyncio.run(drain(Path(sys.argv[1]), sys.argv[2]))
    sys.stdout.write(orjson.dumps(asdict(made)).decode())
