"""Every fault of the simulator's catalogue, as a client on the wire sees it."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.simulator import Client, Simulator

from m26.sim.catalogue import FAULTS

INSTEAD = [
    ({"fault": "status", "status": 521}, 521, "<TITLE>Error</TITLE>"),
    ({"fault": "status", "status": 500, "form": "empty"}, 500, ""),
    ({"fault": "status", "status": 500, "form": "json", "text": "why"}, 500, '"message":"why"'),
    ({"fault": "status", "status": 502, "form": "xml"}, 502, "<errorcode>502</errorcode>"),
    ({"fault": "rate_limit"}, 429, "Too Many"),
    ({"fault": "html_403"}, 403, "<TITLE>Access Denied"),
    ({"fault": "unauthorized"}, 401, "<TITLE>Unauthorized"),
    ({"fault": "session_unauthorized"}, 401, "session key is not valid"),
    ({"fault": "unavailable"}, 503, "Service Unavailable"),
    ({"fault": "xml_404"}, 404, "not found for game madden-2026-sim-gen5 resolved as"),
    ({"fault": "xml_404", "name": "madden-2025-ps5"}, 404, "game madden-2025-ps5"),
    ({"fault": "error", "name": "AUTH_ERR_BANNED"}, 200, '"component":1,"errorcode":2818049'),
    ({"fault": "error", "name": "DUPLICATE_LOGIN"}, 200, '"errorname":"DUPLICATE_LOGIN"'),
    ({"fault": "error", "name": "ERR_DB_NO_ROW", "tdf": "errordf"}, 200, '"errordf":{'),
    ({"fault": "error", "name": "ERR_CANCELED", "tdf": ""}, 200, '"errorname":"ERR_CANCELED"}}'),
    ({"fault": "error", "name": "", "number": 7}, 200, '"errorcode":7,"errorname":""'),
    ({"fault": "timeout"}, 200, '"errorcode":1074069504,"errorname":"ERR_TIMEOUT"'),
    ({"fault": "system"}, 200, '"errorcode":1073807360,"errorname":"ERR_SYSTEM"}}'),
    ({"fault": "success_false"}, 200, '{"success":false}'),
    ({"fault": "code_in_success"}, 200, '{"code":401,"message":"Injected."}'),
    ({"fault": "unknown_json"}, 200, '{"weather":["fine"]}'),
    ({"fault": "malformed"}, 200, '"details":[{"auctionId":5'),
    ({"fault": "html_200"}, 200, "<TITLE>Welcome"),
    ({"fault": "xml_200", "number": 401}, 200, "<errorcode>401</errorcode>"),
    ({"fault": "empty"}, 200, ""),
    ({"fault": "body", "text": "[1]", "status": 418, "content_type": "text/x"}, 418, "[1]"),
    ({"fault": "ui_error"}, 200, '"uiErrorCode":2,"messageTitle":"","message":"Unable to'),
    ({"fault": "ui_error", "number": 9, "text": "No."}, 200, '"details":[],"responseData":{'),
    ({"fault": "empty_page"}, 200, '"details":[],"responseData":{'),
    ({"fault": "captcha"}, 200, '"captchaUrl":"https://captcha.invalid/"'),
    ({"fault": "captcha", "member": "captchaGuid", "value": True}, 200, '"captchaGuid":true'),
    ({"fault": "captcha", "member": "captchaTimeout", "value": 9}, 200, '"captchaTimeout":9'),
    ({"fault": "captcha", "member": "captchaUrl", "value": "x"}, 200, '"captchaUrl":"x"'),
    ({"fault": "session_kill"}, 200, '"errorname":"ERR_AUTHENTICATION_REQUIRED"'),
    ({"fault": "token_kill"}, 200, '"errorname":"ERR_AUTHENTICATION_REQUIRED"'),
]


@pytest.mark.parametrize(("fault", "status", "text"), INSTEAD, ids=str)
def test_a_fault_that_takes_the_page_away_serves_nothing_and_is_over_after_its_count(
    sim: Simulator, client: Client, fault: dict[str, Any], status: int, text: str
) -> None:
    sim.control(**fault, next=1)
    reply = client.process()
    assert (reply.status_code, text in reply.text) == (status, True)
    assert bool(reply.text) is bool(text)
    assert not sim.served_last()
    with sim.ledger() as ledger:
        *_, (_, last) = ledger.requests()
    assert (last.fault, last.status, last.account) == (fault["fault"], status, "demo")
    assert last.command == "Mobile_SearchAuctions"
    if "kill" in fault["fault"]:
        assert "error" in client.process().json()
        client.sign_in()
    assert len(client.details()) == 40


def test_retry_after_comes_in_seconds_or_as_a_date_by_the_servers_clock(
    sim: Simulator, client: Client
) -> None:
    for given, wanted in (
        ({}, None),
        ({"retry_after": 30}, "30"),
        ({"retry_after": 30, "as_date": True}, "Mon, 21 Sep 2026 14:13:50 GMT"),
    ):
        sim.control(fault="rate_limit", next=1, **given)
        assert client.process().headers.get("retry-after") == wanted


def test_an_encoding_that_nobody_asked_for(sim: Simulator, client: Client) -> None:
    for name in ("br", "deflate"):
        sim.control(fault="encoding", name=name, next=1)
        reply = client.http.send(client.request(), stream=True)
        assert reply.headers["content-encoding"] == name
        assert b"".join(reply.iter_raw())
        assert not sim.served_last()


def test_bodies_over_every_limit_come_plain_or_as_a_bomb(sim: Simulator, client: Client) -> None:
    sim.control(fault="too_large", next=1)
    reply = client.process()
    assert len(reply.content) == int(reply.headers["content-length"]) > 16 << 20
    sim.control(fault="gzip_bomb", next=1)
    reply = client.http.send(client.request(), stream=True)
    raw = b"".join(reply.iter_raw())
    assert len(raw) < 100_000
    assert len(zlib.decompress(raw, 31)) > 16 << 20
    assert not sim.served_last()


def test_the_token_service_fails_in_each_known_way_and_rotates_nothing(
    sim: Simulator, client: Client
) -> None:
    kept = client.refresh
    for fault, status, missing in (
        ({"fault": "unavailable", "kind": "token"}, 503, {"access_token", "refresh_token"}),
        ({"fault": "invalid_grant"}, 400, {"access_token", "refresh_token"}),
        ({"fault": "invalid_grant", "status": 200}, 200, {"access_token", "refresh_token"}),
        ({"fault": "oauth_error"}, 400, {"access_token", "refresh_token"}),
        ({"fault": "no_refresh_token"}, 200, {"refresh_token"}),
        ({"fault": "no_access_token"}, 200, {"access_token"}),
    ):
        sim.control(**fault, next=1)
        form = {"grant_type": "refresh_token", "refresh_token": kept}
        reply = client.http.post("/connect/token", data=_token_form(client) | form)
        assert reply.status_code == status
        found = reply.json() if "json" in reply.headers["content-type"] else {}
        assert {"access_token", "refresh_token"} - set(found) == missing
    assert client.token(refresh_token=kept).status_code == 200


def _token_form(client: Client) -> dict[str, str]:
    text = client.entries()[0]["request"]["postData"]["text"]
    return dict(httpx.QueryParams(text))


def test_an_answer_can_be_lost_after_the_server_rotated(sim: Simulator, client: Client) -> None:
    spent = client.refresh
    sim.control(fault="lost_answer", kind="token", next=1)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        client.token()
    assert client.token(refresh_token=spent).json()["error"] == "invalid_grant"
    client.sign_in()  # others go on with it


def test_a_login_can_be_answered_without_a_session(sim: Simulator, client: Client) -> None:
    sim.control(fault="no_session", next=1)
    document = client.http.post(
        "/wal/authentication/login",
        json={"accessToken": client.access, "productName": "madden-2026-sim-mca"},
    ).json()
    assert "sessionKey" not in document["userLoginInfo"]
    assert client.details(), "the session that was there stays"


def test_no_fault_of_the_catalogue_is_without_a_test() -> None:
    texts = "".join(path.read_text() for path in Path(__file__).parent.glob("test_sim_*.py"))
    assert not [name for name in FAULTS if f'"{name}"' not in texts]
