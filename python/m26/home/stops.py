"""``stop.json``: the STOPs that hold in a home, until `m26 resume`.

They survive restarts, and every process of the home keeps to them.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from m26.clock import iso, unix
from m26.home.files import cannot, read_object, write_private
from m26.home.lock import take
from m26.redaction import redact

STOP = "stop.json"


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
    """``account``: it stops the requests of `account` alone; ``home``: those of every account."""

    def holds_for(self, account: str) -> bool:
        """Whether requests of `account` are stopped by it."""
        return self.scope != "account" or self.account == account

    @property
    def what_to_do(self) -> str:
        """The advice, with the command that lifts the STOP."""
        lifts = "m26 resume" in self.advice
        return self.advice if lifts else f"{self.advice} Then run: m26 resume".strip()


def write_stop(home: Path, stop: Stop) -> None:
    """Record a STOP before anything else is done about it; it outlives this process.

    What holds already stays, and the same reason for the same account is written down once.

    Raises:
        StorageError: it cannot be written.
    """
    with _turn(home):
        standing = read_stops(home)
        if any((old.reason, old.account) == (stop.reason, stop.account) for old in standing):
            return
        _write(home, (*standing, stop))


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
    first = read_object(path)
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
            raise cannot("remove", home / STOP, error) from None


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
    """Writers of ``stop.json`` take turns: an account's STOP must not undo another's."""
    try:
        folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise cannot("use", home, error) from None
    try:
        take(folder, wait=True)
        yield
    finally:
        os.close(folder)
