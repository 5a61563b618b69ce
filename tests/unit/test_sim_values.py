"""What the simulator's cards are worth: the curves keep to what is said of them, at any moment."""

from __future__ import annotations

import itertools
import math
import statistics

import pytest

from m26.sim import values
from m26.sim.behaviour import WORDS
from m26.sim.values import KINDS, SEASON, Kind, Values, noise, promos, released, volatility, walk

DAY = 20_717.5
"""Some day of the market."""
USUAL = 10_000


def days(count: int, step: float = 1.0) -> list[float]:
    return [DAY + number * step for number in range(count)]


def test_there_is_a_kind_for_each_word_that_prices_may_be() -> None:
    assert WORDS["prices"] == ("plain", *KINDS)


def test_a_value_is_the_same_whenever_and_in_whatever_order_it_is_asked_for(seed: int) -> None:
    asked = [(card, day) for card in range(20) for day in days(20, 7.3)]
    first = [Values(seed, "sim", moves=True).at(card, USUAL, day) for card, day in asked]
    for cached in (values._bridge, values._index, values._release, values._promo, values._level):
        cached.cache_clear()
    back = [Values(seed, "sim", moves=True).at(card, USUAL, day) for card, day in asked[::-1]]
    assert back[::-1] == first
    assert [
        Values(seed + 1, "sim", moves=True).at(card, USUAL, day) for card, day in asked
    ] != first


def test_a_value_that_stands_still_stands_still() -> None:
    still = Values(26, "sim", moves=False)
    assert len({still.at(5, USUAL, day) for day in days(100)}) == 1
    assert still.index(DAY) == 0


def test_consoles_have_values_of_their_own_and_the_same_promos() -> None:
    one, other = (Values(26, platform, moves=True) for platform in ("ps5", "xbsx"))
    still = [Values(26, platform, moves=False) for platform in ("ps5", "xbsx")]
    apart = [math.log(still[0].at(n, USUAL, DAY) / still[1].at(n, USUAL, DAY)) for n in range(400)]
    assert statistics.mean(apart) == pytest.approx(0, abs=0.03)
    assert statistics.stdev(apart) == pytest.approx(0.1 * math.sqrt(2), rel=0.2)
    assert one.index(DAY) != other.index(DAY)
    moves = [values.at(3, USUAL, DAY + 3) / values.at(3, USUAL, DAY) for values in (one, other)]
    assert moves[0] != moves[1]
    quarters = days(300, 0.25)
    falls = [
        {day for day in quarters if values.index(day + 0.5) < values.index(day) - 0.04}
        for values in (one, other)
    ]
    assert len(falls[0] & falls[1]) > len(falls[0] | falls[1]) / 2


def test_a_walk_moves_as_much_as_it_says_and_is_back_after_a_season(seed: int) -> None:
    for span in (1 / 16, 0.5, 2.0):
        steps = [
            walk(f"{seed} {name}", day + span) - walk(f"{seed} {name}", day)
            for name in range(200)
            for day in (SEASON * 40 + 3, SEASON * 40 + 17)
        ]
        assert statistics.stdev(steps) == pytest.approx(math.sqrt(span), rel=0.2)
    for season in range(3):
        assert walk("a", season * SEASON) == pytest.approx(0, abs=1e-9)
        assert walk("a", (season + 1) * SEASON - 1e-6) == pytest.approx(0, abs=1e-3)
    assert walk("a", SEASON / 3) != walk("b", SEASON / 3)


def test_cards_move_by_two_to_nine_percent_a_day_and_scatter_by_four_to_nine(seed: int) -> None:
    for habit, low, high in ((volatility, 0.02, 0.09), (noise, 0.04, 0.09)):
        found = [habit(seed, card) for card in range(300)]
        assert low <= min(found) < low + 0.005
        assert high - 0.005 < max(found) <= high


def test_the_market_falls_with_promos_within_hours_and_is_back_in_weeks(seed: int) -> None:
    level = [promos(seed, day) for day in days(2_000, 1 / 24)]
    assert max(level) <= 0
    assert min(level) > -1
    hours = [after - before for before, after in itertools.pairwise(level)]
    falling, rising = [x for x in hours if x < -0.003], [x for x in hours if x > 0]
    assert len(falling) < len(rising) / 2
    assert max(rising) < 0.01, "it comes back slowly"
    falls = [level[hour] - level[hour + 24] for hour in range(len(level) - 24)]
    assert 0.05 < max(falls) < 0.4
    assert abs(level[-1]) < 0.8, "and does not wander off"
    assert abs(promos(seed, DAY * 10)) < 0.8


def test_a_fifth_of_the_cards_is_released_in_a_season_high_and_decays(seed: int) -> None:
    season = SEASON * 100
    found = 0
    for card in range(500):
        course = [released(seed, card, season + hour / 24) for hour in range(int(SEASON * 24))]
        jumps = [n for n, (a, b) in enumerate(itertools.pairwise(course), 1) if b > a + 0.2]
        assert len(jumps) <= 1
        for jump in jumps:
            found += 1
            assert 0.35 < course[jump] - course[jump - 1] <= 1.0
            assert all(after <= before for before, after in itertools.pairwise(course[jump:]))
            for day, least, most in ((2, 0.3, 0.75), (6, 0.04, 0.4)):
                if jump + day * 24 < len(course):
                    assert least < course[jump + day * 24] / course[jump] < most
    assert found / 500 == pytest.approx(0.2, abs=0.08)


def test_no_card_is_worth_less_than_a_listing_costs() -> None:
    assert min(Values(26, "sim", moves=True).at(card, 150, DAY) for card in range(200)) >= 150


def test_the_cards_that_are_washed_are_a_share_on_each_console() -> None:
    for name, kind in KINDS.items():
        for platform in ("ps5", "xbsx"):
            share = sum(values.washed(26, platform, card, kind) for card in range(3_000)) / 3_000
            assert share == pytest.approx(kind.washed, abs=0.03), name
    assert values.washed(26, "ps5", 1, Kind(moves=False, washed=1.0))
