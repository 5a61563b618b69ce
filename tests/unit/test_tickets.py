from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests.support.gateway import (
    NOW,
    Upstream,
    blaze_error,
    credentials,
    stored,
    ticket,
    tokens,
)

from m26.auth import tickets
from m26.auth.credentials import Credentials, Ticket
from m26.auth.entry import Entry
from m26.auth.vault import Vault
from m26.upstream.client import GatewayClient
from m26.upstream.profile import Profile
from m26.upstream.verdicts import Action, RefusedError, UnavailableError

pytestmark = pytest.mark.anyio


@dataclass
class Shared:
    """Stands where the ticket cache stands."""

    ticket: Ticket | None = None

    async def put(self, account: str, platform: str, ticket: Ticket) -> None:
        self.ticket = ticket

    async def get(self, account: str, platform: str) -> Ticket | None:
        return self.ticket


def client(upstream: Upstream) -> GatewayClient:
    return GatewayClient(
        profile=Profile.load("sim"), platform="sim", transport=upstream.transport()
    )


async def test_a_login_sends_the_token_and_gives_a_ticket() -> None:
    upstream = Upstream()
    got = await tickets.login(client(upstream), tokens(), clock=lambda: NOW + 5)
    assert got == ticket(2, at=NOW + 5)
    assert upstream.asked[0][1].content == (
        b'{"accessToken":"CANARY-ACCESS-1","productName":"madden-2026-sim-mca"}'
    )


@pytest.mark.parametrize(
    ("answer", "error", "action"),
    [
        (blaze_error("AUTH_ERR_BANNED"), RefusedError, Action.STOP),
        (blaze_error("AUTH_ERR_EXPIRED_TOKEN"), UnavailableError, Action.NEW_TOKEN),
        (blaze_error("ERR_SYSTEM"), UnavailableError, Action.RETRY),
        (blaze_error("ERR_DUPLICATE_LOGIN"), UnavailableError, Action.PAUSE),
        (httpx.Response(503), UnavailableError, Action.RETRY),
    ],
)
async def test_a_failed_login_says_what_to_do(
    answer: httpx.Response, error: type[RefusedError | UnavailableError], action: Action
) -> None:
    with pytest.raises(error) as failed:
        await tickets.login(client(Upstream(login=[answer])), tokens(), clock=lambda: NOW)
    assert failed.value.verdict.action is action


def entry(home: Path, held: Credentials) -> Entry:
    return Entry(stored(home, held), "main", clock=lambda: NOW)


async def test_a_new_ticket_is_in_the_vault_and_in_the_cache(tmp_path: Path) -> None:
    of_main, shared = entry(tmp_path, credentials()), Shared()
    new = ticket(3, at=NOW + 9)
    await tickets.keep(new, entry=of_main, cache=shared)
    assert Vault.open(tmp_path).read("main").ticket == new
    assert shared.ticket == new


async def test_a_ticket_that_cannot_be_saved_still_goes_to_the_cache(tmp_path: Path) -> None:
    of_main, shared = entry(tmp_path, credentials()), Shared()
    (tmp_path / ".vault.bin.new").mkdir()
    await tickets.keep(ticket(3), entry=of_main, cache=shared)
    assert shared.ticket == ticket(3)
    assert Vault.open(tmp_path).read("main").ticket == ticket(1)


@pytest.mark.parametrize(
    ("held", "shared", "after", "expected"),
    [
        (ticket(1, at=10), None, 0, 1),
        (ticket(1, at=10), ticket(2, at=20), 0, 2),
        (ticket(1, at=30), ticket(2, at=20), 0, 1),
        (ticket(1, at=30), ticket(2, at=20), 31, None),
        (ticket(9, at=30), ticket(2, at=30), 30, 2),  # dead, and another of the same moment
        (None, ticket(2, at=20), 10, 2),
        (None, None, 0, None),
    ],
)
async def test_the_newest_ticket_that_is_not_dead_is_taken(
    tmp_path: Path, held: Ticket | None, shared: Ticket | None, after: float, expected: int | None
) -> None:
    got = await tickets.newest(
        entry=entry(tmp_path, credentials(ticket=held)),
        cache=Shared(shared),
        dead=[ticket(9).id],
        after=after,
    )
    assert (got and got.id) == (ticket(expected).id if expected else None)
