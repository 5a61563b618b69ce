"""The simulator over real HTTP: it speaks the protocol, and verifies that its client does."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from tests.support.simulator import Client, Simulator, simulator


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with simulator(tmp_path_factory.mktemp("gateway") / "sim", "--size", "230") as running:
        yield running


@pytest.fixture
def client(sim: Simulator) -> Iterator[Client]:
    with Client(sim) as client:
        client.sign_in()
        yield client


def error(reply: httpx.Response) -> tuple[int, str]:
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    return reply.json()["error"]["errorcode"], reply.json()["error"]["errorname"]


def test_a_sweep_by_url_reads_the_market_in_pages_and_ends_with_an_empty_one(
    sim: Simulator, client: Client
) -> None:
    sim.control(freeze=True)
    found = client.sweep()
    reply = client.process(params={"offset": 1_000, "count": 100})
    value = reply.json()["responseInfo"]["value"]
    assert value["details"] == []
    assert value["responseData"]["uiErrorCode"] == 0
    with sim.ledger() as ledger:
        market = {listing.auction_id: state for listing, state in ledger.alive("sim")}
    listed = {a["auctionId"]: a for a in found if a["auctionStatus"] == "AUCTIONSTATUS_ACTIVE"}
    assert listed.keys() == market.keys()
    for auction_id, state in market.items():
        shown = listed[auction_id]
        names = ("buyoutPrice", "currentBid", "nextBid", "numberOfBids")
        truth = (state.buyout, state.current_bid, state.next_bid, state.bids)
        assert tuple(shown[name] for name in names) == truth
    sim.control(freeze=False)


def test_paging_is_honoured_in_the_payload_too_and_without_it_the_cut_is_told(
    client: Client,
) -> None:
    payload = {"filters": [], "itemName": "", "offset": 20, "count": 7}
    assert len(client.details(payload=payload)) == 7
    value = client.process().json()["responseInfo"]["value"]
    assert (len(value["details"]), value["truncated"]) == (100, True)
    first = client.process(params={"offset": 0, "count": 500}).json()["responseInfo"]["value"]
    assert (len(first["details"]), first["truncated"]) == (100, False)


def test_times_in_a_reply_add_up_and_are_real(client: Client) -> None:
    value = client.process().json()["responseInfo"]["value"]
    now = value["responseData"]["responseTime"]
    assert abs(now / 1e6 - time.time()) < 5
    assert now % 1_000_000 == 0
    for auction in value["details"]:
        if auction["auctionStatus"] == "AUCTIONSTATUS_ACTIVE":
            lived = now // 1_000_000 - auction["postingTime"] + auction["secondsRemaining"]
            assert lived in {25, 100, 200, 600, 1_800}, "1, 4, 8, 24 or 72 h"
        if auction["numberOfBids"] == 0:
            assert auction["currentBid"] == auction["nextBid"]


def test_an_item_name_filters(client: Client) -> None:
    name = client.details()[0]["card"]["secondName"]
    found = client.details(payload={"filters": [], "itemName": name})
    assert found
    assert {auction["card"]["secondName"] for auction in found} == {name}


def test_refresh_answers_for_the_ids_it_knows_and_bids_has_none(client: Client) -> None:
    ids = [auction["auctionId"] for auction in client.details()][:3]
    payload = {"auctionIdList": [*ids, 999]}
    reply = client.process("Mobile_RefreshAuctionDetails", payload)
    info = reply.json()["responseInfo"]
    assert info["tdfclass"] == "Blaze::Mut::Mobile_RefreshAuctionDetailsResponse"
    assert [auction["auctionId"] for auction in info["value"]["details"]] == ids
    assert client.details("Mobile_GetAuctionBids", {"offset": 0, "count": 100}) == []


def test_a_reply_is_gzip_for_who_accepts_it_and_plain_otherwise(client: Client) -> None:
    assert client.process().headers["content-encoding"] == "gzip"
    plain = client.process(headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert len(plain.json()["responseInfo"]["value"]["details"]) == 100


def test_a_session_key_needs_percent_encoding(sim: Simulator, client: Client) -> None:
    assert set("/+=$*") <= set(client.session)
    reply = client.http.post(f"/wal/mca/Process/{client.session}", json={})
    assert (reply.status_code, reply.headers["content-type"]) == (400, "application/xml")
    assert "percent-encoded" in reply.text


@pytest.mark.parametrize(
    ("headers", "status", "text"),
    [
        ({"x-blaze-id": "madden-2026-sim-gen5"}, 404, "game madden-2026-sim-gen5 resolved as"),
        ({"x-blaze-id": "madden-2025-sim"}, 404, "The Server Information was not found"),
        ({"user-agent": "python-httpx"}, 403, "Access Denied"),
        ({"x-application-key": "OTHER"}, 400, "x-application-key"),
        ({"accept": "*/*"}, 400, "header accept is"),
        ({"accept-charset": "latin-1"}, 400, "accept-charset"),
        ({"x-blaze-void-resp": "JSON"}, 400, "x-blaze-void-resp"),
        ({"accept-encoding": "gzip, br"}, 400, "more than gzip"),
    ],
)
def test_headers_are_verified(
    client: Client, headers: dict[str, str], status: int, text: str
) -> None:
    reply = client.process(headers=headers)
    assert reply.status_code == status
    assert text in reply.text


@pytest.mark.parametrize(
    "info",
    [
        {"componentId": 2049},
        {"componentName": "auth"},
        {"ipAddress": "10.0.0.1"},
        {"messageExpirationTime": 1_000},
        {"messageExpirationTime": "soon"},
        {"requestPayload": {"filters": []}},
        {"requestPayload": "["},
        {"deviceId": ""},
        {"messageAuthData": None},
        {"messageAuthData": {"authCode": "x", "authData": "y", "authType": 1}},
    ],
    ids="-".join,
)
def test_the_envelope_is_verified(client: Client, info: dict[str, Any]) -> None:
    reply = client.process(**info)
    assert reply.status_code == 400
    assert "<errorcode>400</errorcode>" in reply.text


def test_an_unknown_command_is_a_blaze_error(client: Client) -> None:
    assert error(client.process("Mobile_EnterMut")) == (1_073_938_432, "ERR_COMMAND_NOT_FOUND")
    assert error(client.process(commandId=9154))[1] == "ERR_COMMAND_NOT_FOUND"
    assert error(client.process(commandId=[]))[1] == "ERR_COMMAND_NOT_FOUND"


def test_signatures_are_verified(client: Client) -> None:
    good = client.auth()
    for wrong in (
        client.auth(staticData="SIM-CANARY-OTHER"),
        client.auth(blazeId=1),
        client.auth(requestId="7"),
        good | {"authCode": client.auth()["authCode"]},
        good | {"authData": "****"},
        good | {"authData": base64.b64encode(b"x").decode()},
    ):
        code, name = error(client.process(auth=wrong))
        assert (code, name) == (1_074_266_112, "ERR_AUTHORIZATION_REQUIRED")
    assert error(client.process(deviceId="SIM-CANARY-OTHER"))[1] == "ERR_AUTHORIZATION_REQUIRED"
    assert client.details(auth=good)


def test_a_captured_bundle_signs_any_payload_until_its_time_is_over(
    sim: Simulator, client: Client
) -> None:
    payload = {"filters": [], "itemName": "", "offset": 5, "count": 2}
    assert len(client.details(payload=payload, auth=client.bundle)) == 2
    sim.control(bundle_ttl=0)
    assert error(client.process(auth=client.bundle))[1] == "ERR_AUTHORIZATION_REQUIRED"
    assert client.details()
    sim.control(bundle_ttl=86_400)


def test_a_session_that_is_over_asks_for_authentication(sim: Simulator, client: Client) -> None:
    assert client.details()
    sim.control(kill_sessions=True)
    assert error(client.process()) == (1_074_003_968, "ERR_AUTHENTICATION_REQUIRED")
    client.login()
    assert client.details()
    sim.control(session_ttl=0)
    assert error(client.process())[1] == "ERR_AUTHENTICATION_REQUIRED"
    sim.control(session_ttl=1_200)
    client.session = "SIM-CANARY-NONE"
    assert error(client.process())[1] == "ERR_AUTHENTICATION_REQUIRED"


def test_a_login_gives_a_session_and_persona_details_in_both_known_forms(
    client: Client,
) -> None:
    logins = [client.login() for _ in range(2)]
    details = [reply.json()["userLoginInfo"]["personaDetails"] for reply in logins]
    assert {type(detail) for detail in details} == {dict, list}
    sessions = {reply.json()["userLoginInfo"]["sessionKey"] for reply in logins}
    assert len(sessions) == 2
    assert all(reply.json()["isAnonymous"] is False for reply in logins)
    assert logins[0].headers["set-cookie"].startswith("ak_bmsc=SIM-CANARY-COOKIE-")


def test_a_dead_access_token_is_told_apart_from_an_expired_one(
    sim: Simulator, client: Client
) -> None:
    assert error(client.login(accessToken="SIM-CANARY-NONE")) == (65_537, "AUTH_ERR_INVALID_TOKEN")
    sim.control(token_ttl=0)
    assert error(client.login()) == (917_505, "AUTH_ERR_EXPIRED_TOKEN")
    sim.control(token_ttl=14_400)
    sim.control(kill_tokens=True)
    assert error(client.login())[1] == "AUTH_ERR_INVALID_TOKEN"
    assert client.token().status_code == 200
    assert "userLoginInfo" in client.login().json()


def test_a_wrong_product_is_an_xml_404(client: Client) -> None:
    reply = client.login(productName="madden-2025-sim-mca")
    assert reply.status_code == 404
    assert "not found for game madden-2025-sim-mca" in reply.text


def test_the_ledger_has_each_request_and_each_row_as_it_was_served(
    sim: Simulator, client: Client
) -> None:
    before = sim.stats()["requests"]
    reply = client.process()
    value = reply.json()["responseInfo"]["value"]
    client.login(accessToken="SIM-CANARY-NONE")
    with sim.ledger() as ledger:
        requests = dict(ledger.requests())
        served = [row for row in ledger.served() if row.request == before + 1]
        owed = [row for row in ledger.owed() if row.request == before + 1]
    assert requests[before + 1].command == "Mobile_SearchAuctions"
    assert requests[before + 1].request_id is not None
    assert requests[before + 2].answer == "AUTH_ERR_INVALID_TOKEN"
    assert owed == served
    assert len(served) == len(value["details"])
    for row, auction in zip(served, value["details"], strict=True):
        assert row.response_time == value["responseData"]["responseTime"]
        assert row.state.auction_id == auction["auctionId"]
        assert row.seconds_remaining == auction["secondsRemaining"]
        assert row.listing.card_id == auction["card"]["cardId"]
        assert f"AUCTIONSTATUS_{row.state.status}" == auction["auctionStatus"]
        assert row.state.current_bid == auction["currentBid"]


@pytest.mark.parametrize("name", ["evil.example", "127.0.0.1.evil.example:80", "", "a@evil"])
def test_a_foreign_page_that_a_name_leads_here_switches_nothing(sim: Simulator, name: str) -> None:
    switch = {"headers": {"host": name}, "json": {"visible": 900}}
    assert httpx.post(f"{sim.url}/sim/control", **switch).status_code == 403
    assert httpx.get(f"{sim.url}/sim/stats", headers={"host": name}).status_code == 403
    for ours in ("localhost:1", "[::1]:1", "127.0.0.1"):
        assert httpx.get(f"{sim.url}/sim/stats", headers={"host": ours}).status_code == 200


def test_control_wants_json_and_known_members_and_changes_nothing_otherwise(
    sim: Simulator,
) -> None:
    for body in ({"frezze": True}, {"fault": "fire", "next": 1}, {"fault": "reset"}, [1]):
        reply = httpx.post(f"{sim.url}/sim/control", json=body)
        assert reply.status_code == 400
        assert "error" in reply.json()
    reply = httpx.post(f"{sim.url}/sim/control", content=b'{"freeze":true}')
    assert reply.status_code == 400
    reply = httpx.post(
        f"{sim.url}/sim/control", content=b"{", headers={"content-type": "application/json"}
    )
    assert reply.status_code == 400
    assert sim.stats()["markets"]["sim"]["frozen"] is False


def test_what_is_no_part_of_the_gateway_is_a_404_and_noted(sim: Simulator) -> None:
    reply = httpx.get(f"{sim.url}/wal/mca/Process/{quote('SIM-CANARY-X', safe='')}")
    assert reply.status_code == 404
    with sim.ledger() as ledger:
        *_, (_, last) = ledger.requests()
    assert (last.kind, last.status) == ("other", 404)


def test_the_capture_is_a_har_whose_shown_auctions_count_as_served(sim: Simulator) -> None:
    entries = json.loads((sim.folder / "capture.har").read_bytes())["log"]["entries"]
    paths = [httpx.URL(entry["request"]["url"]).path for entry in entries]
    assert paths[:2] == ["/connect/token", "/wal/authentication/login"]
    text = json.loads(entries[2]["response"]["content"]["text"])
    shown = [a["auctionId"] for a in text["responseInfo"]["value"]["details"]]
    with sim.ledger() as ledger:
        kinds = [request.kind for _, request in ledger.requests()][:3]
        served = [row.state.auction_id for row in ledger.served()]
    assert kinds == ["capture"] * 3
    assert served[:3] == shown
