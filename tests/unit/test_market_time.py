from __future__ import annotations

from datetime import UTC, datetime, timedelta

from m26.store.rollups import Times, market_time

NOON = datetime(2026, 9, 21, 12, tzinfo=UTC)
WAIT = timedelta(seconds=60)


def at(*, newest: float, so_far: float | None = None, now: float = 0) -> float:
    """All in seconds after noon."""
    before = None if so_far is None else NOON + timedelta(seconds=so_far)
    times = Times("ps5", NOON + timedelta(seconds=newest), before)
    made = market_time(times, now=NOON + timedelta(seconds=now), wait=WAIT)
    return (made - NOON).total_seconds()


def test_market_time_is_the_newest_server_time_while_it_is_young() -> None:
    assert at(newest=-59) == -59
    assert at(newest=5) == 5


def test_where_nothing_was_heard_for_two_intervals_our_clock_goes_on() -> None:
    assert at(newest=-60) == 0
    assert at(newest=-86_400, so_far=-3_600) == 0


def test_it_stands_still_until_the_server_has_caught_up() -> None:
    assert at(newest=-30, so_far=0) == 0
    assert at(newest=10, so_far=0) == 10


def test_it_goes_back_only_where_our_clock_was_wrong() -> None:
    assert at(newest=-30, so_far=31) == -30
    assert at(newest=-30, so_far=30) == 30
    assert at(newest=-86_400, so_far=3_600) == 0
