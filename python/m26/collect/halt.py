"""A STOP: written down so that it survives restarts, shown, and waited out until `m26 resume`."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import anyio
import structlog

from m26.runfile import Stop, read_stop, write_stop
from m26.status import State, Status
from m26.upstream.rules import RULES
from m26.upstream.verdicts import RefusedError, Verdict

_log = structlog.get_logger()
_POLL = 0.5


class Halt:
    """Keeps every account of a home from asking while a STOP holds.

    Args:
        home: where ``stop.json`` is.
        status: told about it.
        ends: a STOP ends the process (``--for``, ``--exit-on-stop``) in place of waiting.
    """

    def __init__(self, home: Path, status: Status, *, ends: bool) -> None:
        self._home = home
        self._status = status
        self._ends = ends

    async def stop(self, account: str, verdict: Verdict) -> None:
        """Carry out a STOP; returns when the operator has cleared it.

        Raises:
            RefusedError: a STOP ends this process; it bears the exit code of its reason.
        """
        held = Stop(
            reason=verdict.reason,
            message=verdict.message,
            advice=verdict.advice,
            since=time.time(),
            account=account,
        )
        write_stop(self._home, held)
        _log.error(
            "gateway.stopped", account=account, reason=verdict.reason, message=verdict.message
        )
        await self.wait()

    async def wait(self) -> None:
        """Return when no STOP holds.

        Raises:
            RefusedError: one holds and ends this process.
        """
        told = False
        while (held := read_stop(self._home)) is not None:
            if self._ends:
                raise _as_error(held)
            if not told:
                told = True
                self._status.report(
                    "stop",
                    State.STOPPED,
                    reason=f"{held.reason}: {held.message}",
                    advice=held.what_to_do,
                )
            await anyio.sleep(_POLL)
        if told:
            _log.info("gateway.resumed")
            self._status.report("stop", State.COLLECTING)


def _as_error(held: Stop) -> RefusedError:
    rule = RULES.get(held.reason, RULES["captcha"])
    message = f"stopped, and no request leaves: {held.reason}: {held.message}"
    return RefusedError(replace(rule, message=message, advice=held.what_to_do))
