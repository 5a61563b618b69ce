"""What the operator of a run is told of states that came late."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from m26.app.alarms import Alarms, Late
from m26.journal import Ledger
from m26.status.telemetry import Telemetry


class Idle:
    """A drain that has nothing to do."""

    oldest_age = 0.0


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


def test_the_status_says_that_many_states_come_late_and_what_that_means(tmp_path: Path) -> None:
    telemetry, idle = Telemetry(), Idle()
    drain: Any = idle
    alarms = Alarms(Ledger(tmp_path), drain, 60, telemetry)
    alarms.look()
    assert not telemetry.status.current.reason.startswith("late_states")
    telemetry.metrics.late.inc(310)
    alarms.look()

    [told] = [each for each in telemetry.status.conditions if each.source == "late"]
    assert told.reason.startswith("late_states: 310 states")
    assert "Nothing is lost" in told.advice
    for _ in range(300):
        alarms.look()
    assert not telemetry.status.current.reason
