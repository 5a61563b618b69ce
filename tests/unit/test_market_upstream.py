"""The examiner's market and upstream: as its flags say, and shaped as the model says."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import pytest
from benches.market import bound, model, trace
from benches.market.dialogue import Plan, Run
from benches.market.goals import GOALS
from benches.market.model import Market
from benches.market.scores import score, window
from benches.market.trace import US
from benches.market.upstream import Upstream
from benches.market.variants import VARIANTS, Flags, Variant, with_flag
from tests.support.market import EPOCH, START, traced

MANY = traced(
    *({"id": 100 + n, "posted": n, "duration": (9 - n % 10) * 600 + 600} for n in range(250))
)

USUAL = Flags()


def upstream(at: float, flags: Flags = USUAL, auctions: trace.Trace = MANY) -> Upstream:
    """The upstream `at` s after the start."""
    subject = Upstream(auctions, flags)
    subject.advance(START + round(at * US))
    return subject


def ids(subject: Upstream, offset: int = 0) -> list[int]:
    return [subject.row(i)[0] for i in subject.search(offset)[0]]


def alive(at: int) -> list[int]:
    return [100 + n for n in range(250) if n <= at < n + (9 - n % 10) * 600 + 600]


@pytest.mark.parametrize("at", [0, 120, 700, 3000, 6200, 9000])
def test_newest_shows_what_is_alive_last_posted_first_page_by_page(at: int) -> None:
    subject = upstream(at)
    newest = alive(at)[::-1]
    assert ids(subject) == newest[:100]
    assert ids(subject, 100) == newest[100:200]
    assert ids(subject, 37) == newest[37:137]
    assert ids(subject, 200) == newest[200:]
    assert ids(subject, 400) == []


def test_ending_shows_what_ends_first() -> None:
    at = 700
    subject = upstream(at, Flags(order="ending"))
    shown = ids(subject) + ids(subject, 100) + ids(subject, 200)
    left = [subject.row(i)[6] for i in subject.search(0)[0]]
    assert sorted(shown) == alive(at)
    assert left == sorted(left)


def test_none_is_arbitrary_but_the_same_each_time() -> None:
    subject = upstream(300, Flags(order="none"))
    first = ids(subject)
    assert first == ids(subject)
    assert first not in (sorted(first), sorted(first, reverse=True))
    assert sorted(first + ids(subject, 100) + ids(subject, 200)) == alive(300)


def test_random_draws_each_page_anew_from_all() -> None:
    subject = upstream(300, Flags(order="random"))
    pages = [ids(subject) for _ in range(60)]
    assert pages[0] != pages[1]
    assert all(len(set(page)) == 100 for page in pages)
    times = Counter(auction for page in pages for auction in page)
    assert sorted(times) == alive(300)
    assert max(times.values()) < 3 * min(times.values()) + 10


def test_without_paging_every_offset_is_the_first_page() -> None:
    subject = upstream(300, Flags(paging=False))
    assert ids(subject, 100) == ids(subject) == alive(300)[::-1][:100]


@pytest.mark.parametrize(("cut", "offset", "count"), [(100, 0, 100), (100, 100, 0), (130, 100, 30)])
def test_only_the_first_n_of_a_cut_list_are_reached(cut: int, offset: int, count: int) -> None:
    found, truncated = upstream(300, Flags(truncate=cut)).search(offset)
    assert (len(found), truncated) == (count, True)
    assert upstream(300, Flags(truncate=1000)).search(0)[1] is False


ENDED = traced({"posted": 0, "outcome": "sold", "ended": 100}, {"posted": 0, "duration": 9000})


@pytest.mark.parametrize(
    ("flags", "at", "found"),
    [
        (Flags(), 5000, [0, 1]),
        (Flags(ended="omitted"), 5000, [1]),
        (Flags(ended="omitted"), 99.9, [0, 1]),
        (Flags(ended="error"), 5000, None),
        (Flags(ended="error"), 99.9, [0, 1]),
        (Flags(recall=600), 699, [0, 1]),
        (Flags(recall=600), 700, [1]),
    ],
)
def test_a_refresh_tells_of_ended_auctions_what_the_flags_say(
    flags: Flags, at: float, found: list[int] | None
) -> None:
    assert upstream(at, flags, ENDED).refresh([0, 1]) == found


@pytest.mark.parametrize(("at", "shown"), [(99.9, True), (100, True), (399, True), (400, False)])
def test_an_ended_auction_stays_visible_for_a_while(at: float, shown: bool) -> None:
    subject = upstream(at, Flags(visible=300), ENDED)
    assert (100 in ids(subject)) is shown
    status = subject.row(0)[1]
    assert status == ("active" if at < 100 else "ended")


@pytest.mark.parametrize(
    ("ended_price", "at", "row"),
    [
        ("final", 50, ("active", 0, 1000, 2000, EPOCH, 3550)),
        ("final", 60.5, ("active", 1, 1100, 2000, EPOCH, 3539)),
        ("final", 100, ("ended", 2, 2000, 2000, EPOCH, 0)),
        ("last_bid", 100, ("ended", 1, 1100, 2000, EPOCH, 0)),
    ],
)
def test_a_row_shows_bids_price_and_time_as_they_are_now(
    ended_price: str, at: float, row: tuple[object, ...]
) -> None:
    bought = traced({"posted": 0, "outcome": "sold", "ended": 100, "bids": [[60, 1100]]})
    assert upstream(at, Flags(ended_price=ended_price), bought).row(0)[1:7] == row


def test_a_switch_changes_the_order_and_keeps_the_moment() -> None:
    subject = upstream(700)
    subject.switch(with_flag(subject.flags, "order", "ending"))
    assert ids(subject) == ids(upstream(700, Flags(order="ending")))


def test_one_request_in_ten_is_lost_where_the_flag_says_so() -> None:
    subject = upstream(0, Flags(loss=0.1))
    assert 60 < sum(subject.lost() for _ in range(1000)) < 140
    assert not any(upstream(0).lost() for _ in range(100))


def test_a_flag_that_does_not_exist_is_told() -> None:
    with pytest.raises(ValueError, match="no flag colour: there are order, paging"):
        with_flag(Flags(), "colour", "red")


@pytest.fixture(scope="module")
def market() -> trace.Trace:
    return model.generate(Market(seed=7, per_day=12_000, days=2.0))


def test_a_market_has_the_shares_that_the_model_says(market: trace.Trace) -> None:
    found = model.shares(market.checked())
    assert found == pytest.approx({"buyout": 33, "bid": 25, "expired": 39, "cancelled": 3}, abs=1.5)
    hours = model.per_hour(market)
    assert 1.9 < max(hours) / (sum(hours) / 24) < 2.6
    assert min(hours) < max(hours) / 5


def test_a_copy_listed_again_is_newly_acquired_only_if_it_was_sold(market: trace.Trace) -> None:
    last: dict[int, int] = {}
    kinds: Counter[tuple[int, bool]] = Counter()
    for i in range(len(market)):
        before = last.get(market.copies[i])
        if before is not None:
            assert market.ended[before] <= market.posted[i]
            newer = market.acquired[i] > market.acquired[before]
            kinds[market.outcome[before], newer] += 1
        last[market.copies[i]] = i
    assert set(kinds) == {(trace.SOLD, True), (trace.EXPIRED, False)}


def test_half_of_the_last_bids_come_in_the_last_three_minutes(market: trace.Trace) -> None:
    before = [
        (market.ended[i] - market.bid_at[market.first_bid[i + 1] - 1]) / US
        for i in range(len(market))
        if market.via[i] == trace.BID
    ]
    assert 0.45 < sum(each <= 180 for each in before) / len(before) < 0.62
    assert 0.17 < sum(each <= 10 for each in before) / len(before) < 0.30


def test_a_trace_comes_back_from_its_lines_and_from_the_cache(tmp_path: Path) -> None:
    made = model.made(Market(seed=3, per_day=300, days=1.0), tmp_path)
    parsed = trace.parse(trace.lines(made))
    again = model.made(Market(seed=3, per_day=300, days=1.0), tmp_path)
    first = json.loads(next(trace.lines(made)))
    assert first["trace"]["auctions"] == len(made) > 0
    assert list(trace.lines(parsed)) == list(trace.lines(again)) == list(trace.lines(made))


def test_a_trace_out_of_order_is_refused() -> None:
    first, *rows = trace.lines(MANY)
    with pytest.raises(ValueError, match="must rise from line to line"):
        trace.parse([first, *rows[::-1]])


def test_simple_planners_reach_what_arithmetic_says(tmp_path: Path) -> None:
    """One page in 86 s sees half a rush; a refresh after the end knows all that was seen."""
    made = model.generate(Market(seed=2, per_day=20_000, days=0.6))
    found = {}
    for kind in ("first-page", "after-expiry"):
        command = [sys.executable, "-m", "benches.market", "naive", kind]
        run = Run(made, Plan(Flags(), 0.6, per_day=1500), command, tmp_path / kind)
        run.play()
        found[kind] = score(made, run.claims, run.counts, Flags(), window(0.6))
    assert all(figures["violations"] == 0 for figures in found.values())
    assert found["first-page"]["seen"] > 95
    assert found["first-page"]["sales_known"] < 25
    assert found["after-expiry"]["sales_known"] > 2 * found["first-page"]["sales_known"]
    assert found["after-expiry"]["known_wrong"] < 1
    most = bound.bound(made, Variant(requests=1500))
    assert most[0] >= found["first-page"]["seen"] - 0.5
    assert most[1] >= found["after-expiry"]["sales_known"]


def test_every_goal_is_of_a_variant_that_can_be_played() -> None:
    assert set(GOALS) <= set(VARIANTS)
