"""docs/PROTOCOL.md against the failure table and the profile's fields."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest
from tests.docs.pages import DOCS, rows, section

from m26.upstream.profile import (
    BudgetLimits,
    CardRules,
    Command,
    OAuth,
    Paging,
    Pins,
    Profile,
    Signing,
    Wal,
)
from m26.upstream.rules import RULES
from m26.upstream.verdicts import Action

PAGE = DOCS / "PROTOCOL.md"
LETTERS = {
    Action.RETRY: "R",
    Action.NEW_SESSION: "S",
    Action.NEW_TOKEN: "T",
    Action.PAUSE: "P",
    Action.STOP: "STOP",
}
TOLD = {cells[0].strip("`"): cells[1:] for cells in rows(section(PAGE, "Failure table"))}
UNITS = {"s": 1, "min": 60, "h": 3600}
SECTIONS = {
    "oauth": OAuth,
    "wal": Wal,
    "commands.NAME": Command,
    "signing": Signing,
    "paging": Paging,
    "upstream": Pins,
    "budget": BudgetLimits,
    "card": CardRules,
}


def times(text: str) -> list[float]:
    """``P 2, 4, 8 min, 1 h`` as seconds."""
    found: list[float] = []
    for numbers, unit in re.findall(r"((?:\d+, )*\d+) (s|min|h)\b", text):
        found += [int(number) * UNITS[unit] for number in numbers.split(", ")]
    return found


def test_every_reason_stands_in_the_failure_table() -> None:
    assert set(TOLD) == set(RULES) - {"ok"}


@pytest.mark.parametrize("reason", TOLD)
def test_a_row_of_the_failure_table_says_what_the_rule_does(reason: str) -> None:
    _, action, then, exit_code = TOLD[reason]
    rule = RULES[reason]
    assert action.split()[0].strip(",") == LETTERS[rule.action]
    assert action.endswith(", Q") == rule.quarantine
    assert int(exit_code) == rule.exit_code
    remembered = times(then.partition("remembered")[2])
    assert remembered == ([] if rule.memory == float("inf") else [rule.memory])
    following = then.partition(", remembered")[0]
    match rule.action:
        case Action.RETRY:
            assert times(action) == list(rule.delays)
            assert times(following) == [rule.pause or rule.delays[-1]]
            assert following.startswith("P ") == (rule.pause is not None)
        case Action.PAUSE if not rule.then_stop:
            assert times(action)[0] == rule.pause
            assert times(following) == list(rule.longer or (rule.pause,))
        case Action.STOP:
            assert not following
        case _:
            assert following == ("STOP" if rule.then_stop else following)
            assert rule.then_stop or times(following) == [rule.pause]


def test_every_field_of_a_profile_stands_there() -> None:
    told = [cells[0].strip("`") for cells in rows(section(PAGE, "Profile file"))]
    top = [field.name for field in fields(Profile)]
    wanted = [name for name in top if name not in {s.partition(".")[0] for s in SECTIONS}]
    wanted += [f"{name}.{f.name}" for name, kind in SECTIONS.items() for f in fields(kind)]
    assert sorted(told) == sorted(wanted)


def test_every_command_of_the_profile_stands_there_with_its_id() -> None:
    told = {cells[0].strip("`"): int(cells[1]) for cells in rows(section(PAGE, "Three calls"))}
    shipped = Profile.load("madden26").commands.values()
    assert told == {command.name: command.id for command in shipped}
