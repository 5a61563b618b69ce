"""Looked at each second of a run and told while it lasts: damage, backlog, late states, files."""

from __future__ import annotations

from collections import deque

import anyio
import structlog

from m26 import descriptors
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
_LATE_MINUTES = 5
_BURST = 20
"""Late states within that time that are told: two homes in step have one now and then, when an
auction changes twice between their commits."""
_LATE = (
    "Nothing is lost: they are events with late: true, dated by when they were seen. This home"
    " stores behind another one of its platform. After an outage that ends by itself; if not, look"
    " at its lag."
)


class Alarms:
    """Tells of a journal's damage until it is acknowledged, of pages that wait, of late ones.

    And while no file can be opened: whoever needs one waits for it without a word of its own.

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
        self._late = Late()

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
        none_free = descriptors.none_free()
        self._report("descriptors", none_free, descriptors.ADVICE, State.STORING_ONLY)
        self._report("backlog", backlog(self._drain, self._due), _BACKLOG)
        self._report("late", self._late.look(self._metrics.value("m26_late_total")), _LATE)

    def _report(
        self, source: str, reason: str, advice: str, state: State = State.COLLECTING
    ) -> None:
        if reason:
            self._status.report(source, state, reason=reason, advice=advice)
            self._told.add(source)
        elif source in self._told:
            self._status.report(source, State.COLLECTING)


def backlog(drain: Drain, due: float) -> str:
    """Why it is not well that pages wait, whatever the cause; empty when it is."""
    if drain.oldest_age <= due:
        return ""
    return f"backlog_old: pages have waited for more than {due:.0f} s to be stored"


class Late:
    """Notices that many states come late."""

    def __init__(self) -> None:
        self._seen = deque[float]((0.0,), maxlen=round(_LATE_MINUTES * 60 / _EVERY))
        """At each look, the newest last."""

    def look(self, states: float) -> str:
        """Why it is not well that so many came until now; empty when it is."""
        self._seen.append(states)
        if (came := states - self._seen[0]) < _BURST:
            return ""
        return (
            f"late_states: {came:.0f} states within {_LATE_MINUTES} minutes came after another"
            " collector had stored newer ones"
        )
