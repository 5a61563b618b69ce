from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import anyio
import httpx
import pytest
from tests.support.gateway import (
    NOW,
    PAYLOAD,
    Upstream,
    blaze_error,
    credentials,
    desk,
    login_answer,
    stored,
    ticket,
    token_answer,
    tokens,
)

from m26.auth.credentials import Credentials, Use
from m26.auth.entry import Change, Entry
from m26.auth.vault import Vault
from m26.upstream.verdicts import RefusedError, UnavailableError

pytestmark = pytest.mark.anyio


def unwritable(home: Path) -> Path:
    """While this is a folder the vault can be read but not written, as on a full disk."""
    return home / ".vault.bin.new"


async def test_a_pair_that_cannot_be_saved_is_kept_and_saved_before_it_is_used(
    tmp_path: Path,
) -> None:
    at = desk(tmp_path)
    await at.session.request("search", PAYLOAD)
    at.upstream.hook = lambda kind: unwritable(tmp_path).mkdir() if kind == "token" else None
    for _ in range(3):
        with pytest.raises(UnavailableError) as told:
            await at.session.renew_tokens()
        assert told.value.verdict.reason == "vault_unusable"
        with pytest.raises(UnavailableError):
            await at.session.request("search", PAYLOAD)
    assert at.upstream.calls() == ["process", "token"]
    unwritable(tmp_path).rmdir()
    assert at.held().tokens == tokens()
    assert at.held().refreshes_unanswered == 1
    await at.session.request("search", PAYLOAD)
    assert at.upstream.calls() == ["process", "token", "login", "process"]
    assert at.held().tokens == tokens(2)
    assert at.held().refreshes_unanswered == 0


async def test_a_pair_that_could_not_be_saved_is_saved_at_the_end(tmp_path: Path) -> None:
    at = desk(tmp_path)
    at.upstream.hook = lambda _: unwritable(tmp_path).mkdir()
    with pytest.raises(UnavailableError):
        await at.session.renew_tokens()
    unwritable(tmp_path).rmdir()
    await at.session.aclose()
    assert at.held().tokens == tokens(2)


async def test_a_forgotten_account_stops_at_its_next_request(tmp_path: Path) -> None:
    at = desk(tmp_path)
    at.vault.update("other", lambda _: credentials())
    await at.session.request("search", PAYLOAD)
    at.vault.forget("main")
    for call in (at.session.request("search", PAYLOAD), at.session.renew_tokens()):
        with pytest.raises(RefusedError) as stopped:
            await call
        assert stopped.value.verdict.reason == "no_credentials"
    assert at.upstream.calls() == ["process"]
    await at.session.aclose()


async def test_a_vault_that_cannot_be_read_stops_renewals_not_requests(tmp_path: Path) -> None:
    at = desk(tmp_path)
    await at.session.request("search", PAYLOAD)
    (tmp_path / "vault.bin").chmod(0o644)
    await at.session.request("search", PAYLOAD)
    with pytest.raises(UnavailableError) as told:
        await at.session.renew_session(dead=at.session.ticket_id)
    assert told.value.verdict.reason == "vault_unusable"
    assert "chmod" in told.value.verdict.message or "0644" in told.value.verdict.message
    (tmp_path / "vault.bin").chmod(0o600)
    await at.session.request("search", PAYLOAD)
    assert at.upstream.calls() == ["process", "process", "login", "process"]


async def test_uses_are_counted_and_written_once_a_minute_and_at_the_end(tmp_path: Path) -> None:
    at = desk(tmp_path, credentials(ticket=None))
    writes = []
    for _ in range(30):
        before = at.vault.stamp()
        await at.ask()
        writes.append(at.vault.stamp() != before)
        at.now[0] += 5
    assert sum(writes) == 3  # the login, which reserves request numbers; after 60 and 120 seconds
    assert at.held().uses["session"].accepted < 30
    await at.session.aclose()
    uses = at.held().uses
    assert (uses["session"].accepted, uses["signing"].accepted) == (30, 30)
    assert uses["access_token"] == Use(accepted=1, accepted_at=NOW)
    before = at.vault.stamp()
    await at.session.aclose()
    assert at.vault.stamp() == before  # nothing to write


async def test_failures_are_counted_with_their_reason(tmp_path: Path) -> None:
    upstream = Upstream(
        login=[blaze_error("AUTH_ERR_EXPIRED_TOKEN"), login_answer()],
        token=[httpx.Response(503), token_answer()],
    )
    at = desk(tmp_path, upstream=upstream)
    await at.ask("session_rejected")
    at.now[0] += 10
    with pytest.raises(UnavailableError):
        await at.session.renew_session(dead=ticket().id)
    await at.session.renew_session(dead=ticket().id)
    await at.session.aclose()
    uses = {name: (use.accepted, use.refused, use.reason) for name, use in at.held().uses.items()}
    assert uses == {
        "session": (0, 1, "session_rejected"),
        "access_token": (1, 1, "token_expired"),
        "refresh_token": (1, 1, "token_unavailable"),
    }


async def test_counts_of_two_processes_add_up(tmp_path: Path) -> None:
    one = desk(tmp_path)
    two = desk(tmp_path, one.held())
    for _ in range(3):
        await one.ask()
        await two.ask()
    await one.session.aclose()
    await two.session.aclose()
    assert one.held().uses["session"].accepted == 6


async def test_counts_that_cannot_be_written_harm_no_request(tmp_path: Path) -> None:
    at = desk(tmp_path)
    await at.ask()
    unwritable(tmp_path).mkdir()
    for _ in range(5):
        at.now[0] += 61
        await at.ask()
    unwritable(tmp_path).rmdir()
    at.now[0] += 61
    await at.ask()
    assert at.held().uses["session"].accepted == 7


class SlowVault(Vault):
    """The first change is written at once, but its writer hears of it late."""

    go_on: threading.Event | None = None

    def change(self, account: str, change: Change) -> Credentials:
        held = super().change(account, change)
        if (waits := self.go_on) is not None:
            self.go_on = None
            assert waits.wait(5)
        return held


async def test_a_pair_that_is_owed_is_not_forgotten_for_writes_beside_it(tmp_path: Path) -> None:
    stored(tmp_path, credentials())
    vault, go_on = SlowVault.open(tmp_path), threading.Event()
    entry = Entry(vault, "main", clock=lambda: NOW)
    unwritable(tmp_path).mkdir()
    with pytest.raises(UnavailableError):
        await entry.settle(lambda held: held)
    unwritable(tmp_path).rmdir()
    async with anyio.create_task_group() as group:
        vault.go_on = go_on
        group.start_soon(entry.change, lambda held: held)
        while vault.go_on is not None:
            await anyio.sleep(0.001)
        await entry.change(lambda held: held)  # both took along what was owed
        unwritable(tmp_path).mkdir()
        with pytest.raises(UnavailableError):
            await entry.settle(lambda held: replace(held, tokens=tokens(9)))
        unwritable(tmp_path).rmdir()
        go_on.set()
    await entry.aclose()
    assert vault.read("main").tokens == tokens(9)
