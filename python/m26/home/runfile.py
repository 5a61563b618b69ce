"""``run.json``: which process collects for a home, for the commands that want to ask it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from m26.clock import iso, unix
from m26.home.files import read_object, write_private

RUN = "run.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """The collector that serves a home now."""

    pid: int
    url: str
    """Base address of its HTTP endpoints, without a slash at the end."""
    started_at: float
    """Unix seconds."""


@contextlib.contextmanager
def announced(home: Path, *, url: str, clock: Callable[[], float] = time.time) -> Iterator[Runner]:
    """Keep ``run.json`` of this process in `home` for as long as the block lasts."""
    run = Runner(pid=os.getpid(), url=url.rstrip("/"), started_at=clock())
    document = {
        "pid": run.pid,
        "url": run.url,
        "started_at": iso(run.started_at),
        "birth": _birth(run.pid),
    }
    write_private(home / RUN, orjson.dumps(document, option=orjson.OPT_INDENT_2))
    try:
        yield run
    finally:
        with contextlib.suppress(OSError):  # who reads it sees that its process is gone
            (home / RUN).unlink(missing_ok=True)


def read_run(home: Path) -> Runner | None:
    """The running collector; None when there is none, though a killed one may have left its file.

    A process id that now belongs to another process is recognised by its start time.
    """
    document = read_object(home / RUN)
    try:
        pid, birth = int(document["pid"]), document["birth"]
        run = Runner(pid=pid, url=str(document["url"]), started_at=unix(document["started_at"]))
    except (KeyError, TypeError, ValueError):
        return None
    alive = _birth(pid)
    return run if alive is not None and alive == birth else None


def _birth(pid: int) -> int | None:
    """Start of a process in clock ticks since boot, 0 where the system does not say, None if dead.

    The number tells one user of a process id from the next.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except OSError:
            return 0
        return 0
    return None if fields[0] in "ZX" else int(fields[19])
