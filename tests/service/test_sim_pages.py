"""Pages that a fault of the simulator changed: the wire, and what counts as served."""

from __future__ import annotations

import json
import math
from typing import Any

import httpx
import orjson
import pytest
from tests.support.simulator import Client, Simulator

from m26.sim.pages import POISON


def ids(auctions: list[dict[str, Any]]) -> list[int]:
    return [auction["auctionId"] for auction in auctions]


def value(reply: httpx.Response) -> dict[str, Any]:
    assert reply.status_code == 200
    return dict(reply.json()["responseInfo"]["value"])


LOOK_ALIKES = [
    {"fault": "captcha", "member": "captchaUrl", "value": None},
    {"fault": "captcha", "member": "captchaGuid", "value": ""},
    {"fault": "captcha", "member": "captchaTimeout", "value": 0},
    {"fault": "captcha", "member": "captchaTimeout", "value": False},
    {"fault": "captcha", "member": "captchaKey", "value": "0"},
    {"fault": "captcha", "absent": True},
    {"fault": "truncated"},
    {"fault": "ui_warning"},
    {"fault": "new_member"},
]


@pytest.mark.parametrize("fault", LOOK_ALIKES, ids=str)
def test_a_look_alike_comes_with_its_page_and_the_page_counts_as_served(
    sim: Simulator, client: Client, fault: dict[str, Any]
) -> None:
    truth = ids(client.details())
    sim.control(**fault, next=1)
    page = value(client.process())
    assert ids(page["details"]) == truth == sim.served_last()
    data = page["responseData"]
    match fault["fault"]:
        case "captcha" if "member" in fault:
            assert data[fault["member"]] == fault["value"]
        case "captcha":
            assert not [name for name in data if name.startswith("captcha")]
        case "truncated":
            assert page["truncated"] is True
        case "ui_warning":
            assert (data["uiErrorCode"], data["message"]) == (5, "Injected.")
        case "new_member":
            assert data["titleUpdate"] == 1
            assert all("titleUpdate" in auction for auction in page["details"])


@pytest.mark.parametrize("how", POISON)
def test_poison_costs_one_auction_and_its_neighbours_are_served(
    sim: Simulator, client: Client, how: str
) -> None:
    truth = client.process().content
    sim.control(fault="poison", how=how, next=1)
    body = client.process().content
    assert body != truth
    whole = orjson.loads(truth)["responseInfo"]["value"]["details"]
    assert sim.served_last() == ids(whole[:20] + whole[21:])
    for auction in (*whole[:3], *whole[37:]):
        assert orjson.dumps(auction) in body
    if how in {"nan", "infinite", "surrogate", "bad_utf8", "cesu8", "int64", "deep"}:
        with pytest.raises((orjson.JSONDecodeError, AssertionError)):
            assert _ordinary(orjson.loads(body)["responseInfo"]["value"]["details"][20])
    else:
        details = orjson.loads(body)["responseInfo"]["value"]["details"]
        assert len(details) == 40


def _ordinary(auction: dict[str, Any]) -> bool:
    numbers = [auction["auctionId"], auction["buyoutPrice"]]
    return all(number < 2**63 and math.isfinite(number) for number in numbers)


def test_odd_members_are_legal_json_and_the_page_counts_as_served(
    sim: Simulator, client: Client
) -> None:
    truth = ids(client.details())
    sim.control(fault="odd_members", next=1)
    body = client.process().content
    page = json.loads(body)["responseInfo"]["value"]
    assert ids(page["details"]) == truth == sim.served_last()
    for odd in (json.loads(body), page, page["responseData"], *page["details"]):
        assert "titleUpdate" in odd
        assert "\0\ud800" in odd
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(body)


def test_the_place_of_poison_can_be_chosen(sim: Simulator, client: Client) -> None:
    truth = ids(client.details())
    sim.control(fault="poison", how="null", place=0, next=1)
    found = ids(client.details())
    assert found == [None, *truth[1:]]
    with sim.ledger() as ledger:
        *_, last = ledger.served()
    assert last.position == 39


def test_control_bytes_and_a_byte_order_mark_break_json_and_change_no_truth(
    sim: Simulator, client: Client
) -> None:
    truth = ids(client.details())
    sim.control(fault="control_bytes", next=1)
    body = client.process().content
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(body)
    assert ids(json.loads(body, strict=False)["responseInfo"]["value"]["details"]) == truth
    assert sim.served_last() == truth
    sim.control(fault="bom", next=1)
    body = client.process().content
    assert body.startswith(b"\xef\xbb\xbf{")
    assert (
        ids(orjson.loads(body[3:])["responseInfo"]["value"]["details"])
        == truth
        == sim.served_last()
    )


def test_a_page_can_break_off_in_its_text(sim: Simulator, client: Client) -> None:
    sim.control(fault="cut_page", next=1)
    body = client.process().content
    assert body.count(b'"auctionId"') > 10
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(body)
    assert not sim.served_last()


def test_pages_can_repeat_shift_and_overlap_and_are_true_all_the_same(
    sim: Simulator, client: Client
) -> None:
    truth = ids(client.details())
    for fault, expected in (
        ({"fault": "page_repeated"}, truth[:10]),
        ({"fault": "page_shifted", "by": 3}, truth[13:23]),
        ({"fault": "page_shifted", "by": -3}, truth[7:17]),
    ):
        sim.control(**fault, next=1)
        found = ids(client.details(params={"offset": 10, "count": 10}))
        assert found == expected == sim.served_last()


def test_auctions_can_vanish_from_lists(sim: Simulator, client: Client) -> None:
    truth = ids(client.details())
    sim.control(fault="vanish", next=1)
    assert ids(client.details()) == truth[1:] == sim.served_last()
    sim.control(fault="vanish", ids=truth[4:6], after=0)
    for _ in range(2):
        assert ids(client.details()) == truth[:4] + truth[6:]
    payload = {"auctionIdList": truth[3:6]}
    assert ids(client.details("Mobile_RefreshAuctionDetails", payload)) == truth[3:4]


def test_last_years_market_is_told_by_its_posting_times_alone(
    sim: Simulator, client: Client
) -> None:
    truth = value(client.process())
    sim.control(fault="stale", days=31, next=1)
    page = value(client.process())
    for old, new in zip(page["details"], truth["details"], strict=True):
        assert old["postingTime"] == new["postingTime"] - 31 * 86_400
    assert page["responseData"]["uiErrorCode"] == 0
    assert not sim.served_last()


def test_a_new_status_costs_one_auction_its_truth(sim: Simulator, client: Client) -> None:
    sim.control(fault="new_status", next=1)
    found = client.details()
    odd = [a for a in found if a["auctionStatus"] == "AUCTIONSTATUS_PAUSED"]
    assert len(odd) == 1
    assert sim.served_last() == [number for number in ids(found) if number != odd[0]["auctionId"]]


def test_a_servers_clock_can_be_off(sim: Simulator, client: Client) -> None:
    sim.control(fault="clock_off", by=-7_200, next=1)
    off = client.process()
    right = client.process()
    ahead = [value(reply)["responseData"]["responseTime"] / 1e6 for reply in (off, right)]
    assert ahead[1] - ahead[0] == pytest.approx(7_200, abs=5)
    assert off.headers["date"] != right.headers["date"]
