"""The simulator's faults, as a client on the wire sees them."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator

import httpx
import pytest
from tests.simulator import Client, Simulator, simulator


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with simulator(tmp_path_factory.mktemp("faults") / "sim", "--size", "40") as running:
        yield running


@pytest.fixture
def client(sim: Simulator) -> Iterator[Client]:
    with Client(sim) as client:
        client.sign_in()
        yield client
        sim.control(clear_faults=True)


@pytest.mark.parametrize(
    ("fault", "status", "text"),
    [
        ({"fault": "rate_limit"}, 429, "Too Many"),
        ({"fault": "timeout"}, 200, '"errorcode":1074069504,"errorname":"ERR_TIMEOUT"'),
        (
            {"fault": "system"},
            200,
            '{"error":{"component":2050,"errorcode":1073807360,"errorname":"ERR_SYSTEM"}}',
        ),
        ({"fault": "error", "name": "AUTH_ERR_BANNED"}, 200, '"errorcode":2818049'),
        ({"fault": "xml_404"}, 404, "<errorcode>404</errorcode>"),
        ({"fault": "html_403"}, 403, "<TITLE>Access Denied"),
        ({"fault": "unauthorized"}, 401, "Unauthorized"),
        ({"fault": "unavailable"}, 503, "Service Unavailable"),
        ({"fault": "status", "status": 512}, 512, "Error"),
        ({"fault": "success_false"}, 200, '{"success":false}'),
        ({"fault": "ui_error"}, 200, '"uiErrorCode":2,"messageTitle":"","message":"Unable to'),
        ({"fault": "truncated"}, 200, '"truncated":true'),
        ({"fault": "captcha"}, 200, '"captchaUrl":"https://captcha.invalid/"'),
    ],
    ids=lambda value: value["fault"] if isinstance(value, dict) else "",
)
def test_a_fault_answers_in_its_exact_form_once_and_then_is_over(
    sim: Simulator, client: Client, fault: dict[str, object], status: int, text: str
) -> None:
    sim.control(**fault, next=1)
    reply = client.process()
    assert reply.status_code == status
    assert text in reply.text
    assert client.details()
    assert sim.stats()["faults"][fault["fault"]] >= 1


def test_retry_after_is_sent_when_it_is_asked_for(sim: Simulator, client: Client) -> None:
    sim.control(fault="rate_limit", retry_after=30, next=1)
    assert client.process().headers["retry-after"] == "30"
    sim.control(fault="rate_limit", next=1)
    assert "retry-after" not in client.process().headers


def test_a_fault_strikes_the_requests_whose_numbers_it_names(
    sim: Simulator, client: Client
) -> None:
    number = sim.stats()["requests"]
    sim.control(fault="unavailable", at=[number + 2, number + 4])
    assert [client.process().status_code for _ in range(5)] == [200, 503, 200, 503, 200]


def test_a_fault_can_strike_by_chance(sim: Simulator, client: Client) -> None:
    sim.control(fault="unavailable", probability=0.5)
    statuses = {client.process().status_code for _ in range(40)}
    assert statuses == {200, 503}


def test_a_fault_of_logins_or_tokens_leaves_the_rest_alone(sim: Simulator, client: Client) -> None:
    sim.control(fault="system", kind="login", next=1)
    sim.control(fault="invalid_grant", kind="token", next=1)
    assert client.details()
    assert client.token().json()["error"] == "invalid_grant"
    assert client.login().json()["error"]["errorname"] == "ERR_SYSTEM"
    assert "userLoginInfo" in client.login().json()


def test_a_killed_session_ends_all_of_the_account(sim: Simulator, client: Client) -> None:
    sim.control(fault="session_kill", next=1)
    for _ in range(2):
        name = client.process().json()["error"]["errorname"]
        assert name == "ERR_AUTHENTICATION_REQUIRED"
    assert "userLoginInfo" in client.login().json()
    sim.control(fault="token_kill", next=1)
    assert "error" in client.process().json()
    assert client.login().json()["error"]["errorname"] == "AUTH_ERR_INVALID_TOKEN"
    client.token()
    client.login()
    assert client.details()


def test_half_a_gzip_is_a_complete_http_reply_that_serves_nothing(
    sim: Simulator, client: Client
) -> None:
    sim.control(fault="half_gzip", next=1)
    reply = client.http.send(client.request(), stream=True)
    raw = b"".join(reply.iter_raw())  # httpx's own decoding would hand out the half as a whole
    assert int(reply.headers["content-length"]) == len(raw)
    with pytest.raises(EOFError):
        gzip.decompress(raw)
    assert not _served_last(sim)
    assert client.details()


def _served_last(sim: Simulator) -> bool:
    with sim.ledger() as ledger:
        *_, (number, _) = ledger.requests()
        return any(row.request == number for row in ledger.served())


def test_a_reset_cuts_the_connection_in_the_middle_and_serves_nothing(
    sim: Simulator, client: Client
) -> None:
    sim.control(fault="reset", next=1)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        client.process()
    assert not _served_last(sim)
    assert client.details()


def test_a_drip_is_slower_than_any_patience_and_ends_with_its_client(
    sim: Simulator, client: Client
) -> None:
    sim.control(fault="drip", next=1)
    before = time.monotonic()
    client.http.timeout = httpx.Timeout(0.2)
    with pytest.raises(httpx.ReadTimeout):
        client.process()
    assert time.monotonic() - before < 5
    client.http.timeout = httpx.Timeout(5)
    assert client.details()
    with sim.ledger() as ledger:
        dripped = [number for number, request in ledger.requests() if request.fault == "drip"]
        assert not any(row.request in dripped for row in ledger.owed())


def test_an_error_reply_serves_nothing(sim: Simulator, client: Client) -> None:
    sim.control(fault="ui_error", next=1)
    client.process()
    assert not _served_last(sim)
