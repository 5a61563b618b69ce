from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests.gateway import (
    NOW,
    Upstream,
    blaze_error,
    credentials,
    stored,
    ticket,
    tokens,
)

from m26.auth import tickets
from m26.auth.credentials import Ticket
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


async def test_a_new_ticket_is_in_the_vault_and_in_the_cache(tmp_path: Path) -> None:
    vault, shared = stored(tmp_path, credentials()), Shared()
    new = ticket(3, at=NOW + 9)
    await tickets.keep(new, account="main", platform="sim", vault=vault, cache=shared)
    assert vault.read("main").ticket == new
    assert shared.ticket == new


@pytest.mark.parametrize(
    ("held", "shared", "after", "expected"),
    [
        (ticket(1, at=10), None, 0, 1),
        (ticket(1, at=10), ticket(2, at=20), 0, 2),
        (ticket(1, at=30), ticket(2, at=20), 0, 1),
        (ticket(1, at=30), ticket(2, at=20), 30, None),
        (None, ticket(2, at=20), 10, 2),
        (None, None, 0, None),
    ],
)
async def test_the_newest_ticket_after_the_dead_one_is_taken(
    tmp_path: Path, held: Ticket | None, shared: Ticket | None, after: float, expected: int | None
) -> None:
    vault = stored(tmp_path, credentials(ticket=held))
    got = await tickets.newest(
        account="main", platform="sim", vault=vault, cache=Shared(shared), after=after
    )
    assert (got and got.id) == (ticket(expected).id if expected else None)
