"""A plan that is killed at every step it takes on disk; written out: what each left behind.

``python -m tests.support.plan_kills FOLDER``. Each life is a process of its own, which an audit
hook ends where the interpreter tells of a step.
"""

from __future__ import annotations

import json
import os
import sys
from itertools import count
from pathlib import Path
from typing import Any

from tests.support.examiner import DAY, NOW, row

from m26.collect.plan import Plan
from m26.collect.questions import Ask, Question

STEPS = ("open", "os.rename", "os.remove", "os.truncate", "os.mkdir")
IDS = (1, 2, 3)
KILLED = 9


def live(folder: Path, left: int, out: int) -> None:
    """Ask after three auctions, one a day, and save in between; gone after so many steps."""

    def step(event: str = "", _given: tuple[Any, ...] = ()) -> None:
        nonlocal left
        left -= event in ("", *STEPS)
        if left < 0:
            os._exit(KILLED)

    sys.addaudithook(step)
    with Plan(folder, per_day=1, per_minute=1, now=NOW) as plan:
        for number, auction_id in enumerate(IDS):
            question = Question(Ask(None, [auction_id]), NOW + number * (DAY + 1), "a test")
            step()
            plan.sent(question)
            os.write(out, b'["sent", %d]\n' % question.at)
            step()
            rows = [row(auction_id, NOW + DAY)]
            news = plan.reply(question.at, failed=False, truncated=False, rows=rows)
            step()
            for label in news.labels:
                os.write(out, b'["told", %d]\n' % label.auction_id)
            if number == 1:
                plan.save()


def killed(folder: Path, left: int) -> tuple[bool, dict[str, list[int]]]:
    """Whether a life was ended after so many steps, and what it had done."""
    done: dict[str, list[int]] = {"sent": [], "told": []}
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        live(folder, left, writes)
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads) as lines:
        for what, value in map(json.loads, lines):
            done[what].append(value)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, KILLED), code
    return code == KILLED, done


def main(base: Path) -> None:
    """Kill at step 0, 1, … until nothing is left to kill."""
    for left in count():
        folder = base / str(left)
        goes_on, done = killed(folder, left)
        with Plan(folder, per_day=1, per_minute=1, now=NOW) as plan:
            found = {
                "known": [each for each in IDS if plan.planner.lot(each)],
                "untold": [label.auction_id for label in plan.untold.labels],
                "at": plan.next(NOW).at,
                "aside": (folder / "damaged").exists(),
            }
        sys.stdout.write(json.dumps(done | found) + "\n")
        if not goes_on:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
