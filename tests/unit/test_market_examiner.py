"""The examiner of planners: every rule that is broken counts, scores equal those made by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from benches.market.dialogue import Break
from benches.market.variants import Flags
from tests.support.market import (
    DONE,
    EPOCH,
    HOUR,
    START,
    Line,
    Played,
    expired,
    play,
    refresh,
    search,
    sold,
    traced,
)

D = 24 * HOUR
ONE = ({"outcome": "sold", "ended": D + 600},)


def rules(folder: Path, *said: Line | str, **plan: int) -> dict[str, int]:
    """What is counted of lines that come before the first question."""
    return play(folder, traced(*ONE), [*said, search(24.1)], [search(73)], [DONE], **plan).broken


def test_a_planner_that_keeps_the_rules_breaks_none(tmp_path: Path) -> None:
    played = play(
        tmp_path, traced(*ONE), [search(24.1)], [refresh(24.2, 100)], [{"ask": "stop"}], [DONE]
    )
    assert played.broken == {}
    assert played.run.counts.ended == ""
    hello, page, told, end = played.heard
    assert {name: hello[name] for name in ("type", "now", "per_day", "per_minute")} == {
        "type": "hello",
        "now": START,
        "per_day": 4000,
        "per_minute": 6,
    }
    active = [100, "active", 0, 1000, 2000, EPOCH + D, 3240, 1500, 7, 4_000_000, EPOCH + D - 100]
    assert page["auctions"] == [active]
    assert page["truncated"] is False
    assert page["error"] is None
    assert told["auctions"][0][:4] == [100, "ended", 1, 2000]
    assert end["type"] == "end"


@pytest.mark.parametrize(
    ("question", "rule"),
    [
        (search(24.05), "at before the last reply"),
        (search(24.2, offset=-1), "malformed"),
        (search(24.2, count=0), "malformed"),
        (search(24.2, at="soon"), "malformed"),
        (refresh(24.2), "malformed"),
        (refresh(24.2, ids=["100"]), "malformed"),
        ({"ask": "look"}, "malformed"),
    ],
)
def test_a_question_that_breaks_a_rule_is_refused_and_counted(
    tmp_path: Path, question: Line, rule: str
) -> None:
    played = play(tmp_path, traced(*ONE), [search(24.1)], [question], [search(73)], [DONE])
    assert played.broken == {rule: 1}
    assert played.heard[2]["error"] == "REFUSED"
    assert played.heard[2]["auctions"] == []
    assert played.run.counts.requests.total() == 1


def test_more_requests_than_a_minute_or_a_day_takes_are_refused(tmp_path: Path) -> None:
    minute = [[search(24 + second / 3600)] for second in (0, 1, 2, 59.9, 60)]
    day = [[search(hours)] for hours in (47.9, 47.95, 48)]
    played = play(
        tmp_path, traced(*ONE), *minute, *day, [search(73)], [DONE], per_day=5, per_minute=3
    )
    assert played.broken == {"per_minute": 1, "per_day": 1}
    errors = [line["error"] for line in played.heard if line["type"] == "reply"]
    refused = [number for number, error in enumerate(errors) if error == "REFUSED"]
    assert refused == [3, 6]


def test_lines_that_mean_nothing_are_counted_each_by_its_kind(tmp_path: Path) -> None:
    label = sold(100)
    assert rules(
        tmp_path,
        "no json",
        "[1]",
        {"text": "hello"},
        {"notice": "colour", "value": 1},
        label,
        label | {"outcome": "gone"},
        label | {"confidence": 1.5},
        label | {"final_price": -3},
        expired(100) | {"final_price": 5},
        label | {"closed_after": 5, "closed_before": 4},
    ) == {
        "no object": 2,
        "unknown line": 1,
        "malformed notice": 1,
        "label of an auction never shown": 1,
        "malformed label": 5,
    }


def test_an_id_never_shown_takes_its_place_in_the_batch_and_is_counted(tmp_path: Path) -> None:
    trace = traced(*({"posted": 60 * n, "duration": D} for n in range(3)), {"posted": 2 * D})
    played = play(
        tmp_path,
        trace,
        [search(1)],
        [refresh(1.1, 100, 130, 110, 120)],
        [search(73)],
        [DONE],
        flags=Flags(batch=3),
    )
    assert played.broken == {"id never shown": 1}
    assert [row[0] for row in played.heard[2]["auctions"]] == [100, 110]


def test_a_planner_that_ends_by_itself_ends_the_run(tmp_path: Path) -> None:
    played = play(tmp_path, traced(*ONE), [search(24.1)])
    assert played.run.counts.ended == "it ended by itself"


def test_two_thousand_violations_end_a_run(tmp_path: Path) -> None:
    played = play(tmp_path, traced(*ONE), ["x"] * 2500 + [search(24.1)], [DONE])
    assert played.run.counts.ended == "there were 2,000 violations"


def test_a_break_starts_the_planner_anew_with_its_home_and_its_budget(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        traced(*ONE),
        [search(24)],
        [search(25)],  # told to restart in place of a reply
        [search(33)],  # the first of its second life, then killed in place of a reply
        [search(34)],
        [search(35)],  # killed with the reply on its way
        [search(36)],
        [search(36.1)],
        [search(73)],
        [DONE],
        per_day=3,
        breaks=(Break(24.5, "restart", 8), Break(32.8, "kill"), Break(34.5, "kill-reply")),
    )
    kinds = [line["type"] for line in played.heard if line["type"] != "reply"]
    hellos = [(line["now"] - START) / 1e6 / HOUR for line in played.heard if "now" in line]
    assert played.run.counts.lives == 4
    assert kinds.count("restart") == 1
    assert hellos == pytest.approx([0, 32.5, 32.8, 35])
    assert set(played.broken) == {"per_day"}  # three were sent by three lives within a day


# Ten auctions of the second day: what a label of each is worth stands beside it.
HAND = (
    {"outcome": "sold", "ended": D + 1800},  # 100 known
    {"outcome": "sold", "ended": D + 1800},  # 110 right, not sure
    {"outcome": "sold", "ended": D + 1800},  # 120 sure, at a wrong price
    {"outcome": "sold", "ended": D + 1800},  # 130 sure and said expired
    {"outcome": "expired"},  # 140 said sold, sure
    {"outcome": "expired"},  # 150 right
    {"outcome": "cancelled", "ended": D + 1900},  # 160 without a label
    {"outcome": "sold", "ended": D + 1800},  # 170 taken back, then right again, too late
    {"outcome": "sold", "ended": D + 500},  # 180 never shown
    {"outcome": "sold", "via": "bid", "bids": [[D + 900, 1100], [D + 3000, 1300]]},  # 190 known
)


def by_hand(folder: Path) -> Played:
    end = START + (D + 1800) * 1_000_000
    ten = {"closed_after": end - 200_000_000, "closed_before": end + 400_000_000}
    return play(
        folder,
        traced(*HAND),
        [search(24.2, why="first")],
        [
            sold(100, **ten),
            sold(110, confidence=0.7),
            sold(120, price=1999),
            expired(130, confidence=0.95),
            sold(140, confidence=0.95, price_confidence=0.9),
            expired(150),
            sold(170),
            refresh(24.9, 100),
        ],
        [sold(100, **ten), sold(170, confidence=0.5), refresh(26, 190)],
        [sold(190, price=1300, outcome_via="bid"), search(49.5)],
        [sold(170), search(71.9)],
        [search(73)],
        [
            {
                "type": "done",
                "coverage": [
                    {"from": START, "to": START + 1, "listed": 9, "low": 9, "high": 9},
                    *(
                        {"from": at, "to": at + HOUR * 1_000_000, "listed": n, "low": n, "high": 9}
                        for at, n in ((START + D * 1_000_000, 8), (START + 26 * HOUR * 10**6, 1))
                    ),
                ],
            }
        ],
    )


def test_scores_of_ten_auctions_equal_those_made_by_hand(tmp_path: Path) -> None:
    played = by_hand(tmp_path)
    figures = played.figures
    assert played.broken == {}
    expected = {
        "ends": 10,
        "sales": 7,
        "seen": 90.0,
        "seen_10min": 100.0,
        "seen_2h": None,
        "sales_seen": 100 * 6 / 7,
        "sales_known": 100 * 2 / 7,
        "known_bid": 100.0,
        "known_buyout": 100 * 1 / 6,
        "known_wrong": 100 * 2 / 4,
        "ends_known": 30.0,
        "labelled": 80.0,
        "sales_right": 100 * 4 / 7,
        "false_sold": 100 * 1 / 6,
        "false_expired": 50.0,
        "wrong_095": 100 * 2 / 7,
        "known_1h": 100 * 2 / 7,
        "interval_said": 50.0,
        "interval_right": 100.0,
        "interval_s": 600.0,
        "time_5min": 50.0,
        "retracted": 100 * 1 / 7,
        "told_contradicted": 0,
        "coverage_hours": 2,
        "coverage_error": -10.0,
        "coverage_row_error": 100 * (2 / 10 + 1) / 2,
        "coverage_holds": 0.0,
    }
    assert {name: figures[name] for name in expected} == pytest.approx(expected)


def test_a_label_against_what_was_served_is_counted_whether_scored_or_not(tmp_path: Path) -> None:
    trace = traced(
        {"outcome": "sold", "posted": 0, "ended": 600},
        {"outcome": "expired", "posted": 0},
        {"outcome": "sold", "posted": 0, "ended": 700},
    )
    played = play(
        tmp_path,
        trace,
        [search(0.1)],
        [refresh(2, 100, 110, 120)],
        [expired(100), expired(110), sold(120, price=7), search(73)],
        [DONE],
    )
    assert played.figures["told_contradicted"] == 1
    assert played.figures["told_wrong_price"] == 1


def test_an_end_said_to_be_before_a_look_that_showed_it_alive_is_counted(tmp_path: Path) -> None:
    ended = {"closed_after": START, "closed_before": START + 60_000_000}
    played = play(
        tmp_path,
        traced({"posted": 0, "duration": D}),
        [search(0.01)],
        [sold(100, **ended), search(0.5)],
        [search(73)],
        [DONE],
    )
    assert played.figures["ended_before_last_seen_alive"] == 1


def test_a_saboteur_that_calls_every_listing_sold_is_caught_by_the_scores(tmp_path: Path) -> None:
    trace = traced(
        *(
            {"posted": D, "outcome": "sold", "ended": D + 1800}
            if n % 2
            else {"posted": D, "outcome": "expired"}
            for n in range(100)
        ),
    )
    everything = [sold(100 + 10 * n, confidence=0.97) for n in range(100)]
    played = play(tmp_path, trace, [search(24.1)], [*everything, search(73)], [DONE])
    figures = played.figures
    assert figures["sales_known"] == 100
    assert figures["known_wrong"] == figures["false_sold"] == figures["wrong_095"] == 50
    (band,) = figures["calibration_untold"]["outcome"]
    assert band == pytest.approx(
        {"from": 0.95, "to": 0.99, "labels": 100, "said": 97, "right": 50, "gap": 47}
    )
    assert figures["cal_mean"] == pytest.approx(47)
    assert figures["cal_worst"] is None  # fewer than 200 labels


def test_what_is_due_after_the_day_is_not_in_the_calibration_of_what_was_due_in_it(
    tmp_path: Path,
) -> None:
    trace = traced(
        {"posted": D, "duration": HOUR, "outcome": "sold", "ended": D + 600},
        {"posted": D, "duration": D + HOUR, "outcome": "sold", "ended": D + 600},
    )
    said = [sold(100, confidence=0.97), sold(110, confidence=0.97)]
    figures = play(tmp_path, trace, [search(24.1)], [*said, search(73)], [DONE]).figures
    for kind, labels in (("untold", 2), ("untold_due", 1)):
        (band,) = figures[f"calibration_{kind}"]["outcome"]
        assert band["labels"] == labels


def test_what_a_reply_told_is_not_in_the_calibration_of_what_was_inferred(tmp_path: Path) -> None:
    trace = traced(*({"posted": D, "outcome": "sold", "ended": D + 1800} for _ in range(2)))
    played = play(
        tmp_path,
        trace,
        [search(24.1)],
        [expired(100, confidence=0.7), refresh(26, 100)],
        [sold(100), sold(110, confidence=0.8, price_confidence=0.6), search(73)],
        [DONE],
    )
    bands = played.figures["calibration_untold"]
    assert [band["labels"] for band in bands["outcome"]] == [1]
    assert [(band["from"], band["gap"]) for band in bands["price"]] == [(0.6, pytest.approx(-40))]
    (before,) = played.figures["calibration_before_told"]["outcome"]
    assert (before["labels"], before["gap"]) == (1, pytest.approx(70))


def test_notices_are_held_against_the_flags_and_a_switch_counts_requests(tmp_path: Path) -> None:
    def told(name: str, value: object) -> Line:
        return {"notice": name, "value": value, "why": "seen"}

    played = play(
        tmp_path,
        traced(*ONE),
        [told("order", "newest"), told("paging", value=True), told("batch", 49), search(1)],
        [told("recall", 5000), told("visible", 0), search(2)],
        [search(3)],
        [told("paging", value=False), search(73)],
        [DONE],
        flags=Flags(recall=3600),
        switches=((1.5, "paging", "false"),),
    )
    assert played.figures["found"] == "3/9"
    assert played.figures["not_found"] == {
        "page": "not said",
        "truncate": "not said",
        "ended": "not said",
        "batch": "said 49",
        "visible": "said 0",
        "ended_price": "not said",
    }
    # three were sent before the notice, two since the switch, and none further back
    told = {"flag": "paging", "value": False, "requests": 2, "able": 0}
    assert played.figures["switched"] == [told]
