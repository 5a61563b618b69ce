"""What is looked at each second of a run and told until it is over: damage, and an old backlog."""

from __future__ import annotations

import anyio
import structlog

from m26.journal import Ledger
from m26.status.conditions import State
from m26.status.telemetry import Telemetry
from m26.store.drain import Drain

_log = structlog.get_logger()
_EVERY = 1.0
_LINES = 20
"""Log lines at one look, at the most."""
_ACK = "Look at the disk (dmesg) and at who has changed the folder; then run: m26 journal ack"
_WAIT = "Nothing of it is lost: it is in the journal and is stored in its order. What storing waits"
_BACKLOG = f"{_WAIT} for, if for anything, stands in another reason."


class Alarms:
    """Tells of a journal's damage until it is acknowledged, and of pages that wait for too long.

    Args:
        damage: of the journal.
        drain: stores the journal.
        due: seconds within which a page is due to be stored.
        telemetry: told.
    """

    def __init__(self, damage: Ledger, drain: Drain, due: float, telemetry: Telemetry) -> None:
        self._damage, self._drain, self._due = damage, drain, due
        self._status, self._metrics = telemetry.status, telemetry.metrics
        self._logged: set[str] = set()
        self._told: set[str] = set()
        """Sources that have given a reason."""

    async def run(self) -> None:
        """Look for ever. Ends only by cancellation."""
        while True:
            self.look()
            await anyio.sleep(_EVERY)

    def look(self) -> None:
        """Tell how it is now."""
        self._damage.flush()
        places = self._damage.open()
        self._metrics.journal_damaged.set(len(places))
        news = [str(place) for place in places if str(place) not in self._logged]
        self._logged.update(news)
        for what in news[:_LINES]:
            _log.warning("journal.damaged", what=what, places=len(places), advice=_ACK)
        more = f" ({len(places)} places, this is the first)" if len(places) > 1 else ""
        reason = f"journal_damaged: {places[0]}{more}" if places else ""
        self._report("damage", reason, _ACK)
        self._report("backlog", backlog(self._drain, self._due), _BACKLOG)

    def _report(self, source: str, reason: str, advice: str) -> None:
        if reason:
            self._status.report(source, State.COLLECTING, reason=reason, advice=advice)
            self._told.add(source)
        elif source in self._told:
            self._status.report(source, State.COLLECTING)


def backlog(drain: Drain, due: float) -> str:
    """Why it is not well that pages wait, whatever the cause; empty when it is."""
    if drain.oldest_age <= due:
        return ""
    return f"backlog_old: pages have waited for more than {due:.0f} s to be stored"
