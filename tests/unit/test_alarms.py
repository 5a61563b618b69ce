"""What the operator of a run is told of states that came late."""

from __future__ import annotations

from m26.app.alarms import Late


def test_a_late_state_now_and_then_is_no_reason() -> None:
    late = Late()
    assert not any(late.look(second // 20) for second in range(3_600))


def test_a_burst_of_late_states_is_a_reason_until_it_is_five_minutes_past() -> None:
    late = Late()
    assert not late.look(7)
    reason = late.look(317)
    assert reason.startswith(
        "late_states: 317 states within 5 minutes came after another collector"
    )
    told = [bool(late.look(317)) for _ in range(600)]
    assert told == [True] * 298 + [False] * 302
    assert late.look(340).startswith("late_states: 23 states")
