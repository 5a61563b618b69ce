"""Interleaved rounds: contenders that do the same work in, their seconds round by round out.

In every round each contender runs once, in an order drawn anew, so that a busy neighbour on the
machine hits all of them alike. A ratio is the median of the ratios within each round.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benches import bars
from benches.bars import Bar
from pytest_benchmark.fixture import BenchmarkFixture

WARM_UP = 1
"""Rounds that are run and checked, and not counted."""


@dataclass(slots=True)
class Contender:
    """One way of doing the work."""

    label: str
    run: Callable[[Any], Any]
    """Timed."""
    check: Callable[[Any, Any], None]
    """Given the round's input and the result of `run`: raises unless the work was done."""
    prepare: Callable[[Any], Any] = lambda given: given
    """Turns the round's input into what `run` is given."""
    auctions: int | None = None
    """Of a round, where its work is not as large as the others'; seconds are scaled to theirs."""
    seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """What must hold between two contenders of a race.

    Either `ours` is at least `at_least` times as fast as `peer`, or it takes at most `at_most`
    times as long.
    """

    id: str
    peer: str
    at_least: float | None = None
    at_most: float | None = None
    tolerance: float | None
    """As in `Bar`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """What is raced for, and how the report shows it."""

    part: str
    """The requirement that its section belongs to."""
    title: str
    note: str
    """What each contender is given and what it must have done at the end."""
    ours: str
    """The contender that the others are compared with."""
    bars: Sequence[Against] = ()


def run(
    benchmark: BenchmarkFixture,
    race: Race,
    contenders: Sequence[Contender],
    *,
    rounds: int,
    work: Callable[[int], Any],
    auctions: int,
) -> None:
    """Race, and keep the figures and the bars for the report.

    Args:
        benchmark: pytest-benchmark's; keeps the figures in its JSON.
        race: title and bars.
        contenders: all of them run in every round.
        rounds: counted ones.
        work: number of a round to its input, the same for all contenders.
        auctions: auctions in one round.
    """
    rng, number = random.Random(race.title), iter(range(WARM_UP + rounds))

    def one_round() -> None:
        given = work(current := next(number))
        for contender in rng.sample(contenders, len(contenders)):
            seconds = _timed(contender, given) * auctions / (contender.auctions or auctions)
            if current >= WARM_UP:
                contender.seconds.append(seconds)

    gc.freeze()  # what is there by now is not looked at again before each contender
    benchmark.pedantic(one_round, rounds=rounds, warmup_rounds=WARM_UP)
    gc.unfreeze()
    times = {contender.label: contender.seconds for contender in contenders}
    benchmark.extra_info["race"] = {
        "part": race.part,
        "title": race.title,
        "note": race.note,
        "ours": race.ours,
        "auctions": auctions,
        "seconds": times,
    }
    bars.keep(benchmark, *(_measured(bar, race, times) for bar in race.bars if bar.peer in times))


def ratio(seconds: Mapping[str, Sequence[float]], ours: str, peer: str) -> float:
    """How many times as fast `ours` is as `peer`, by the median of the rounds' ratios."""
    pairs = zip(seconds[ours], seconds[peer], strict=True)
    return median(theirs / own for own, theirs in pairs)


def _measured(bar: Against, race: Race, seconds: Mapping[str, Sequence[float]]) -> Bar:
    first, second = race.ours, bar.peer
    if bar.at_most is not None:  # of time, not of speed
        first, second = second, first
    return Bar(
        id=bar.id,
        what=race.title,
        against=bar.peer,
        measured=ratio(seconds, first, second),
        at_least=bar.at_least,
        at_most=bar.at_most,
        tolerance=bar.tolerance,
    )


def timed(work: Callable[[Any], Any], given: Any) -> tuple[float, Any]:
    """Seconds of `work`, and its result: after a full collection, and with the collector off."""
    gc.collect()
    gc.disable()  # for all alike; it is the peers that make an object for each value
    try:
        started = time.perf_counter()
        result = work(given)
        return time.perf_counter() - started, result
    finally:
        gc.enable()


def _timed(contender: Contender, given: Any) -> float:
    seconds, result = timed(contender.run, contender.prepare(given))
    contender.check(given, result)
    return seconds
