"""``m26 market value``: a trace up to a moment in, prices out."""

from __future__ import annotations

import random

import orjson
import pytest

from m26.errors import ShapeError
from m26.market.trace import known_at
from m26.market.value import max_buy, net, values

EPOCH = 1_788_220_800
HOUR = 3600


def line(**entry: object) -> bytes:
    return orjson.dumps(entry)


HEAD = line(trace={"schema": 1, "epoch": EPOCH})


def auction(number: int, ended: float, price: int | None, **more: object) -> bytes:
    row = {
        "auction_id": number,
        "card_id": 7,
        "card_instance_id": 1000 + number,
        "posted_at": ended - HOUR,
        "expires_at": ended + HOUR,
        "buyout_price": price or 900,
        "outcome": "sold" if price else "expired",
        "outcome_via": "buyout" if price else None,
        "final_price": price,
        "ended_at": ended,
    }
    return orjson.dumps(row | more)


def sales(count: int, price: int) -> list[bytes]:
    return [auction(i, EPOCH + i * 6 * HOUR + 0.25, price) for i in range(1, count + 1)]


def test_a_price_is_that_of_the_sales_before_the_moment() -> None:
    lines = [
        HEAD,
        *sales(20, 1000),
        *(auction(50 + i, EPOCH + (130 + i) * HOUR, 5000) for i in range(9)),
    ]
    [before] = values(known_at(lines, EPOCH + 122 * HOUR))
    assert before["fair"] == pytest.approx(1000, rel=0.02)
    assert before["fair_low"] < before["fair"] < before["fair_high"]
    assert (before["card_id"], before["n"], before["n_copies"], before["method"]) == (
        7,
        20,
        20,
        "level",
    )
    assert before["flags"] == []
    [after] = values(known_at(lines, EPOCH + 200 * HOUR))
    assert after["fair"] > 1500


def test_nothing_later_than_the_moment_is_used() -> None:
    at = EPOCH + 100 * HOUR
    draw = random.Random(5)
    known = [
        *sales(16, 1000),
        auction(40, at + HOUR, None, posted_at=at - 7 * HOUR, buyout_price=1200),
    ]
    later = [
        auction(60 + i, at + draw.uniform(1, 9) * HOUR, draw.randrange(1, 9999), posted_at=at + 1)
        for i in range(30)
    ]
    # how and when an auction that still runs will end is later, too
    other = auction(40, at + 2 * HOUR, 50, posted_at=at - 7 * HOUR, buyout_price=1200)
    [one] = values(known_at([HEAD, *known], at))
    [two] = values(known_at([HEAD, *known[:-1], other, *later], at))
    assert one == two


def test_cards_that_were_never_sold_have_a_price_of_their_kind() -> None:
    card = line(card={"card_id": 8, "name": "Ann Other", "overall": 80, "position": "QB"})
    known = known_at([HEAD, card, *sales(5, 1000)], EPOCH + 90 * HOUR)
    found = {each["card_id"]: each for each in values(known)}
    assert known.names == {8: "Ann Other"}
    assert found[8]["method"] == "kind"
    assert found[8]["n"] == 0
    assert "thin" in found[8]["flags"]


def test_an_asking_price_that_waits_bounds_it() -> None:
    at = EPOCH + 130 * HOUR
    waiting = [
        auction(70 + i, at + HOUR, None, posted_at=at - 9 * HOUR, buyout_price=700 + i)
        for i in range(2)
    ]
    [alone] = values(known_at([HEAD, *sales(3, 1000)], at))
    [bound] = values(known_at([HEAD, *sales(3, 1000), *waiting], at))
    assert bound["fair"] < 0.9 * alone["fair"]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], "the trace is empty"),
        ([b"{}"], "the first line"),
        ([line(trace={"schema": 2})], "schema is 2"),
        ([HEAD, b"{nonsense"], "line 2"),
        ([HEAD, b"[]"], "line 2"),
        ([HEAD, b"{}"], "'posted_at' is missing"),
        ([HEAD, HEAD], "line 2"),
        ([HEAD, auction(1, EPOCH, 5, posted_at="soon")], "line 2"),
    ],
)
def test_what_is_no_trace_is_told_with_its_line(lines: list[bytes], problem: str) -> None:
    with pytest.raises(ShapeError, match=problem):
        known_at(lines, EPOCH)


def test_net_and_most_to_pay_are_whole_coins_after_the_tax() -> None:
    assert [net(price) for price in (0, 1, 10, 1999)] == [0, 0, 9, 1799]
    assert max_buy(10_000, 0.0) == 9000
    assert max_buy(10_000, 0.25) == 7200
