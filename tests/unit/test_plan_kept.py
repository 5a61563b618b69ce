"""A plan on disk: killed at any step, damaged, without room, had twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.support.examiner import DAY, NOW, row
from tests.support.full import full_disk

from m26.collect.plan import Plan
from m26.collect.plan_files import read
from m26.collect.questions import Ask, Question
from m26.errors import HomeLockedError, StorageError

MINUTE = 60_000_000


def opened(folder: Path, now: int = NOW, per_day: int = 4_000) -> Plan:
    return Plan(folder, per_day=per_day, per_minute=6, now=now)


def looked(plan: Plan, at: int) -> None:
    """Nine auctions were seen."""
    plan.sent(Question(Ask((0, 100), []), at, "a test"))
    plan.reply(at, failed=False, truncated=False, rows=[row(each, at) for each in range(1, 10)])


def test_a_kill_at_any_step_loses_no_request_and_no_label(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "tests.support.plan_kills", str(tmp_path)]
    done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=60)
    steps = [json.loads(text) for text in done.stdout.splitlines()]

    assert len(steps) > 20
    assert steps[-1]["known"] == [1, 2, 3]
    for step in steps:
        assert not step["aside"]
        assert set(step["told"]) <= set(step["known"])  # what was told is not forgotten
        assert set(step["known"]) == {*step["told"], *step["untold"]}  # the rest is told now
        assert not step["sent"] or step["at"] > step["sent"][-1] + DAY  # one a day


@pytest.mark.parametrize("harm", ["cut", "flipped", "foreign", "gone", "log"])
def test_what_cannot_be_read_is_moved_aside_and_the_budget_counts_as_spent(
    tmp_path: Path, harm: str
) -> None:
    with opened(tmp_path) as plan:
        looked(plan, NOW)
    with opened(tmp_path, NOW + MINUTE) as plan:
        looked(plan, NOW + MINUTE)
        state, (log,) = tmp_path / "state", tmp_path.glob("log-*")
        kept, events = state.read_bytes(), log.read_bytes()
    (log,) = tmp_path.glob("log-*")
    match harm:
        case "cut":
            state.write_bytes(kept[: len(kept) // 2])
        case "flipped":
            state.write_bytes(kept[:-9] + bytes([kept[-9] ^ 1]) + kept[-8:])
        case "foreign":
            state.write_bytes(b"[999999," + kept.partition(b",")[2])
        case "gone":
            log.write_bytes(events)
            state.unlink()
        case "log":
            log.write_bytes(b"}" + events)

    with capture_logs() as told, opened(tmp_path, NOW + 2 * MINUTE) as plan:
        assert plan.planner.lot(1) is None
        wait = plan.next(NOW + 2 * MINUTE).at - NOW - 2 * MINUTE
        assert 3 * DAY // 4_000 < wait < 10 * DAY // 4_000
    assert any((tmp_path / "damaged").iterdir())
    assert [(line["event"], line["moved_to"]) for line in told] == [
        ("plan.damaged", str(tmp_path / "damaged"))
    ]


def test_a_line_of_the_log_that_a_kill_cut_is_not_there(tmp_path: Path) -> None:
    with opened(tmp_path) as plan:
        looked(plan, NOW)
    (log,) = tmp_path.glob("log-*")
    with log.open("ab") as file:
        file.write(b'["sent",[[[0,100],[]],17')
    with opened(tmp_path) as plan:
        assert plan.planner.lot(1) is not None
        looked(plan, NOW + MINUTE)
    with opened(tmp_path) as plan:
        assert plan.next(NOW).at >= NOW + MINUTE
    assert not (tmp_path / "damaged").exists()


def test_a_snapshot_is_written_before_a_question_is_chosen_and_a_kill_then_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("m26.collect.plan._SNAPSHOT_EVERY", 2)
    plan = opened(tmp_path)
    looked(plan, NOW)
    looked(plan, NOW + MINUTE)  # nobody chose it: what came of the reply before may be untold
    before, question, after = read(tmp_path), plan.next(NOW + 2 * MINUTE), read(tmp_path)
    assert before is not None
    assert after is not None
    assert (before.generation, after.generation, after.events) == (1, 2, [])
    looked(plan, question.at)
    plan.__exit__(OSError)

    with opened(tmp_path, question.at) as again:
        assert again.planner.reasons() == plan.planner.reasons() == [("a test", 3, 9, 0, 0, 27)]


def test_a_full_disk_is_told_and_nothing_of_the_question_counts(tmp_path: Path) -> None:
    plan = opened(tmp_path)
    looked(plan, NOW)
    (log,) = tmp_path.glob("log-*")
    question = Question(Ask((0, 100), []), NOW + MINUTE, "a test")
    with (
        full_disk(log.stat().st_size + 5),
        pytest.raises(StorageError, match=r"cannot write .*log-"),
    ):
        plan.sent(question)
    plan.__exit__(StorageError)
    with opened(tmp_path) as plan:
        assert plan.next(NOW).at < NOW + MINUTE
        assert plan.planner.lot(1) is not None


def test_a_plan_is_had_by_one_process_at_a_time(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(HomeLockedError, match="another m26"):
        opened(tmp_path)
    with opened(tmp_path):
        pass


def test_a_budget_that_was_smaller_for_a_while_forgets_no_request(tmp_path: Path) -> None:
    for number, per_day in enumerate((12, 2, 2, 12)):
        with opened(tmp_path, per_day=per_day) as plan:
            for minute in range(3):
                looked(plan, NOW + (10 * number + minute) * MINUTE)
    with opened(tmp_path, per_day=12) as plan:
        assert plan.next(NOW).at > NOW + DAY
