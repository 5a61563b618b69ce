from __future__ import annotations

from m26.upstream.rules import RULES
from m26.upstream.verdicts import Action, Escalation, Step, Verdict


def waits(rule: Verdict, times: int) -> list[Step]:
    return [rule.step(taken) for taken in range(times)]


def test_retries_follow_their_schedule_then_pause() -> None:
    steps = [(step.action, step.seconds) for step in waits(RULES["transient"], 6)]
    retries = [(Action.RETRY, s) for s in (1, 2, 4, 8)]
    assert steps == [*retries, (Action.PAUSE, 60), (Action.PAUSE, 60)]


def test_a_schedule_without_a_pause_repeats_its_last_wait() -> None:
    assert [step.seconds for step in waits(RULES["maintenance"], 9)][-3:] == [300, 300, 300]
    assert [step.seconds for step in waits(RULES["cut"], 8)][-2:] == [60, 60]


def test_pauses_grow() -> None:
    seconds = [step.seconds for step in waits(RULES["rate_limited"], 8)]
    assert seconds == [60, 120, 240, 480, 960, 1_800, 1_800, 1_800]
    assert [step.seconds for step in waits(RULES["soft_ban"], 4)] == [1_800, 7_200, 43_200, 43_200]


def test_a_session_rejected_again_at_once_pauses_instead_of_a_third_login() -> None:
    memory, rule = Escalation(), RULES["session_rejected"]
    assert memory.step(rule, now=0).action is Action.NEW_SESSION
    assert memory.step(rule, now=2) == Step(Action.PAUSE, 600)
    assert memory.step(rule, now=603).action is Action.NEW_SESSION


def test_a_session_that_worked_in_between_is_simply_renewed() -> None:
    memory, rule = Escalation(), RULES["session_rejected"]
    for now in (0, 240, 480):
        assert memory.step(rule, now=now).action is Action.NEW_SESSION
        memory.succeeded()


def test_an_edge_block_again_within_a_day_stops_even_after_good_replies() -> None:
    memory, rule = Escalation(), RULES["edge_blocked"]
    assert memory.step(rule, now=0) == Step(Action.PAUSE, 900)
    memory.succeeded()
    assert memory.step(rule, now=80_000).action is Action.STOP
    assert Escalation().step(rule, now=0).action is Action.PAUSE
    later = Escalation()
    later.step(rule, now=0)
    assert later.step(rule, now=86_401).action is Action.PAUSE


def test_a_refused_market_gets_one_new_session_an_hour() -> None:
    memory, rule = Escalation(), RULES["ui_error"]
    seen = [memory.step(rule, now=now).action for now in range(0, 7_200, 300)]
    assert [index * 300 for index, action in enumerate(seen) if action is Action.NEW_SESSION] == [
        0,
        3_600,
    ]
    assert set(seen) == {Action.NEW_SESSION, Action.PAUSE}


def test_a_token_rejected_twice_stops() -> None:
    memory, rule = Escalation(), RULES["token_rejected"]
    assert memory.step(rule, now=0).action is Action.NEW_TOKEN
    assert memory.step(rule, now=99_999).action is Action.STOP
