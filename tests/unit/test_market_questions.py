"""What questions about a market are made of: names, deals, spans of time, bars."""

from __future__ import annotations

import random
from math import log
from statistics import NormalDist
from typing import Any

import pytest

from m26.cli.asking import Table, seconds
from m26.cli.prices import _hours
from m26.cli.shown import spark
from m26.errors import UsageError
from m26.market.deals import Wanted, deals
from m26.market.names import Names, words
from m26.market.rows import DealView

CARDS = (
    (1, "Drew Sanders", "MLB", 82, "Core"),
    (2, "Drew Sanders", "MLB", 91, "Ghosts of Madden"),
    (3, "Deion Sanders", "CB", 95, "Legends"),
    (4, "Josh Allen", "QB", 93, "Core"),
    (5, "Josh Allen", "ROLB", 84, "Core"),
    (6, "José Ramírez-O'Neal Jr.", "K", 70, None),
    (7, None, None, None, None),
    (8, "Drew Sanders Junior", "MLB", 82, "Core"),
)


def names() -> Names:
    keys = ("card_id", "name", "position", "overall", "program")
    return Names([{**dict(zip(keys, card, strict=True)), "exact": False} for card in CARDS])  # type: ignore[typeddict-item]


def found(text: str) -> tuple[list[int], bool]:
    cards = names().find(text)
    exact = {card["exact"] for card in cards}
    assert len(exact) <= 1
    return [card["card_id"] for card in cards], True in exact


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("drew sanders 82", [1]),  # whose whole name it is
        ("Sanders, DREW (core)", [1]),
        ("drew sanders", [2, 1]),  # the highest first
        ("sanders", [3, 2, 1, 8]),
        ("junior 82", [8]),
        ("josh allen qb", [4]),
        ("rolb", [5]),
        ("jos all", [4, 5]),  # begins of words, where no whole ones fit
        ("jose ramirez oneal", [6]),
        ("4", [4]),
        ("82", [1, 8]),  # no card has that id
        ("ghosts", [2]),
    ],
)
def test_every_word_says_something_of_the_card_that_is_meant(text: str, ids: list[int]) -> None:
    assert found(text) == (ids, True)


@pytest.mark.parametrize(
    ("text", "first"),
    [("drwe sandres 82", [1, 8]), ("alen josh", [4, 5]), ("dieon", [3]), ("ramires", [6])],
)
def test_a_name_that_is_misspelt_finds_those_alike(text: str, first: list[int]) -> None:
    ids, exact = found(text)
    assert not exact
    assert ids[: len(first)] == first


@pytest.mark.parametrize("text", ["", " - ", "xyzzy", "\x00", "99999999999999999999"])
def test_what_is_like_no_name_finds_nothing(text: str) -> None:
    assert found(text) == ([], False)


def test_accents_and_apostrophes_are_not_needed() -> None:
    assert words("D'Andre  Ångström-Öz Jr.") == ["dandre", "angstrom", "oz", "jr"]


def an_ask(**changes: Any) -> dict[str, Any]:
    ask: dict[str, Any] = dict.fromkeys(DealView.__annotations__)
    ask |= {"auction_id": 1, "buyout_price": 800, "fair": 1_000, "fair_low": 900, "n": 9}
    ask |= {"fair_high": 1_100, "net": 900, "age": 5.0, "position": "QB", "overall": 80}
    return ask | changes


def test_a_deal_is_what_is_left_after_tax_and_how_sure_that_is() -> None:
    (deal,) = deals([an_ask()], Wanted())
    assert list(deal) == list(DealView.__annotations__)
    assert (deal["profit"], deal["roi"], deal["discount"]) == (100, 0.125, 0.2)
    spread = log(1_100 / 900) / 2 / 1.2816  # four of five lie between
    sure = NormalDist(log(1_000), spread).cdf(log(1_000)) - NormalDist(log(1_000), spread).cdf(
        log(800 / 0.9)
    )
    assert deal["confidence"] == pytest.approx(0.5 + sure, abs=1e-3)


@pytest.mark.parametrize(
    ("wanted", "ask"),
    [
        ({}, {"buyout_price": 900}),
        ({}, {"n": 2}),
        ({}, {"age": 3_600.0}),
        ({}, {"fair_low": 300, "fair_high": 3_300}),
        ({"min_profit": 101}, {}),
        ({"min_roi": 0.13}, {}),
        ({"max_price": 799}, {}),
        ({"position": "K"}, {}),
        ({"min_overall": 81}, {}),
        ({"min_overall": 1}, {"overall": None}),
    ],
)
def test_what_is_not_wanted_is_no_deal(wanted: dict[str, Any], ask: dict[str, Any]) -> None:
    assert deals([an_ask(**ask)], Wanted(**wanted)) == []
    taken = Wanted(min_sales=0, min_confidence=0, max_age=None, min_profit=0)
    assert len(deals([an_ask(**ask)], taken)) == 1


def test_deals_that_promise_most_come_first(seed: int) -> None:
    rng = random.Random(seed)
    asks = [an_ask(auction_id=n, buyout_price=rng.randint(500, 880)) for n in range(20)]
    found = deals(asks, Wanted(min_confidence=0))
    promised = [deal["profit"] * deal["confidence"] for deal in found]
    assert promised == sorted(promised, reverse=True)
    newest = deals(asks, Wanted(min_confidence=0, order="newest"))
    assert [deal["auction_id"] for deal in newest] == list(range(19, -1, -1))


def test_a_range_without_width_is_sure() -> None:
    (deal,) = deals([an_ask(fair_low=1_000, fair_high=1_000)], Wanted())
    assert deal["confidence"] == 1


def test_spans_of_time_are_read_as_they_are_written() -> None:
    spans = {"5s": 5, "500ms": 0.5, "2m": 120, "1.5h": 5_400, "7": 7}
    assert {text: seconds(text) for text in spans} == spans
    windows = {"1h": 1, "24h": 24, "1d": 24, "30d": 720}
    assert {text: _hours(text) for text in windows} == windows


@pytest.mark.parametrize("text", ["", "s", "-1s", "0", "nan", "inf", "5 parsecs", "1e999"])
def test_what_is_no_span_of_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        seconds(text)
    with pytest.raises(UsageError):
        _hours(text or "25h")


def test_bars_go_from_the_least_to_the_most_with_gaps() -> None:
    assert spark([1, None, 2, 8]) == "▁ ▂█"
    assert spark([5, 5]) == "▁▁"
    assert spark([None]) == spark([]) == ""


def test_a_narrow_terminal_does_without_what_matters_less() -> None:
    table = Table(("card", "price", "id"), [("Drew Sanders", 1_000, "13522975")], spare=("id",))
    for width, columns in ((100, 3), (29, 3), (28, 2), (5, 2)):
        assert len(table.within(width).columns) == columns, width
    assert table.within(5).rows == [["Drew Sanders", 1_000]]
