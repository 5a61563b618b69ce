"""The plan over real HTTP on a clock shared with the simulator: labels against its ledger."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
from tests.oracle import trial
from tests.support import product
from tests.support.product import Home, Run
from tests.support.simulator import Simulator, simulator
from tests.support.worldclock import WorldClock

from m26.sim.records import Truth

_HOUR, _DAY = 3_600, 86_400
_PER_DAY, _PER_MINUTE = 4_000, 10
_SETTLES = _HOUR / 2
"""After so long it should be known how an auction ended."""
_BEGINS = 17 * _HOUR
"""Of a day: the market's rush is ahead."""
_UNHURRIED = ("--session-ttl", "1000000", "--token-ttl", "1000000", "--bundle-ttl", "1000000")
_SURE = """
SELECT auction_id, outcome, final_price, evidence FROM m26.auction
WHERE confidence >= 0.9 AND (outcome <> 'sold' OR price_confidence >= 0.9)"""
_COVERED = "SELECT sum(seen), sum(endings_known), sum(sales_known), count(*) FROM m26.coverage_hour"


@dataclass(frozen=True, slots=True)
class Length:
    """How long, how much faster than real, and how large a market."""

    seconds: float
    speed: float
    size: int


SHORT = Length(13, 720, 1_500)
LONG = Length(600, 360, 3_000)


@dataclass(frozen=True, slots=True)
class Case:
    """A variant, what is to be found out of it, and what is to be known by then."""

    variant: str
    order: str
    ended: str
    known: float
    """Least share of the sales whose outcome and price are known."""
    wrong: float
    """Largest share of the sure labels."""


CASES = [
    Case("default", "newest", "full", known=0.55, wrong=0.03),
    Case("ended-omitted", "newest", "omitted", known=0.15, wrong=0.08),
    Case("order-ending", "ending", "full", known=0.3, wrong=0.08),
]


@pytest.mark.parametrize(
    "length",
    [pytest.param(SHORT, id="short"), pytest.param(LONG, id="10-min", marks=pytest.mark.soak)],
)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.variant)
def test_what_a_plan_knows_agrees_with_the_ledger(
    tmp_path: Path, database: str, redis_url: str, seed: int, case: Case, length: Length
) -> None:
    began = time.time() // _DAY * _DAY + _BEGINS
    clock = WorldClock(tmp_path / "clock", base=began, speed=length.speed)
    market = ("--size", str(length.size), "--speed", "1", "--mix", "thirds")
    options = ("--variant", case.variant, "--clock", str(clock.path), "--seed", str(seed))
    budget = {"budget__per_day": _PER_DAY, "budget__per_minute": _PER_MINUTE}
    servers = {"postgres__dsn": database, "redis__url": redis_url}
    with (
        simulator(tmp_path / "sim", *market, *options, *_UNHURRIED) as sim,
        product.client_of(sim, tmp_path / "home", **servers, **budget) as home,
    ):
        program = ("tests.faults.scaled", "run", str(clock.path))
        with home.running(program=program) as run:
            started = clock.time()
            ends = started + length.seconds * length.speed
            run.until(
                lambda: clock.time() > ends and decisions(run) >= 50, seconds=length.seconds + 60
            )
            tells_what_it_asks_and_why(run)
            assert run.end() == 0
        found_out(home, case)
        never_over_budget(sim)
        sure, covered = asyncio.run(stored(database))
        with sim.ledger() as ledger:
            truths = {each.listing.auction_id: each for each in ledger.truths()}
        agree(sure, truths, case)
        sales = [
            number
            for number, truth in truths.items()
            if truth.outcome == "sold" and started + _SETTLES < truth.ended_at < ends - _SETTLES
        ]
        known = [number for number in sales if is_right(sure.get(number), truths[number])]
        trial.say(f"{len(known)} of {len(sales)} sales known; seen, ends, sold, hours: {covered}")
        assert len(known) >= max(30, case.known * len(sales))
        assert all(covered), covered
        last = set(sim.served_last())  # the end may have come before the plan was told
        explains(home, next(number for number in reversed(known) if number not in last))


def decisions(run: Run) -> int:
    """How many requests were decided on: a busy machine takes longer for as many."""
    (market,) = run.status["markets"]
    return sum(market["decisions"].values())


def tells_what_it_asks_and_why(run: Run) -> None:
    """The status of a run has its market, its coverage and its decisions."""
    (market,) = run.status["markets"]
    trial.say(f"decisions: {market['decisions']}, coverage: {market['coverage']}")
    assert len(market["decisions"]) >= 2
    assert market["coverage"]["seen"] > 0


def found_out(home: Home, case: Case) -> None:
    """Nobody told the plan how this upstream behaves."""
    (market,) = orjson.loads(home.m26("upstream", "show", "--json").stdout)["markets"]
    held = {each["flag"]: (each["value"], each["origin"]) for each in market["capabilities"]}
    assert held["order"] == (case.order, "learned")
    assert held["ended"] == (case.ended, "learned")


def never_over_budget(sim: Simulator) -> None:
    """By the other side's count: logins and failures included."""
    with sim.ledger() as ledger:
        requests = [each for _, each in ledger.requests() if each.kind != "capture"]
    trial.say(f"answers: {Counter(each.answer for each in requests)}")
    at = [each.at for each in requests]
    for span, most in ((60, _PER_MINUTE), (_DAY, _PER_DAY)):
        assert max(n + 1 - bisect_right(at, t - span) for n, t in enumerate(at)) <= most


async def stored(dsn: str) -> tuple[dict[int, tuple[Any, ...]], tuple[int, ...]]:
    """What is said for sure, by auction; what was covered."""
    connection = await asyncpg.connect(dsn)
    try:
        sure = {row[0]: tuple(row)[1:] for row in await connection.fetch(_SURE)}
        covered = await connection.fetchrow(_COVERED)
        assert covered is not None
        return sure, tuple(covered)
    finally:
        await connection.close()


def agree(sure: dict[int, tuple[Any, ...]], truths: dict[int, Truth], case: Case) -> None:
    """Few sure labels are wrong, whatever they are of."""
    wrong = Counter(
        said[2] for number, said in sure.items() if not is_right(said, truths.get(number))
    )
    trial.say(f"{len(sure)} sure, by evidence: {Counter(said[2] for said in sure.values())}")
    trial.say(f"wrong: {wrong}")
    assert wrong.total() <= case.wrong * len(sure)


def is_right(said: tuple[Any, ...] | None, truth: Truth | None) -> bool:
    """Outcome and price; an auction that goes on has no truth to agree with."""
    if said is None or truth is None:
        return False
    return said[:2] == (truth.outcome, truth.final_price)


def explains(home: Home, auction_id: int) -> None:
    """What is known of an auction that was followed to its end."""
    done = home.m26("plan", "explain", str(auction_id), "--json")
    (view,) = orjson.loads(done.stdout)["auctions"]
    assert view["said"]["confidence"] >= 0.9
    assert view["posted_at"] < view["expires_at"]
