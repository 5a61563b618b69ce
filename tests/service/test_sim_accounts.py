"""The simulator's accounts: platforms, browser logins, sessions that end others, their secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest
from tests.support.simulator import Client, Simulator, simulator

ACCOUNTS = {"demo": "sim", "alice": "ps5", "bob": "xbsx", "carl": "pc"}
BROWSER = {
    "client_id": "SIM-CANARY-CLIENT-ID-3f1c",
    "redirect_uri": "http://127.0.0.1/success",
    "response_type": "code",
}


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    names = [word for name, p in ACCOUNTS.items() for word in ("--account", f"{name}:{p}")]
    with simulator(tmp_path_factory.mktemp("accounts") / "sim", "--size", "30", *names) as running:
        yield running


def of(sim: Simulator, name: str) -> Client:
    capture = "capture.har" if name == "demo" else f"capture-{name}.har"
    return Client(sim, capture, ACCOUNTS[name], name)


@pytest.fixture
def client(sim: Simulator) -> Iterator[Client]:
    with of(sim, "demo") as client:
        client.sign_in()
        yield client


@pytest.fixture
def alice(sim: Simulator) -> Iterator[Client]:
    with of(sim, "alice") as alice:
        alice.sign_in()
        yield alice


def test_each_platform_is_a_market_of_its_own_that_its_ids_lead_to(sim: Simulator) -> None:
    sim.control(freeze=True)
    seen: dict[str, set[int]] = {}
    for name, platform in ACCOUNTS.items():
        with of(sim, name) as client:
            client.sign_in()
            seen[platform] = {auction["auctionId"] for auction in client.sweep()}
            wrong = client.process(headers={"x-blaze-id": "madden-2026-ps4"})
            assert (wrong.status_code, "game madden-2026-ps4" in wrong.text) == (404, True)
    sim.control(freeze=False)
    assert min(map(len, seen.values())) > 20
    assert len(set.union(*seen.values())) == sum(map(len, seen.values()))
    with sim.ledger() as ledger:
        served = {(row.account, row.platform) for row in ledger.served()}
    assert served == set(ACCOUNTS.items())


def test_a_token_of_one_platform_opens_no_session_on_another(
    client: Client, sim: Simulator
) -> None:
    with of(sim, "bob") as bob:
        bob.sign_in()
        assert client.login(accessToken=bob.access).status_code == 404


def test_fifty_accounts_have_a_capture_each(tmp_path: Path) -> None:
    names = [word for n in range(50) for word in ("--account", f"a{n}:ps5")]
    with simulator(tmp_path / "sim", "--size", "30", *names) as sim:
        assert len(sim.stats()["accounts"]) == 50
        assert len(list(sim.folder.glob("capture*.har"))) == 50


def test_refresh_tokens_rotate_and_an_old_one_is_an_invalid_grant(client: Client) -> None:
    old = client.refresh
    document = client.token().json()
    names = {"access_token", "refresh_token", "expires_in", "token_type", "id_token"}
    assert set(document) == names
    assert client.refresh != old
    reply = client.token(refresh_token=old)
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_grant")
    assert client.token().status_code == 200


def test_the_previous_refresh_token_can_be_accepted_until_its_heir_was_used(
    sim: Simulator, client: Client
) -> None:
    sim.control(accept_previous_refresh=True)
    old = client.refresh
    assert client.token().status_code == 200
    assert client.token(refresh_token=old).status_code == 200
    assert client.token().status_code == 200
    assert client.token(refresh_token=old).status_code == 400
    sim.control(accept_previous_refresh=False)


def test_a_code_works_once(sim: Simulator, client: Client) -> None:
    code = sim.control(issue_code="demo")["code"]
    form = {"grant_type": "authorization_code", "code": code}
    assert client.token(**form).status_code == 200
    assert client.token(**form).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ({"client_secret": "SIM-CANARY-OTHER"}, "invalid_client"),
        ({"token_format": ""}, "invalid_request"),
        ({"release_type": "test"}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"refresh_token": "SIM-CANARY-NONE"}, "invalid_grant"),
    ],
)
def test_a_token_request_is_verified(client: Client, form: dict[str, str], name: str) -> None:
    reply = client.token(**form)
    assert (reply.status_code, reply.json()["error"]) == (400, name)


@pytest.mark.parametrize(("hint", "account"), [({}, "demo"), ({"login_hint": "carl"}, "carl")])
def test_a_browser_comes_back_with_a_code_that_works_once(
    sim: Simulator, client: Client, hint: dict[str, str], account: str
) -> None:
    query = BROWSER | hint | {"state": "a b"}
    reply = httpx.get(f"{sim.url}/connect/auth", verify=False, params=query)
    assert reply.status_code == 302
    location = urlsplit(reply.headers["location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == BROWSER["redirect_uri"]
    back = parse_qs(location.query)
    assert back["state"] == ["a b"]
    form = {"grant_type": "authorization_code", "code": back["code"][0]}
    assert client.token(**form).status_code == 200
    assert client.token(**form).json()["error"] == "invalid_grant"
    with sim.ledger() as ledger:
        *_, first, second, _ = (request for _, request in ledger.requests())
    assert (first.kind, first.status, first.account) == ("authorize", 302, account)
    assert (second.kind, second.account) == ("token", account)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "OTHER"}, "invalid_client"),
        ({"redirect_uri": "http://evil.invalid/"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"login_hint": "nobody"}, "access_denied"),
        ({"state": ""}, "invalid_request"),
        ({"state": "x" * 5_000}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
        ({"code_challenge": "x" * 43}, "invalid_request"),
        ({"code_challenge_method": "S256"}, "invalid_request"),
    ],
)
def test_a_browser_that_asks_wrongly_gets_an_error_and_no_code(
    sim: Simulator, changes: dict[str, str], error: str
) -> None:
    reply = httpx.get(f"{sim.url}/connect/auth", verify=False, params=BROWSER | changes)
    assert (reply.status_code, reply.json()["error"]) == (400, error)
    assert "location" not in reply.headers


def test_a_fault_can_strike_the_browser(sim: Simulator) -> None:
    sim.control(fault="unavailable", kind="authorize", next=1)
    assert httpx.get(f"{sim.url}/connect/auth", verify=False, params=BROWSER).status_code == 503


def test_a_kill_may_name_its_account(sim: Simulator, client: Client, alice: Client) -> None:
    sim.control(kill_sessions="alice", kill_tokens="alice", kill_refresh_tokens="alice")
    assert client.details()
    assert alice.process().json()["error"]["errorname"] == "ERR_AUTHENTICATION_REQUIRED"
    assert alice.login().json()["error"]["errorname"] == "AUTH_ERR_INVALID_TOKEN"
    assert alice.token().json()["error"] == "invalid_grant"
    sim.control(kill_bundles="alice")
    assert client.details(auth=client.bundle)


def test_a_login_ends_older_sessions_only_where_there_may_be_one(
    sim: Simulator, client: Client, alice: Client
) -> None:
    first = client.session
    client.login()
    second, client.session = client.session, first
    assert client.details()
    sim.control(one_session=True)
    client.login()
    assert client.details()
    for ended in (first, second):
        client.session = ended
        assert "error" in client.process().json()
    assert alice.details(), "another account's session stays"
    sim.control(one_session=False)


def test_each_way_of_signing_can_be_refused_alone(sim: Simulator, client: Client) -> None:
    for accepted in ("signed", "bundles", "none", "both"):
        sim.control(signatures=accepted)
        for way, auth in (("signed", client.auth()), ("bundles", client.bundle)):
            document = client.process(auth=auth).json()
            assert ("error" not in document) is (accepted in {way, "both"})


def test_every_secret_on_the_wire_is_in_the_list_of_secrets(sim: Simulator, client: Client) -> None:
    known = set(sim.secrets())
    login = client.login()
    cookie = login.headers["set-cookie"].partition("=")[2].partition(";")[0]
    tokens = client.token().json()
    reply = httpx.get(f"{sim.url}/connect/auth", verify=False, params=BROWSER)
    code = parse_qs(urlsplit(reply.headers["location"]).query)["code"][0]
    now = set(sim.secrets())
    handed_out = {cookie, code, client.session, tokens["access_token"], tokens["refresh_token"]}
    handed_out |= {tokens["id_token"]}
    assert handed_out <= now - known
    assert {client.device_id, client.bundle["authData"], client.bundle["authCode"]} <= known
    assert quote(client.session, safe="") in now
    for name in ("capture.har", "capture-bob.har"):
        text = json.dumps(json.loads((sim.folder / name).read_bytes()))
        words = {word for word in text.replace("\\", '"').split('"') if "CANARY" in word}
        found = [word for word in words if not any(secret in word for secret in known)]
        assert not found
