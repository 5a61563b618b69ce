"""The oracle that looks at no time: each auction's states in the order served, and as stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby

from tests.oracle.reading import History, Key
from tests.oracle.rules import Seen
from tests.oracle.verdict import Verdict

State = tuple[object, ...]


def judge_order(observations: Sequence[Seen], history: History) -> Verdict:
    """Every auction went through the states that were served, in the order served.

    A state that only replies at the end showed, which are not owed, may be missing.
    """
    owed: dict[Key, list[State]] = defaultdict(list)
    served: dict[Key, list[State]] = defaultdict(list)
    stored: dict[Key, list[State]] = defaultdict(list)
    for seen in observations:
        served[seen.key].append(seen.identity)
        owed[seen.key] += [seen.identity] * seen.owed
    for _, event in history.events:
        identity = (event.status, event.buyout_price, event.current_bid, event.next_bid, event.bids)
        stored[event.key].append(identity)
    verdict = Verdict("order", {"states": sum(len(_runs(each)) for each in served.values())})
    for key in served.keys() | stored.keys():
        found = _runs(stored[key])
        if found not in (_runs(owed[key]), _runs(served[key])):
            verdict.problems.append(f"{key} was served as {_runs(served[key])}, stored as {found}")
    return verdict


def _runs(states: Iterable[State]) -> list[State]:
    """Each state once for as long as it lasted."""
    return [state for state, _ in groupby(states)]
