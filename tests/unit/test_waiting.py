"""How long the oldest page waits to be stored, whatever becomes of this machine's clock."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from tests.support.journals import make_page

from m26.clock import Clock
from m26.models import Record
from m26.store.waiting import Waiting

HOUR = 3600.0


class Set:
    """A clock that can be set."""

    now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


def record(pos: int, at: float) -> Record:
    return Record(pos, replace(make_page(pos), fetched_at=int(at * 1e6)))


def test_a_page_of_an_earlier_run_has_waited_since_it_came() -> None:
    clock = Set()
    waiting = Waiting(Clock(time=clock.time))
    assert waiting.seconds < HOUR
    waiting.oldest(record(0, clock.now - HOUR))
    assert HOUR <= waiting.seconds < 2 * HOUR
    waiting.oldest(record(7, clock.now - HOUR / 2))
    assert HOUR / 2 <= waiting.seconds < HOUR


def test_a_page_that_came_before_the_machine_started_has_waited_since_then() -> None:
    clock = Set()
    waiting = Waiting(Clock(time=clock.time))
    up = time.monotonic()
    waiting.oldest(record(0, clock.now - up - HOUR))
    assert waiting.seconds >= up + HOUR


@pytest.mark.parametrize("jump", [HOUR, 24 * HOUR])
def test_a_clock_set_forward_makes_no_page_old_that_has_just_come(jump: float) -> None:
    clock = Set()
    waiting = Waiting(Clock(time=clock.time))
    waiting.nothing()
    came = clock.now
    clock.now += jump
    waiting.oldest(record(0, came))
    assert waiting.seconds < HOUR


@pytest.mark.parametrize("jump", [-HOUR, -24 * HOUR])
def test_a_clock_set_back_makes_no_page_young_that_waits(jump: float) -> None:
    clock = Set()
    waiting = Waiting(Clock(time=clock.time))
    old = record(3, clock.now - HOUR)
    waiting.oldest(old)
    clock.now += jump
    waiting.oldest(old)  # tried again
    assert waiting.seconds >= HOUR
    waiting.oldest(record(4, clock.now + HOUR))  # dated in the future: it has come now
    assert waiting.seconds < HOUR


def test_a_damaged_record_waits_like_the_one_before_it() -> None:
    clock = Set()
    waiting = Waiting(Clock(time=clock.time))
    waiting.oldest(record(0, clock.now - HOUR))
    waiting.oldest(Record(1, None, "damaged", 9))
    waiting.oldest(record(10, 0.0))
    assert waiting.seconds >= HOUR


def test_a_fast_clock_is_counted_in_the_machines_seconds() -> None:
    clock = Set()
    waiting = Waiting(Clock(time=clock.time, speed=1000))
    waiting.oldest(record(0, clock.now - HOUR))
    assert waiting.seconds < 60
