"""Many homes' histories as one: what was served, in the order served, against what is stored.

Where several homes ask, no oracle can say which of them stores first.  What is left of the rules
then is plain: the states of an auction that were served, by all homes together and in the order in
which the simulator served them, are its events in the order of their times; none is missing, none
is there twice, and the current row shows the last one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

from tests.oracle.reading import History, Key
from tests.oracle.rules import Event, Seen, by_time
from tests.oracle.verdict import Verdict

_Identity = tuple[object, ...]


@dataclass(slots=True)
class _State:
    """One state of one auction, as it was served."""

    place: int
    """Which one of the auction's states it is, in the order served."""
    times: set[int] = field(default_factory=set)
    """Server time of each reply that showed it."""
    owed: set[int] = field(default_factory=set)
    """Of each of them that is owed."""


def judge_order(
    observations: Iterable[Seen],
    history: History,
    *,
    rivals: bool = False,
    dated: bool = True,
    gone: Container[int] = (),
) -> Verdict:
    """Every state that was served and is owed is one event, in the order served.

    Args:
        observations: of all homes, in request order.
        history: what they made of it together.
        rivals: whether several homes asked. The server's clock shows whole seconds: which of two
            states that two of them saw in one second is the newer one, nobody could know.
        dated: whether each event has the server's time of the first reply that showed its state.
        gone: requests whose replies need not be there.
    """
    verdict = Verdict("order")
    served: dict[Key, dict[_Identity, _State]] = defaultdict(dict)
    for seen in observations:
        states = served[seen.key]
        state = states.setdefault(seen.identity, _State(len(states)))
        state.times.add(seen.at)
        if seen.owed and seen.request not in gone:
            state.owed.add(seen.at)
    events = [event for _, event in history.events]
    stored: dict[Key, list[Event]] = defaultdict(list)
    for place in by_time(events):
        stored[events[place].key].append(events[place])
    ties = 0
    for key in served.keys() | stored.keys():
        walk = _Walk(served[key], rivals, dated, verdict)
        walk.inferred = any(event.evidence not in (None, "status") for event in stored[key])
        states = [event for event in stored[key] if walk.take(event)]
        ties += walk.ties
        verdict.missing += [
            (*key, *identity)
            for identity, state in served[key].items()
            if state.owed and identity not in walk.found
        ]
        if stored[key]:
            _check_row(history, states or stored[key], verdict, rivals=rivals, dated=dated)
    numbers = [seq for seq, _ in history.events]
    if numbers != list(range(1, history.head + 1)):
        verdict.problems.append(f"seq is not dense from 1 to the head, {history.head}")
    verdict.counts = {
        "auctions": len(served),
        "states": sum(map(len, served.values())),
        "events": len(history.events),
        "ties": ties,
        "late dates": sum(problem.startswith("date") for problem in verdict.problems),
        "problems": len(verdict.problems),
    }
    return verdict


@dataclass(slots=True)
class _Walk:
    """Through one auction's events in the order of their times."""

    states: dict[_Identity, _State]
    rivals: bool
    dated: bool
    verdict: Verdict
    found: set[_Identity] = field(default_factory=set)
    ties: int = 0
    """States of one second that are stored the other way round."""
    _place: int = -1
    _at: int = 0
    _tied: bool = False
    _before: Event | None = None
    inferred: bool = False
    """There was an outcome that no reply told."""

    def _is_inferred(self, event: Event) -> bool:
        """Whether an event repeats a state for an outcome that no reply told, or takes it back."""
        is_taken_back = self.inferred and event.kind == "changed" and event.outcome is None
        return event.evidence not in (None, "status") or is_taken_back

    def take(self, event: Event) -> bool:
        """The next event: whether it shows a state, and does not repeat one for an outcome."""
        identity = event.identity
        state = self.states.get(identity)
        if self._is_inferred(event) and identity in self.found:
            return False
        if state is None or not self._follows(state, event):
            self.verdict.extra.append(event)
            return True
        if self.dated and identity not in self.found:
            self._check_date(state, event)
        self.found.add(identity)
        self._before = event
        return True

    def _check_date(self, state: _State, event: Event) -> None:
        others = [each.times for each in self.states.values() if self.rivals and each is not state]
        alone = state.owed.difference(*others)
        if event.observed_at not in state.times:
            self.verdict.problems.append(f"dated {event.observed_at}, when nobody saw it: {event}")
        elif alone and event.observed_at > min(alone):
            self.verdict.problems.append(f"dated {event.observed_at}, not {min(alone)}: {event}")

    def _follows(self, state: _State, event: Event) -> bool:
        if state.place > self._place:
            self._place, self._at, self._tied = state.place, event.observed_at, False
        elif state.place == self._place:
            # After a tie the newer state is seen once more, and it is news then.
            if not self._tied and not _improves(self._before, event):
                return False
            self._tied = False
        elif self.rivals and event.observed_at == self._at:
            self.ties, self._tied = self.ties + 1, True
        else:
            return False
        return True


def _check_row(
    history: History, events: Sequence[Event], verdict: Verdict, *, rivals: bool, dated: bool
) -> None:
    """The current state is that of the last event that shows one, or of one that has its time.

    An outcome inferred at a home that had not seen the end repeats the state seen before it,
    whatever another home stores of earlier moments afterwards.
    """
    last = [e for e in events if rivals and e.observed_at == events[-1].observed_at] or events[-1:]
    row = history.auctions.get(last[0].key)
    if row is None or row.state.identity not in {event.identity for event in last}:
        verdict.problems.append(f"the current state is {row}, not {events[-1]}")
    elif dated and row.first_seen != events[0].observed_at:
        verdict.problems.append(f"first seen at {row.first_seen}, not as in {events[0]}")


def _improves(before: Event | None, event: Event) -> bool:
    """Whether an event that repeats a state says more of the outcome."""
    if event.kind != "closed" or before is None or event.confidence is None:
        return False
    if before.confidence is None:
        return True
    price, known = event.price_confidence, before.price_confidence
    now, then = (event.confidence, price or 0), (before.confidence, known or 0)
    return (now[::-1] > then[::-1]) if event.outcome == before.outcome else now > then
