from __future__ import annotations

import itertools

import pytest
from tests.support.observing import Clock

from m26.status.conditions import State, Status


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def status(clock: Clock) -> Status:
    return Status(clock=clock)


def test_a_process_of_which_nothing_is_known_is_starting(status: Status) -> None:
    current = status.current
    assert (current.source, current.state, current.since) == ("app", State.STARTING, 1000.0)
    assert current.reason
    assert current.advice
    assert status.conditions == ()


MILDEST_FIRST = (
    "collecting", "starting", "backing_off", "paused", "storing_only", "stopped", "draining",
)  # fmt: skip


@pytest.mark.parametrize(("milder", "worse"), list(itertools.pairwise(MILDEST_FIRST)))
def test_the_worst_condition_is_the_state(status: Status, milder: str, worse: str) -> None:
    status.report("a", State(worse), reason="w")
    status.report("b", State(milder), reason="m")
    assert status.current.source == "a"
    assert [c.source for c in status.conditions] == ["a", "b"]


def test_a_reason_outranks_none_and_age_decides_between_two(status: Status, clock: Clock) -> None:
    status.report("account:a", State.COLLECTING)
    clock.now += 1
    status.report("store", State.COLLECTING, reason="PostgreSQL is away")
    clock.now += 1
    status.report("publish", State.COLLECTING, reason="Redis is away")
    assert [c.source for c in status.conditions] == ["store", "publish", "account:a"]
    assert status.current == status.conditions[0]


def test_repeating_a_word_keeps_its_beginning_and_takes_its_new_end(
    status: Status, clock: Clock
) -> None:
    status.report("a", State.PAUSED, reason="429", until=1060.0)
    clock.now += 30
    status.report("a", State.PAUSED, reason="429", advice="wait", until=1120.0)
    assert status.current.since == 1000.0
    assert (status.current.until, status.current.advice) == (1120.0, "wait")


def test_a_reason_in_other_words_is_the_same_one(status: Status, clock: Clock) -> None:
    status.report("store", State.COLLECTING, reason="postgres_busy: held since 3 s")
    clock.now += 3
    status.report("store", State.COLLECTING, reason="postgres_busy: held since 6 s")
    assert (status.current.since, status.current.reason[-3:]) == (1000.0, "6 s")


def test_another_reason_begins_anew(status: Status, clock: Clock) -> None:
    status.report("a", State.PAUSED, reason="429")
    clock.now += 30
    status.report("a", State.PAUSED, reason="maintenance")
    assert status.current.since == 1030.0


def test_a_listener_hears_the_present_and_then_each_change_once(status: Status) -> None:
    heard: list[tuple[str, str]] = []
    status.on_change(lambda c: heard.append((c.state, c.reason)))
    status.report("a", State.COLLECTING)
    status.report("a", State.COLLECTING)
    status.report("b", State.STOPPED, reason="captcha")
    status.report("a", State.BACKING_OFF, reason="reset")  # milder: nobody need hear
    status.report("b", State.COLLECTING)
    assert heard == [
        ("starting", "starting: servers, schema and journal are being opened"),
        ("collecting", ""),
        ("stopped", "captcha"),
        ("backing_off", "reset"),
    ]


@pytest.mark.parametrize(
    ("source", "about"),
    [
        ("account:main", True),
        ("budget:main", True),
        ("stop:main", True),
        ("stop", True),
        ("account:other", False),
        ("stop:other", False),
        ("store", False),
        ("main", False),
    ],
)
def test_a_word_is_about_an_account_by_its_name_or_for_everybody(
    status: Status, source: str, about: bool
) -> None:
    status.report(source, State.PAUSED)
    assert status.current.is_about("main") is about


def test_an_account_is_as_its_own_worst_word_or_as_the_process(status: Status) -> None:
    assert status.about("main").state is State.STARTING
    status.report("store", State.STORING_ONLY, reason="full")
    status.report("account:main", State.COLLECTING)
    status.report("budget:main", State.PAUSED, reason="spent")
    assert (status.about("main").source, status.about("other").source) == ("budget:main", "store")
    status.report("stop", State.STOPPED, reason="captcha")
    assert {status.about(name).source for name in ("main", "other")} == {"stop"}
