"""`m26 plan serve`: the dialogue, its breaks, and what is said of lines that are none of it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.support.examiner import DAY, HELLO, NOW, Examiner, Line, answer

from m26.errors import UsageError

HOUR = 3_600_000_000
Tell = Callable[[Line, int], object]


def until(hours: float, last: object = None) -> Tell:
    """Answer for so long, then say the last word: the end, unless given."""
    end = NOW + round(hours * HOUR)
    word = {"type": "end", "at": end} if last is None else last
    return lambda question, _: answer(question) if question["at"] < end else word


def test_the_dialogue_goes_as_it_is_written_down(tmp_path: Path) -> None:
    examiner = Examiner(HELLO, until(3))
    assert examiner.play(tmp_path) == 0

    first, *_ = examiner.heard
    assert first == {"ask": "search", "offset": 0, "count": 100, "at": NOW, "why": "front page"}
    assert {line["ask"] for line in examiner.questions} == {"search", "refresh"}
    assert len(examiner.labels) == 9
    label = examiner.labels[4]
    assert (label["outcome"], label["evidence"], label["confidence"]) == ("expired", "status", 1.0)
    assert label["closed_after"] < label["closed_before"] <= NOW + HOUR + 2_000_000
    assert any(line.get("notice") == "ended" and line["value"] == "full" for line in examiner.heard)

    done = examiner.heard[-1]
    assert done["type"] == "done"
    hours = done["coverage"]
    assert [row["from"] for row in hours] == [NOW + each * HOUR for each in range(len(hours))]
    assert all(row["low"] <= row["listed"] <= row["high"] for row in hours)


def test_a_restart_goes_on_where_it_was_and_tells_nothing_twice(tmp_path: Path) -> None:
    whole = Examiner(HELLO, until(6))
    whole.play(tmp_path / "whole")
    before = Examiner(HELLO, until(1.5, {"type": "restart"}))
    assert before.play(tmp_path / "halves") == 0
    unsent = before.questions[-1]
    after = Examiner(HELLO | {"now": unsent["at"]}, until(6))
    assert after.play(tmp_path / "halves") == 0

    assert after.questions[0]["at"] == unsent["at"]
    assert not before.labels.keys() & after.labels.keys()
    assert {**before.labels, **after.labels}.keys() == whole.labels.keys()


class Gone(io.BytesIO):
    """A reader that goes away before a label is written."""

    def write(self, line: Any, /) -> int:
        if b"auction_id" in line:
            raise BrokenPipeError
        return super().write(line)


def test_labels_that_a_kill_kept_back_are_told_first(tmp_path: Path) -> None:
    examiner = Examiner(HELLO, until(9))
    examiner.sink = Gone()
    with pytest.raises(BrokenPipeError):
        examiner.play(tmp_path)
    assert examiner.questions[-1]["at"] > NOW + HOUR
    assert not examiner.labels

    again = Examiner(HELLO | {"now": NOW + 2 * HOUR}, until(9))
    again.play(tmp_path)
    assert "auction_id" in again.heard[0]
    assert len(again.labels) == 9


@pytest.mark.parametrize("seed", range(3))
def test_no_budget_is_exceeded_over_kills_and_restarts(tmp_path: Path, seed: int) -> None:
    sent: list[int] = []
    now, per_day, draw = NOW, 15, Random(seed)

    def tell(question: Line, _number: int) -> object:
        at = question["at"]
        assert at >= now
        word = draw.randrange(11)
        if word == 3:
            return {"type": "restart"}
        sent.append(at)
        if word == 5:
            return None  # it is gone, and so is the reply
        if word == 8:
            return answer(question) | {"error": "ERR_SYSTEM", "auctions": []}
        return answer(question)

    for life in range(30):
        Examiner(HELLO | {"now": now, "per_day": per_day, "per_minute": 2}, tell).play(tmp_path)
        now = max([now, *sent]) + (life % 4) * HOUR
    assert sent[-1] - NOW > 2 * DAY
    for at in sent:
        assert sum(at - DAY < each <= at for each in sent) <= per_day
        assert sum(at - 60_000_000 < each <= at for each in sent) <= 2


def test_a_refused_question_teaches_nothing_and_counts(tmp_path: Path) -> None:
    refusal = {"type": "reply", "error": "REFUSED", "truncated": False, "auctions": []}

    def tell(question: Line, number: int) -> object:
        if number < 40:
            return refusal | {"at": question["at"]}
        return {"type": "end", "at": question["at"]}

    examiner = Examiner(HELLO, tell)
    assert examiner.play(tmp_path) == 0
    times = [line["at"] for line in examiner.questions]
    assert times == sorted(set(times))
    assert not any("notice" in line for line in examiner.heard)


BROKEN: list[tuple[object, str]] = [
    (b"{\n", "no JSON"),
    (b"\n", "no JSON"),
    (b"[1]\n", "no JSON object"),
    ({"type": "hello"}, "not expected"),
    ({"type": "reply", "at": NOW}, "cannot be read"),
    ({"type": "reply", "at": "now", "error": None, "truncated": False, "auctions": []}, "at must"),
    (
        {"type": "reply", "at": NOW, "error": None, "truncated": False, "auctions": [[1, "gone"]]},
        "cannot be read",
    ),
    (
        {"type": "reply", "at": NOW, "error": None, "truncated": 1, "auctions": {"a": 1}},
        "cannot be read",
    ),
]


@pytest.mark.parametrize(("line", "what"), BROKEN)
def test_a_line_that_is_none_says_what_and_harms_nothing(
    tmp_path: Path, line: object, what: str
) -> None:
    examiner = Examiner(HELLO, lambda *_: line)
    with pytest.raises(UsageError, match=what) as told:
        examiner.play(tmp_path)
    assert told.value.exit_code == 2
    assert "PLANNER.md" in str(told.value.hint)
    after = Examiner(HELLO | {"now": NOW + HOUR}, until(3))
    assert after.play(tmp_path) == 0
    assert not (tmp_path / "damaged").exists()


@pytest.mark.parametrize(
    "hello",
    [{"type": "reply"}, HELLO | {"schema": 2}, HELLO | {"per_day": 0}, HELLO | {"now": None}],
)
def test_a_hello_that_is_none_is_refused(tmp_path: Path, hello: Line) -> None:
    with pytest.raises(UsageError):
        Examiner(hello, until(1)).play(tmp_path)
    assert not any(tmp_path.iterdir())


def test_as_a_program_it_says_on_stderr_why_it_ends(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "m26", "plan", "serve"]
    told = json.dumps(HELLO) + "\n" + "no line\n"
    done = subprocess.run(
        line,
        input=told,
        capture_output=True,
        text=True,
        check=False,
        env={"M26_HOME": str(tmp_path)},
    )
    assert done.returncode == 2
    assert "no JSON" in done.stderr
    assert json.loads(done.stdout)["ask"] == "search"
