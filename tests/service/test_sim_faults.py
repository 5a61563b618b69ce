"""When the simulator's faults strike, and how damaged replies travel."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator
from typing import Any

import anyio
import httpx
import pytest
from tests.support.simulator import Client, Simulator, simulator
from tests.support.worldclock import START, WorldClock

from m26.sim.delivery import Connection, Delivered
from m26.sim.replies import Reply

_BROKEN = (httpx.ReadError, httpx.RemoteProtocolError)


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> WorldClock:
    return WorldClock(tmp_path_factory.mktemp("clock") / "clock")


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory, clock: WorldClock) -> Iterator[Simulator]:
    arguments = ("--size", "40", "--account", "demo", "--account", "other")
    folder = tmp_path_factory.mktemp("faults") / "sim"
    with simulator(folder, *arguments, "--clock", str(clock.path)) as running:
        yield running


@pytest.fixture
def client(sim: Simulator, clock: WorldClock) -> Iterator[Client]:
    clock.set(START)
    with Client(sim, clock=clock.time) as client:
        client.sign_in()
        yield client
        sim.control(clear_faults=True)


@pytest.fixture
def other(sim: Simulator, clock: WorldClock) -> Iterator[Client]:
    with Client(sim, "capture-other.har", account="other", clock=clock.time) as client:
        client.sign_in()
        yield client


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
    sim.control(fault="invalid_grant", next=1)
    assert client.details()
    assert client.token().json()["error"] == "invalid_grant"
    assert client.login().json()["error"]["errorname"] == "ERR_SYSTEM"
    assert "userLoginInfo" in client.login().json()


def test_a_fault_strikes_one_accounts_requests_of_every_kind(
    sim: Simulator, client: Client, other: Client
) -> None:
    sim.control(fault="unavailable", kind="any", account="other", after=0)
    for hit, call in (
        (client, client.token),
        (client, client.login),
        (client, client.process),
        (other, other.token),
        (other, other.login),
        (other, other.process),
    ):
        assert call().status_code == (503 if hit is other else 200)
    code = sim.control(issue_code="other")["code"]
    form = {"grant_type": "authorization_code", "code": code}
    assert client.token(**form).status_code == 503, "it is the code's account that counts"
    with sim.ledger() as ledger:
        struck = [request for _, request in ledger.requests() if request.fault == "unavailable"]
    assert {request.account for request in struck[-4:]} == {"other"}
    assert [request.command for request in struck[-4:]] == ["", "login", _SEARCH, ""]


_SEARCH = "Mobile_SearchAuctions"


def test_a_fault_strikes_one_command_only(sim: Simulator, client: Client) -> None:
    sim.control(fault="timeout", command="Mobile_RefreshAuctionDetails", next=1)
    ids = [auction["auctionId"] for auction in client.details()][:1]
    payload = {"auctionIdList": ids}
    reply = client.process("Mobile_RefreshAuctionDetails", payload)
    assert reply.json()["error"]["errorname"] == "ERR_TIMEOUT"
    assert len(client.details("Mobile_RefreshAuctionDetails", payload)) == 1


def test_a_fault_strikes_by_the_schedule_of_the_simulators_clock(
    sim: Simulator, client: Client, clock: WorldClock
) -> None:
    sim.control(fault="unavailable", after=START + 100, until=START + 200)
    sim.control(fault="html_403", after=START + 300, next=1)
    statuses = []
    for _ in range(8):
        statuses.append(client.process().status_code)
        clock.advance(50)
    assert statuses == [200, 200, 503, 503, 200, 200, 403, 200]


@pytest.mark.parametrize(
    "rule",
    [
        {"fault": "fire", "next": 1},
        {"fault": "reset"},
        {"fault": "reset", "account": "demo"},
        {"fault": "reset", "next": "1"},
        {"fault": "reset", "kind": "weather", "next": 1},
        {"fault": "reset", "status": 500, "next": 1},
        {"fault": "status", "status": "500", "next": 1},
        {"fault": "status", "form": "pdf", "next": 1},
        {"fault": "poison", "how": "arsenic", "next": 1},
        {"fault": "error", "tdf": "errortd", "next": 1},
        {"fault": "drip", "seconds": None, "next": 1},
        {"kill_sessions": "nobody"},
        {"paging": ["url"]},
        {"signatures": "wax"},
    ],
    ids=str,
)
def test_a_rule_that_is_not_understood_is_refused_and_strikes_nothing(
    sim: Simulator, client: Client, rule: dict[str, Any]
) -> None:
    reply = httpx.post(f"{sim.url}/sim/control", json=rule, verify=False)
    assert reply.status_code == 400
    assert reply.json()["error"]
    assert client.details()


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
    assert not sim.served_last()
    assert client.details()


@pytest.mark.parametrize("fault", ["reset", "lost_answer", "short_body"])
def test_a_cut_reply_serves_nothing_and_the_next_one_is_whole(
    sim: Simulator, client: Client, fault: str
) -> None:
    for kind, call in (("process", client.process), ("login", client.login)):
        sim.control(fault=fault, kind=kind, next=1)
        with pytest.raises(_BROKEN):
            call()
        assert not sim.served_last()
        assert call().status_code == 200
    assert client.details()


def test_a_short_body_has_its_headers_and_ends_without_a_reset(
    sim: Simulator, client: Client
) -> None:
    sim.control(fault="short_body", next=1)
    reply = client.http.send(client.request(), stream=True)
    received = bytearray()
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        received.extend(b"".join(_chunks(reply, received)))
    assert 0 < len(received) < int(reply.headers["content-length"])


def _chunks(reply: httpx.Response, received: bytearray) -> Iterator[bytes]:
    for chunk in reply.iter_raw():
        received += chunk
        yield b""


@pytest.mark.parametrize("fault", ["drip", "black_hole"])
@pytest.mark.parametrize("kind", ["process", "login"])
def test_a_drip_or_a_black_hole_outlasts_any_patience_and_ends_with_its_client(
    sim: Simulator, client: Client, fault: str, kind: str
) -> None:
    sim.control(fault=fault, kind=kind, next=1)
    client.http.timeout = httpx.Timeout(0.2)
    with pytest.raises(httpx.ReadTimeout):
        client.process() if kind == "process" else client.login()
    client.http.timeout = httpx.Timeout(5)
    assert client.details()
    with sim.ledger() as ledger:
        struck = [number for number, request in ledger.requests() if request.fault == fault]
        assert not any(row.request in struck for row in ledger.owed())


def test_a_drip_of_seconds_arrives_whole_in_the_end(sim: Simulator, client: Client) -> None:
    sim.control(fault="drip", seconds=0.8, next=1)
    assert len(client.details()) >= 40


@pytest.mark.anyio
@pytest.mark.parametrize(("seconds", "pieces"), [(0.4, 1), (1.0, 2)])
async def test_a_drip_lasts_as_long_as_it_is_told_to(seconds: float, pieces: int) -> None:
    # A piece of the body each half a second, and the end after the last pause.
    sent: list[bytes] = []

    async def send(message: Any) -> None:
        sent.append(message.get("body", b"head"))

    reply, nowhere = Reply(body=b"x" * 1_000), Connection(1, asyncio.Transport())
    drip = Delivered(reply, "drip", nowhere, gzip=False, seconds=seconds)
    await drip({"type": "http"}, anyio.sleep_forever, send)
    assert [bool(part) for part in sent] == [True] * (1 + pieces) + [False]
    assert b"".join(sent) == b"head" + reply.body
