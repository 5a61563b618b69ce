"""A STOP: written down so that it survives restarts, shown, and waited out until `m26 resume`."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from pathlib import Path

import anyio
import structlog
from anyio.to_thread import run_sync

from m26.errors import StorageError
from m26.home.stops import STOP, Stop, read_stops, write_stop
from m26.status.conditions import State, Status
from m26.upstream.rules import RULES
from m26.upstream.verdicts import RefusedError, Verdict

_log = structlog.get_logger()
_POLL = 0.5
"""Seconds, the machine's: it is a person who is waited for."""


class StoppedError(RefusedError):
    """A STOP holds, so no request may leave; the exit code is that of its reason."""

    def __init__(self, stop: Stop) -> None:
        rule = RULES.get(stop.reason, RULES["captcha"])
        whose = f" of account {stop.account}" if stop.scope == "account" else ""
        message = f"stopped, and no request{whose} leaves: {stop.reason}: {stop.message}"
        super().__init__(replace(rule, message=message, advice=stop.what_to_do))


class Halt:
    """Keeps accounts of a home from asking while a STOP holds for them.

    Args:
        home: where ``stop.json`` is; other processes write it too.
        status: told about it.
        ends: a STOP ends the process (``--for``, ``--exit-on-stop``) in place of waiting.
        accounts: those of this process: the first STOP of any of them ends it.
        clock: Unix seconds.
    """

    def __init__(
        self,
        home: Path,
        status: Status,
        *,
        ends: bool,
        accounts: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._home = home
        self._status = status
        self._ends = ends
        self._accounts = tuple(accounts)
        self._clock = clock
        self._version: object = None
        self._stops: tuple[Stop, ...] = ()
        self._told: dict[str, Stop] = {}

    def stop_of(self, account: str) -> Stop | None:
        """The STOP that holds for an account; whatever is new is told. Costs one look at a file."""
        version = self._look()
        if version != self._version:
            self._version, self._stops = version, read_stops(self._home)
            self._tell()
        return next((stop for stop in self._stops if stop.holds_for(account)), None)

    async def stop(self, account: str, verdict: Verdict) -> None:
        """Write a STOP down, before anything else is done about it.

        Raises:
            StorageError: it cannot be written, and the process ends at a STOP anyway.
        """
        stop = Stop(
            reason=verdict.reason,
            message=verdict.message,
            advice=verdict.advice,
            since=self._clock(),
            account=account,
            scope=verdict.scope,
        )
        while True:
            try:
                await run_sync(write_stop, self._home, stop)
                break
            except StorageError as error:
                if self._ends:
                    raise
                self._show(_source(stop), stop)
                _log.error("gateway.stop_unwritten", account=account, error=error.message)
                await anyio.sleep(_POLL)
        _log.error(
            "gateway.stopped",
            account=account,
            reason=stop.reason,
            message=stop.message,
            scope=stop.scope,
        )
        self.stop_of(account)

    async def wait(self, account: str) -> None:
        """Return when no STOP holds for an account.

        Raises:
            StoppedError: one holds and ends this process.
        """
        while self.stop_of(account) is not None:
            if self._ends:
                ours = (account, *self._accounts)
                first = next(s for s in self._stops if any(map(s.holds_for, ours)))
                raise StoppedError(first)
            await anyio.sleep(_POLL)

    async def watch(self) -> None:
        """Tell of a STOP, and of its end, also when no account is about to ask."""
        while True:
            self.stop_of("")
            await anyio.sleep(_POLL)

    def guarded(
        self, account: str, spend: Callable[[str], Awaitable[None]]
    ) -> Callable[[str], Awaitable[None]]:
        """`spend` after which no STOP holds: waiting for a slot takes long, and much may happen.

        The result raises StoppedError where one holds, and never waits for its end: its callers
        hold locks. `wait` is for callers that hold none.
        """

        async def spend_unless_stopped(name: str) -> None:
            self._check(account)
            await spend(name)
            self._check(account)

        return spend_unless_stopped

    def _check(self, account: str) -> None:
        if (stop := self.stop_of(account)) is not None:
            raise StoppedError(stop)

    def _look(self) -> tuple[int, int, int] | None:
        try:
            facts = (self._home / STOP).stat()
        except FileNotFoundError:
            return None
        except OSError:  # it cannot be read, but it is there
            return (0, 0, 0)
        return (facts.st_mtime_ns, facts.st_ino, facts.st_size)

    def _tell(self) -> None:
        now: dict[str, Stop] = {}
        for stop in self._stops:
            now.setdefault(_source(stop), stop)
        for source, stop in now.items():
            if self._told.get(source) != stop:
                self._show(source, stop)
        for source in self._told.keys() - now.keys():
            _log.info("gateway.resumed", source=source)
            self._status.report(source, State.COLLECTING)
        self._told = now

    def _show(self, source: str, stop: Stop) -> None:
        self._status.report(
            source,
            State.STOPPED,
            reason=f"{stop.reason}: {stop.message}",
            advice=stop.what_to_do,
        )


def _source(stop: Stop) -> str:
    return f"stop:{stop.account}" if stop.scope == "account" else "stop"
