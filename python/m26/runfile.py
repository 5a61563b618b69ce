"""What a home's collector tells other commands through two files: ``run.json``, ``stop.json``."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from m26.errors import StorageError
from m26.private import replace_private
from m26.redaction import redact

RUN = "run.json"
STOP = "stop.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The collector that serves a home now."""

    pid: int
    url: str
    """Base address of its HTTP endpoints, without a slash at the end."""
    started_at: float
    """Unix seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Why no request leaves until the operator has acted (action STOP of docs/PROTOCOL.md)."""

    reason: str
    """Short code, e.g. ``captcha``, ``banned``, ``login_expired``."""
    message: str
    advice: str
    since: float
    """Unix seconds."""
    account: str
    """Whose request led to it."""
    scope: str = "home"
    """``account``: it stops the requests of `account` alone; ``home``: those of everybody."""

    def holds_for(self, account: str) -> bool:
        """Whether requests of `account` are stopped by it."""
        return self.scope != "account" or self.account == account

    @property
    def what_to_do(self) -> str:
        """The advice, with the command that lifts the STOP."""
        lifts = "m26 resume" in self.advice
        return self.advice if lifts else f"{self.advice} Then run: m26 resume".strip()


@contextlib.contextmanager
def announced(home: Path, *, url: str, clock: Callable[[], float] = time.time) -> Iterator[Run]:
    """Keep ``run.json`` of this process in `home` for as long as the block lasts."""
    run = Run(pid=os.getpid(), url=url.rstrip("/"), started_at=clock())
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
        (home / RUN).unlink(missing_ok=True)


def read_run(home: Path) -> Run | None:
    """The running collector; None when there is none, though a killed one may have left its file.

    A process id that now belongs to another process is recognised by its time of birth.
    """
    document = _read(home / RUN)
    try:
        pid, birth = int(document["pid"]), document["birth"]
        run = Run(pid=pid, url=str(document["url"]), started_at=unix(document["started_at"]))
    except (KeyError, TypeError, ValueError):
        return None
    alive = _birth(pid)
    return run if alive is not None and alive == birth else None


def write_stop(home: Path, stop: Stop) -> None:
    """Record a STOP before anything else is done about it; it outlives this process.

    What holds already stays, and the same reason for the same account is written down once.

    Raises:
        StorageError: it cannot be written.
    """
    with _turn(home):
        held = read_stops(home)
        if any((old.reason, old.account) == (stop.reason, stop.account) for old in held):
            return
        _write(home, (*held, stop))


def read_stop(home: Path) -> Stop | None:
    """The first STOP that holds in this home."""
    return next(iter(read_stops(home)), None)


def read_stops(home: Path) -> tuple[Stop, ...]:
    """Every STOP that holds in this home, the first one first. One that cannot be read holds."""
    path = home / STOP
    try:
        written_at = path.stat().st_mtime
    except FileNotFoundError:
        return ()
    except OSError:
        written_at = time.time()
    first = _read(path)
    others = first.get("others", [])
    documents = [first, *(others if isinstance(others, list) else [others])]
    return tuple(_stop(each, path, written_at) for each in documents)


def clear_stop(home: Path, shown: Iterable[Stop] | None = None) -> None:
    """Let requests go on. Only `m26 resume` calls this, on the operator's word.

    Args:
        home: where it is.
        shown: those that the operator was shown: one that came since holds. None: all.

    Raises:
        StorageError: it cannot be removed, so it still holds.
    """
    dealt_with = None if shown is None else tuple(shown)
    with _turn(home):
        left = [s for s in read_stops(home) if dealt_with is not None and s not in dealt_with]
        if left:
            _write(home, left)
            return
        try:
            (home / STOP).unlink(missing_ok=True)
        except OSError as error:
            raise _cannot("remove", home / STOP, error) from None


def _write(home: Path, stops: Iterable[Stop]) -> None:
    first, *others = [_document(each) for each in stops]
    if others:
        first["others"] = others
    write_private(home / STOP, orjson.dumps(first, option=orjson.OPT_INDENT_2))


def _document(stop: Stop) -> dict[str, Any]:
    return {
        "reason": stop.reason,
        "message": redact(stop.message),
        "advice": redact(stop.advice),
        "since": iso(stop.since),
        "account": stop.account,
        "scope": stop.scope,
    }


def _stop(document: Any, path: Path, written_at: float) -> Stop:  # noqa: ANN401 - any JSON
    try:
        return Stop(
            reason=str(document["reason"]),
            message=str(document["message"]),
            advice=str(document["advice"]),
            since=unix(document["since"]),
            account=str(document["account"]),
            scope=str(document.get("scope", "home")),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return Stop(
            reason="unreadable",
            message=f"{path} says that requests were stopped, but its text cannot be read",
            advice="Find out from the log why, then run: m26 resume",
            since=written_at,
            account="",
        )


@contextlib.contextmanager
def _turn(home: Path) -> Iterator[None]:
    """Those who write ``stop.json`` take turns: an account's STOP must not undo another's."""
    try:
        folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _cannot("use", home, error) from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def write_private(path: Path, data: bytes) -> None:
    """`replace_private`, told as this project tells of disks.

    Raises:
        StorageError: the disk or the folder does not allow it; the old file is untouched.
    """
    try:
        replace_private(path, data)
    except OSError as error:
        raise _cannot("write", path, error) from None


def _cannot(do: str, path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"cannot {do} {path}: {error.strerror}",
        hint="Check the disk's free space and the permissions of this folder.",
    )


def iso(seconds: float) -> str:
    """Unix seconds as ``2026-08-15T20:57:15Z``, with milliseconds only where they are not zero."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00").removesuffix(".000") + "Z"


def unix(text: str) -> float:
    """The inverse of `iso`."""
    return datetime.fromisoformat(text).timestamp()


def _read(path: Path) -> dict[str, Any]:
    try:
        document = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


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
