"""What is written down about a journal's damage, by a run and by `m26 journal ack` beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from m26.journal.damage import Damage, Gap, Ledger

Command = Callable[..., Any]


def gaps(*ranges: tuple[int, int]) -> list[Gap]:
    return [Gap(first, stop, f"why {first}") for first, stop in ranges]


def ranges(places: Sequence[Damage]) -> list[tuple[int, int]]:
    return [(place.first, place.last + 1) for place in places]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([(5, 6), (5, 6)], [(5, 6)]),
        ([(5, 6), (6, 7), (7, 9)], [(5, 9)]),
        ([(5, 9), (6, 7), (5, 10)], [(5, 10)]),
        ([(5, 6), (20, 30), (0, 40)], [(5, 6), (20, 30), (0, 5), (6, 20), (30, 40)]),
        ([(10, 20), (5, 15), (15, 25)], [(10, 20), (5, 10), (20, 25)]),
    ],
    ids=str,
)
def test_a_place_is_told_once_and_neighbours_are_one_place(
    tmp_path: Path, found: list[tuple[int, int]], told: list[tuple[int, int]]
) -> None:
    ledger = Ledger(tmp_path)
    for each in found:
        ledger.found("j", gaps(each))
    assert ranges(ledger.open()) == told
    assert ranges(Ledger(tmp_path).open()) == told


def test_what_is_acknowledged_is_told_no_more_unless_it_grows(tmp_path: Path) -> None:
    running, other = Ledger(tmp_path), Ledger(tmp_path)
    running.found("j", gaps((5, 9)))
    assert ranges(other.acknowledge()) == [(5, 9)]
    assert running.open() == ()
    running.found("j", gaps((5, 9), (6, 7)))
    assert running.open() == ()
    running.found("j", gaps((5, 11)))
    assert ranges(running.open()) == [(9, 11)]
    running.found("other", gaps((5, 9)))
    assert ranges(other.acknowledge()) == [(9, 11), (5, 9)]
    assert other.acknowledge() == ()


def test_what_a_full_disk_takes_not_is_told_all_the_same_and_written_later(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "journal")  # there is no such folder yet
    ledger.found("j", gaps((5, 9)))
    assert ranges(ledger.open()) == [(5, 9)]
    assert Ledger(tmp_path / "journal").open() == ()
    (tmp_path / "journal").mkdir()
    ledger.flush()
    assert ranges(Ledger(tmp_path / "journal").open()) == [(5, 9)]
    assert ranges(ledger.open()) == [(5, 9)]


def test_a_disk_that_rots_everywhere_fills_no_list_without_end(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.found("j", gaps(*((pos, pos + 1) for pos in range(0, 3000, 2))))
    places = ledger.open()
    assert len(places) == 1000
    assert ranges(places)[-1] == (1998, 2999)


def test_a_journal_that_was_given_up_on_purpose_is_no_damage(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.found("old", gaps((5, 9)))
    ledger.disown("old")
    ledger.found("old", gaps((0, 500)))
    ledger.found("new", gaps((1, 2)))
    assert ranges(ledger.open()) == [(1, 2)]


def test_ack_says_what_it_acknowledges_or_that_there_is_nothing(home: Path, m26: Command) -> None:
    assert "none to acknowledge" in m26("journal", "ack").out
    (home / "journal").mkdir()
    Ledger(home / "journal").found("j", gaps((5, 9), (20, 21)))
    said = m26("journal", "ack")
    assert said.code == 0
    assert "records 5 to 8: why 5" in said.out
    assert "record 20: why 20" in said.out
    assert "none to acknowledge" in m26("journal", "ack").out


def test_an_ack_that_cannot_be_written_is_an_error_with_the_folder(
    home: Path, m26: Command
) -> None:
    (home / "journal").mkdir()
    Ledger(home / "journal").found("j", gaps((5, 9)))
    (home / "journal" / ".damage.json.lock").unlink()
    (home / "journal" / ".damage.json.lock").mkdir()
    said = m26("journal", "ack")
    assert said.code == 6
    assert str(home / "journal") in said.err
    assert Ledger(home / "journal").open()
