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
from tests.oracle.rules import Event, Seen
from tests.oracle.verdict import Verdict

_Identity = tuple[object, ...]


@dataclass(slots=True)
class _State:
    """One state of one auction, as it was served."""

    place: int
    """Which one of the auction's states it is, in the order served."""
    owed: bool = False
    first: int | None = None
    """Server time of the first reply that showed it and is owed."""
    times: set[int] = field(default_factory=set)
    """Server time of each reply that showed it."""


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
            state.owed = True
            state.first = seen.at if state.first is None else min(state.first, seen.at)
    stored: dict[Key, list[tuple[int, Event]]] = defaultdict(list)
    for seq, event in history.events:
        stored[event.key].append((seq, event))
    ties = 0
    for key in served.keys() | stored.keys():
        events = [e for _, e in sorted(stored[key], key=lambda row: (row[1].observed_at, row[0]))]
        ties += _judge(key, served[key], events, history, verdict, rivals=rivals, dated=dated)
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


def _judge(
    key: Key,
    states: dict[_Identity, _State],
    events: Sequence[Event],
    history: History,
    verdict: Verdict,
    *,
    rivals: bool,
    dated: bool,
) -> int:
    """One auction; how many of its states were of one second, and stored the other way round."""
    found: set[_Identity] = set()
    ties, tied, before = 0, False, None
    newest: tuple[int, int] = (-1, 0)  # place and time
    for event in events:
        identity = _identity(event)
        state = states.get(identity)
        if state is None:
            verdict.extra.append(event)
            continue
        if state.place > newest[0]:
            newest, tied = (state.place, event.observed_at), False
        elif rivals and state.place < newest[0] and event.observed_at == newest[1]:
            ties, tied = ties + 1, True
        elif state.place == newest[0] and (tied or _improves(before, event)):
            tied = False
        elif state.place == newest[0]:
            verdict.extra.append(event)
        else:
            verdict.problems.append(f"behind a later state: {event}")
        if dated and identity not in found:
            verdict.problems += _date(state, event)
        found.add(identity)
        before = event
    verdict.missing += [
        (*key, *identity) for identity, s in states.items() if s.owed and identity not in found
    ]
    if events:
        last = {_identity(e) for e in events[-1:] if e.observed_at == events[-1].observed_at}
        if rivals:
            last = {_identity(e) for e in events if e.observed_at == events[-1].observed_at}
        row = history.auctions.get(key)
        if row is None or _identity(row.state) not in last:
            verdict.problems.append(f"the current state of {key} is {row}, not {events[-1]}")
    return ties


def _date(state: _State, event: Event) -> list[str]:
    if event.observed_at not in state.times:
        return [f"dated {event.observed_at}, when nobody saw it: {event}"]
    if state.first is not None and event.observed_at > state.first:
        return [f"dated {event.observed_at}, first served at {state.first}: {event}"]
    return []


def _improves(before: Event | None, event: Event) -> bool:
    """Whether an event that repeats a state says more of the outcome."""
    if event.kind != "closed" or before is None or event.confidence is None:
        return False
    return before.confidence is None or event.confidence > before.confidence


def _identity(event: Event) -> _Identity:
    """As `Seen.identity`."""
    return event.status, event.buyout_price, event.current_bid, event.next_bid, event.bids
