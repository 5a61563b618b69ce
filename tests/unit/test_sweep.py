"""Which searches passed over the whole list: pages in, sweeps out."""

from __future__ import annotations

import pytest
from tests.support.journals import make_page
from tests.support.wire import auction, body

from m26 import peek
from m26.collect.exchange import Answer
from m26.collect.sweep import Sweep, Sweeps

HOUR = 3_600_000_000


def page(*ids: int, cut: bool = False) -> Answer:
    content = body(*map(auction, ids))
    if cut:
        content = content.replace(b'"truncated":false', b'"truncated":true')
    return Answer(make_page(1), peek(content))


def passed(sweeps: Sweeps, *looks: tuple[int, Answer], every: int = 1) -> list[Sweep | None]:
    """What each look ends, at a given offset and one after the other."""
    ended = []
    for now, (offset, answer) in enumerate(looks, 1):
        sweeps.asked(offset, now * every)
        ended.append(sweeps.answered(offset, answer, now * every))
    return ended


def test_pages_that_overlap_from_front_to_end_are_a_complete_sweep() -> None:
    looks = [(0, page(9, 8, 7, 6)), (3, page(6, 5, 4, 3)), (7, page())]
    *under_way, facts = passed(Sweeps(single=False), *looks)

    assert under_way == [None, None]
    assert facts is not None
    assert (facts.complete, facts.why, facts.pages_asked, facts.auctions) == (
        True,
        "empty page",
        3,
        7,
    )
    assert (facts.started_at, facts.finished_at) == (1, 3)


def test_a_page_of_what_was_seen_already_is_the_last_one() -> None:
    facts = passed(Sweeps(single=False), (0, page(9, 8, 7, 6)), (3, page(6)))[-1]

    assert facts is not None
    assert (facts.complete, facts.why) == (True, "last page")


def test_looks_in_between_neither_help_nor_hinder() -> None:
    front, hole, end = (0, page(9, 8)), (40, page(2, 1)), (2, page())
    ended = passed(Sweeps(single=False), front, hole, (0, page(10, 9)), end)

    assert ended[:3] == [None] * 3
    assert ended[3] is not None
    assert (ended[3].complete, ended[3].pages_answered) == (True, 4)


def test_what_was_skipped_leaves_a_sweep_open() -> None:
    assert passed(Sweeps(single=False), (0, page(9, 8)), (40, page())) == [None, None]


def test_a_repeated_page_ends_a_sweep_that_is_not_complete() -> None:
    facts = passed(Sweeps(single=False), (0, page(9, 8)), (2, page(9, 8)))[-1]

    assert facts is not None
    assert (facts.complete, facts.why) == (False, "page repeated: paging is ignored")


def test_a_cut_page_or_a_pause_makes_a_sweep_incomplete() -> None:
    facts = passed(Sweeps(single=False), (0, page(9, 8, cut=True)), (2, page()))[-1]
    assert facts is not None
    assert (facts.complete, facts.why) == (False, "empty page, truncated by the server")

    sweeps = Sweeps(single=False)
    passed(sweeps, (0, page(9, 8)))
    sweeps.trouble()
    facts = passed(sweeps, (2, page()))[-1]
    assert facts is not None
    assert (facts.complete, facts.why) == (False, "empty page, after a pause")
    facts = passed(sweeps, (0, page(9, 8)), (2, page()))[-1]
    assert facts is not None
    assert facts.complete


def test_without_paging_one_page_is_a_sweep() -> None:
    facts = passed(Sweeps(single=True), (0, page(9, 8)))[0]

    assert facts is not None
    assert (facts.complete, facts.pages_asked) == (True, 1)


@pytest.mark.parametrize("failures", [0, 3])
def test_a_list_that_is_not_passed_over_within_the_hour_is_told_as_that(failures: int) -> None:
    sweeps = Sweeps(single=False)
    for _ in range(failures):  # asked, and never answered
        sweeps.asked(0, HOUR // 2)
    looks = [(0, page(n, n - 1)) for n in range(9, 13)]
    ended = passed(sweeps, *looks, every=HOUR // 2)

    facts = next(each for each in ended if each is not None)
    assert (facts.complete, facts.why) == (False, "the list goes on")
    assert facts.pages_asked == facts.pages_answered + failures
