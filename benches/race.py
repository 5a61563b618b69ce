"""Interleaved rounds: contenders that do the same work in, their seconds round by round out.

In every round each contender runs once, in an order drawn anew, so that a busy neighbour on the
machine hits all of them alike. A ratio is the median of the ratios within each round.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

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
    seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Bar:
    """What must hold: `ours` does the work at least `at_least` times as fast as `peer`.

    The gate closes below ``at_least * (1 - tolerance)``: what is left of a shared machine's noise
    after interleaving must not fail a build.
    """

    id: str
    ours: str
    peer: str
    at_least: float
    tolerance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """What is raced for, and how the report shows it."""

    title: str
    note: str
    """What each contender is given and what it must have done at the end."""
    ours: str
    """The contender that the others are compared with."""
    bars: Sequence[Bar] = ()


def run(
    benchmark: BenchmarkFixture,
    race: Race,
    contenders: Sequence[Contender],
    *,
    rounds: int,
    work: Callable[[int], Any],
    auctions: int,
) -> None:
    """Race, and note the figures for the report; `hold` then holds the bars against them.

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
            seconds = _timed(contender, given)
            if current >= WARM_UP:
                contender.seconds.append(seconds)

    benchmark.pedantic(one_round, rounds=rounds, warmup_rounds=WARM_UP)
    times = {contender.label: contender.seconds for contender in contenders}
    benchmark.extra_info["race"] = {
        "title": race.title,
        "note": race.note,
        "ours": race.ours,
        "auctions": auctions,
        "seconds": times,
        "bars": [_measured(bar, times) for bar in race.bars],
    }


def hold(benchmark: BenchmarkFixture) -> None:
    """Fail where a bar of the race is missed by more than its tolerance."""
    for bar in benchmark.extra_info["race"]["bars"]:
        least = bar["at_least"] * (1 - bar["tolerance"])
        assert bar["measured"] >= least, f"{bar['ours']} is {bar['measured']:.2f} x {bar['peer']}"


def ratio(seconds: dict[str, list[float]], ours: str, peer: str) -> float:
    """How many times as fast `ours` is as `peer`, by the median of the rounds' ratios."""
    pairs = zip(seconds[ours], seconds[peer], strict=True)
    return median(theirs / own for own, theirs in pairs)


def _measured(bar: Bar, seconds: dict[str, list[float]]) -> dict[str, Any]:
    return {
        "id": bar.id,
        "ours": bar.ours,
        "peer": bar.peer,
        "at_least": bar.at_least,
        "tolerance": bar.tolerance,
        "measured": ratio(seconds, bar.ours, bar.peer),
    }


def _timed(contender: Contender, given: Any) -> float:
    prepared = contender.prepare(given)
    gc.collect()
    gc.disable()  # for all alike; it is the peers that make an object for each value
    try:
        started = time.perf_counter()
        result = contender.run(prepared)
        seconds = time.perf_counter() - started
    finally:
        gc.enable()
    contender.check(given, result)
    return seconds
