"""One auction's observations and its history in; out every way in which the one explains the other.

A reply that was served but is not owed may have been kept or not: the observations are the word
and the history is what an automaton with a choice at each such reply has to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.oracle.rules import Event, Memory, Seen, state_of, step

_Node = tuple[Memory | None, int]
"""What is known, and how many events of the history are explained."""


@dataclass(slots=True)
class Explained:
    """How a history came about."""

    places: list[set[tuple[int, int]]]
    """For each event, the observations that may have caused it."""
    kept: set[int] = field(default_factory=set)
    """Replies, not owed, that may have been kept."""
    lost: set[int] = field(default_factory=set)
    """Replies, not owed, that may not have been kept."""
    ends: set[Memory] = field(default_factory=set)
    """What may be known after the last observation."""


def explain(
    observations: Sequence[Seen], events: Sequence[Event], *, states: bool = False
) -> Explained | None:
    """Match one auction's history against what was served of it, in order; None if it cannot be.

    Args:
        observations: what was served.
        events: without those that came late; they may be dated sooner than they were stored.
        states: the events are states alone, without outcomes.
    """
    layers: list[dict[_Node, list[tuple[_Node, bool]]]] = []
    nodes: set[_Node] = {(None, 0)}
    for seen in observations:
        layer = {node: list(_moves(node, seen, events, states=states)) for node in nodes}
        layers.append(layer)
        nodes = {after for moves in layer.values() for after, _ in moves}
    good = {node for node in nodes if node[1] == len(events)}
    if not good:
        return None
    explained = Explained(places=[set() for _ in events])
    explained.ends = {memory for memory, _ in good if memory is not None}
    for seen, layer in zip(reversed(observations), reversed(layers), strict=True):
        before = set()
        for node, moves in layer.items():
            for after, kept in moves:
                if after not in good:
                    continue
                before.add(node)
                if after[1] > node[1]:
                    explained.places[node[1]].add(seen.place)
                if not seen.owed:
                    (explained.kept if kept else explained.lost).add(seen.request)
        good = before
    return explained


def _moves(
    node: _Node, seen: Seen, events: Sequence[Event], *, states: bool
) -> list[tuple[_Node, bool]]:
    """Where an observation leads, and whether it was kept on that way."""
    memory, count = node
    moves = [] if seen.owed else [(node, False)]
    after, event = step(memory, seen)
    if states and event is not None:
        event = state_of(event, events[count - 1] if count else None)
    if event is None:
        moves.append(((after, count), True))
    elif count < len(events) and _is(event, events[count]):
        moves.append(((after, count + 1), True))
    return moves


def _is(made: Event, event: Event) -> bool:
    sooner = min(made.observed_at, event.observed_at)
    return event == made._replace(observed_at=sooner)
