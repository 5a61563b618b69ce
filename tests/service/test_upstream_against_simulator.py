from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import pytest
import structlog
from tests.support.simulator import Simulator, simulator

from m26 import _native, log
from m26.auth.cache import TicketCache
from m26.auth.entry import Entry
from m26.auth.intake import import_capture
from m26.auth.session import Session
from m26.auth.vault import Vault
from m26.cli import run_command
from m26.upstream.client import GatewayClient
from m26.upstream.profile import Profile, Signing
from m26.upstream.replies import classify
from m26.upstream.verdicts import Action, RefusedError, Verdict

pytestmark = pytest.mark.anyio
PAYLOAD = '{"filters":[],"itemName":""}'
SIM = Profile.load("sim")
UNSIGNED = replace(SIM, signing=Signing())


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with simulator(tmp_path_factory.mktemp("upstream") / "sim") as running:
        yield running


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Simulator]:
    """A simulator of the test's own, with a fresh capture."""
    with simulator(tmp_path / "world" / "sim") as running:
        yield running


@dataclass
class Account:
    session: Session
    vault: Vault
    spent: list[str]

    async def search(self) -> Verdict:
        reply = await self.session.request("search", PAYLOAD, params={"offset": "0", "count": "9"})
        verdict = classify(reply.head, _native.peek(reply.body))
        await self.session.judged(verdict)
        return verdict


@asynccontextmanager
async def account(
    home: Path,
    sim: Simulator,
    *,
    profile: Profile = SIM,
    cache: TicketCache | None = None,
    without_ticket: bool = False,
) -> AsyncIterator[Account]:
    vault = Vault.open(home)
    if not vault.accounts():
        import_capture(vault, sim.folder / "capture.har")
    if without_ticket:
        vault.change("main", lambda held: replace(held, ticket=None))
    spent: list[str] = []

    async def spend(name: str) -> None:
        spent.append(name)

    async with GatewayClient(
        profile=profile, platform="sim", oauth_url=sim.url, base_url=sim.url
    ) as client:
        session = Session(
            entry=Entry(vault, "main", clock=time.time),
            client=client,
            profile=profile,
            cache=cache,
            spend=spend,
        )
        yield Account(session, vault, spent)


async def test_an_imported_capture_searches_at_once(tmp_path: Path, world: Simulator) -> None:
    async with account(tmp_path, world) as main:
        assert main.session.platform == "sim"
        assert (await main.search()).action is Action.OK
        assert main.spent == ["Mobile_SearchAuctions"]


async def test_a_dead_session_is_rejected_and_one_login_later_all_works(
    tmp_path: Path, world: Simulator
) -> None:
    async with account(tmp_path, world) as main:
        await main.search()
        world.control(kill_sessions=True)
        verdict = await main.search()
        assert (verdict.action, verdict.reason) == (Action.NEW_SESSION, "session_rejected")
        dead = main.session.ticket_id
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(lambda: main.session.renew_session(dead=dead))
        assert main.session.ticket_id != dead
        assert (await main.search()).action is Action.OK
        assert main.spent.count("login") == 1
        assert "token" not in main.spent


async def test_dead_tokens_are_renewed_and_saved(tmp_path: Path, world: Simulator) -> None:
    async with account(tmp_path, world, without_ticket=True) as main:
        before = main.vault.read("main").tokens
        world.control(kill_tokens=True)
        assert (await main.search()).action is Action.OK
        assert main.spent == ["login", "token", "login", "Mobile_SearchAuctions"]
        after = main.vault.read("main").tokens
        assert before is not None
        assert after is not None
        assert after.access != before.access
        assert after.refresh != before.refresh
        await main.session.renew_tokens()
        assert (await main.search()).action is Action.OK
    async with account(tmp_path, world, without_ticket=True) as again:  # by the saved pair
        await again.session.renew_tokens()
        assert (await again.search()).action is Action.OK


async def test_a_dead_refresh_token_is_asked_once_and_stops(
    tmp_path: Path, world: Simulator
) -> None:
    async with account(tmp_path, world, without_ticket=True) as main:
        world.control(kill_tokens=True, kill_refresh_tokens=True)
        for _ in range(3):
            with pytest.raises(RefusedError) as stopped:
                await main.session.renew_tokens()
            assert stopped.value.verdict.reason == "login_again"
        assert main.spent == ["token"]


async def test_without_signing_constants_the_captured_bundle_works_until_it_is_refused(
    tmp_path: Path, world: Simulator
) -> None:
    async with account(tmp_path, world, profile=UNSIGNED) as main:
        assert (await main.search()).action is Action.OK
        assert (await main.search()).action is Action.OK
        world.control(kill_bundles=True)
        assert (await main.search()).reason == "signature_rejected"
        (bundle,) = main.vault.read("main").bundles
        assert bundle.retry_at > 0


async def test_a_ticket_in_redis_spares_another_host_the_login(
    tmp_path: Path, world: Simulator, redis_url: str
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    vault = Vault.open(one)
    async with (
        TicketCache(redis_url, vault=vault) as cache,
        account(one, world, cache=cache, without_ticket=True) as main,
    ):
        assert (await main.search()).action is Action.OK
        assert main.spent == ["login", "Mobile_SearchAuctions"]
    two.mkdir()
    (two / "vault.key").write_bytes((one / "vault.key").read_bytes())
    (two / "vault.key").chmod(0o600)
    async with (
        TicketCache(redis_url, vault=Vault.open(two)) as cache,
        account(two, world, cache=cache, without_ticket=True) as standby,
    ):
        assert (await standby.search()).action is Action.OK
        assert standby.spent == ["Mobile_SearchAuctions"]
        assert standby.session.ticket_id == main.session.ticket_id


@pytest.mark.parametrize(
    ("fault", "reason", "action"),
    [
        ({"fault": "rate_limit", "retry_after": 7}, "rate_limited", Action.PAUSE),
        ({"fault": "timeout"}, "transient", Action.RETRY),
        ({"fault": "system"}, "transient", Action.RETRY),
        ({"fault": "error", "name": "ERR_BRAND_NEW"}, "unknown_error", Action.PAUSE),
        ({"fault": "error", "name": "AUTH_ERR_BANNED"}, "banned", Action.STOP),
        ({"fault": "error", "name": "ERR_DUPLICATE_LOGIN"}, "duplicate_login", Action.PAUSE),
        ({"fault": "xml_404"}, "wrong_product", Action.PAUSE),
        ({"fault": "html_403"}, "edge_blocked", Action.PAUSE),
        ({"fault": "unauthorized"}, "token_rejected", Action.NEW_TOKEN),
        ({"fault": "unavailable"}, "maintenance", Action.RETRY),
        ({"fault": "status", "status": 521}, "soft_ban", Action.PAUSE),
        ({"fault": "status", "status": 494}, "locked", Action.STOP),
        ({"fault": "status", "status": 458}, "captcha", Action.STOP),
        ({"fault": "success_false"}, "not_success", Action.PAUSE),
        ({"fault": "ui_error"}, "ui_error", Action.NEW_SESSION),
        ({"fault": "captcha"}, "captcha", Action.STOP),
    ],
)
async def test_each_fault_on_a_command_gets_its_verdict(
    tmp_path: Path, sim: Simulator, fault: dict[str, Any], reason: str, action: Action
) -> None:
    async with account(tmp_path, sim, without_ticket=True) as main:
        assert (await main.search()).action is Action.OK
        sim.control(**fault, next=1)
        verdict = await main.search()
        assert (verdict.reason, verdict.action) == (reason, action)
        assert (await main.search()).action is Action.OK


async def test_nothing_secret_is_logged_at_any_level(
    tmp_path: Path, world: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    log.configure(level="debug", fmt="json", debug=True)
    try:
        async with account(tmp_path, world) as main:
            await main.search()
            world.control(kill_sessions=True, kill_tokens=True)
            await main.search()
            await main.session.renew_session(dead=main.session.ticket_id)
            await main.search()
            world.control(kill_tokens=True, kill_refresh_tokens=True)
            with pytest.raises(RefusedError) as refused:
                await main.session.renew_tokens()
            logging.getLogger("x").error("boom", exc_info=refused.value)
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers.clear()
    lines = written.getvalue()
    assert "auth.session_opened" in lines
    assert "auth.tokens_renewed" in lines
    assert "SIM-CANARY" not in lines
    assert world.url not in lines
    for name in ("vault.bin", "vault.key"):
        assert b"CANARY" not in (tmp_path / name).read_bytes()


def test_the_commands_show_what_was_found_and_never_its_value(
    tmp_path: Path,
    sim: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    monkeypatch.setenv("M26_PROFILE", "sim")
    home = ["--home", str(tmp_path / "home")]
    capture = str(sim.folder / "capture.har")
    assert run_command(["auth", "import", capture, *home]) == 0
    text = capfdbinary.readouterr().out.decode()
    assert "refresh token: yes" in text
    assert "renews itself while m26 runs" in text
    assert run_command(["auth", "status", *home, "--json"]) == 0
    out = capfdbinary.readouterr().out
    (document,) = json.loads(out)["items"]
    assert (document["account"], document["platform"]) == ("main", "sim")
    states = {line["what"]: line["state"] for line in document["credentials"]}
    assert set(states.values()) == {"ok"}
    assert {"access token", "refresh token", "session", "bundles"} <= set(states)
    assert document["forecast"]["seconds_left"] is None
    assert b"CANARY" not in out + text.encode()


def test_the_commands_say_what_is_wrong(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], sim: Simulator
) -> None:
    home = ["--home", str(tmp_path / "home")]
    assert run_command(["auth", "status", *home]) == 0
    assert b"vault is empty" in capfdbinary.readouterr().out
    assert run_command(["auth", "import", str(tmp_path / "absent.har"), *home]) == 2
    assert b"no such file" in capfdbinary.readouterr().err
    assert run_command(["auth", "import", *home]) == 2
    capture = str(sim.folder / "capture.har")
    assert run_command(["auth", "import", capture, "--platform", "nes", *home]) == 2
    assert b"unknown platform 'nes'" in capfdbinary.readouterr().err
    empty = tmp_path / "empty.har"
    empty.write_bytes(b'{"log":{"entries":[]}}')
    assert run_command(["auth", "import", str(empty), "--json", *home]) == 4
    assert json.loads(capfdbinary.readouterr().out)["error"]["code"] == "auth"
