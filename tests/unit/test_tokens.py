from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anyio
import httpx
import pytest
import structlog
from structlog.testing import capture_logs
from tests.support.gateway import (
    NOW,
    Upstream,
    credentials,
    form,
    stored,
    token_answer,
    tokens,
)

from m26.auth.tokens import refresh
from m26.auth.vault import Vault
from m26.errors import TransportError
from m26.upstream.client import GatewayClient
from m26.upstream.profile import Profile
from m26.upstream.secret import Secret
from m26.upstream.verdicts import RefusedError, UnavailableError

pytestmark = pytest.mark.anyio
LOST = httpx.ReadError("CANARY-URL")
SIM = Profile.load("sim")


class Refresher:
    def __init__(self, home: Path, upstream: Upstream, profile: Profile = SIM) -> None:
        self.vault = Vault.open(home)
        self.upstream = upstream
        self.profile = profile
        self.spent: list[str] = []
        self.now = NOW + 100

    async def __call__(self) -> str:
        held = self.vault.read("main")
        assert held.tokens is not None

        async def spend(name: str) -> None:
            self.spent.append(name)

        new = await refresh(
            account="main",
            replaced=held.tokens,
            vault=self.vault,
            client=GatewayClient(
                profile=self.profile, platform="sim", transport=self.upstream.transport()
            ),
            profile=self.profile,
            spend=spend,
            clock=lambda: self.now,
        )
        return new.access.reveal()


async def test_a_new_pair_is_in_the_vault_when_it_is_returned(tmp_path: Path) -> None:
    stored(tmp_path, credentials())
    upstream = Upstream()
    refresher = Refresher(tmp_path, upstream)
    assert await refresher() == "CANARY-ACCESS-2"
    held = Vault.open(tmp_path).read("main")
    assert held.tokens == tokens(2, at=NOW + 100)
    assert (held.refreshes_unanswered, refresher.spent) == (0, ["token"])
    sent = form(upstream.asked[0][1])
    assert sent["refresh_token"] == "CANARY-REFRESH-1"
    assert sent["client_id"] == SIM.oauth.client_id


async def test_an_answer_without_a_refresh_token_leaves_the_old_one_in_force(
    tmp_path: Path,
) -> None:
    vault = stored(tmp_path, credentials(refreshes_unanswered=1))
    refresher = Refresher(tmp_path, Upstream(token=[token_answer(refresh_token=None)]))
    structlog.reset_defaults()  # another test may have raised the level
    with capture_logs() as lines:
        assert await refresher() == "CANARY-ACCESS-2"
    held = vault.read("main")
    assert held.tokens == replace(tokens(2, at=NOW + 100), refresh=Secret("CANARY-REFRESH-1"))
    assert (held.refreshes_unanswered, held.uses["refresh_token"].accepted) == (0, 1)
    refresher.upstream.token = [token_answer(3)]
    with capture_logs() as more:
        assert await refresher() == "CANARY-ACCESS-3"
    sent = [form(request)["refresh_token"] for _, request in refresher.upstream.asked]
    assert sent == ["CANARY-REFRESH-1"] * 2
    told = [line for line in lines + more if line["event"] == "auth.tokens_renewed"]
    assert [line["refresh_token"] for line in told] == ["kept", "new"]


async def test_the_client_of_the_capture_goes_before_the_profiles(tmp_path: Path) -> None:
    own = credentials(client_id=Secret("CANARY-CAPTURED-ID"), client_secret=Secret("CANARY-CAP-S"))
    stored(tmp_path, own)
    upstream = Upstream()
    await Refresher(tmp_path, upstream)()
    sent = form(upstream.asked[0][1])
    assert (sent["client_id"], sent["client_secret"]) == ("CANARY-CAPTURED-ID", "CANARY-CAP-S")


async def test_that_a_call_is_under_way_is_written_before_it_leaves(tmp_path: Path) -> None:
    vault = stored(tmp_path, credentials())
    seen: list[int] = []
    upstream = Upstream(hook=lambda _: seen.append(vault.read("main").refreshes_unanswered))
    await Refresher(tmp_path, upstream)()
    assert seen == [1]


async def test_a_lost_answer_costs_exactly_one_more_call_then_log_in_again(tmp_path: Path) -> None:
    stored(tmp_path, credentials())
    upstream = Upstream(token=[LOST])
    for _ in range(2):
        with pytest.raises(TransportError) as lost:
            await Refresher(tmp_path, upstream)()
        assert "CANARY" not in str(lost.value)
    for _ in range(3):  # each a process of its own
        with pytest.raises(RefusedError) as stopped:
            await Refresher(tmp_path, upstream)()
        assert stopped.value.verdict.reason == "refresh_lost"
        assert stopped.value.exit_code == 4
    assert len(upstream.asked) == 2


async def test_a_lost_answer_is_forgotten_when_the_next_one_arrives(tmp_path: Path) -> None:
    vault = stored(tmp_path, credentials())
    upstream = Upstream(token=[LOST, token_answer()])
    with pytest.raises(TransportError):
        await Refresher(tmp_path, upstream)()
    assert vault.read("main").refreshes_unanswered == 1
    assert await Refresher(tmp_path, upstream)() == "CANARY-ACCESS-2"
    assert vault.read("main").refreshes_unanswered == 0


async def test_a_kill_during_the_call_counts_as_a_lost_answer(tmp_path: Path) -> None:
    stored(tmp_path, credentials(refreshes_unanswered=1))  # what a killed process leaves
    upstream = Upstream(token=[LOST])
    with pytest.raises(TransportError):
        await Refresher(tmp_path, upstream)()
    with pytest.raises(RefusedError):
        await Refresher(tmp_path, upstream)()
    assert len(upstream.asked) == 1


async def test_a_call_that_never_left_costs_nothing(tmp_path: Path) -> None:
    vault = stored(tmp_path, credentials())
    upstream = Upstream(token=[httpx.ConnectError("refused")])
    for _ in range(5):
        with pytest.raises(TransportError):
            await Refresher(tmp_path, upstream)()
    assert vault.read("main").refreshes_unanswered == 0


async def test_invalid_grant_is_final_over_restarts(tmp_path: Path) -> None:
    stored(tmp_path, credentials())
    refused = httpx.Response(400, json={"error": "invalid_grant"})
    upstream = Upstream(token=[refused])
    for _ in range(3):
        with pytest.raises(RefusedError) as stopped:
            await Refresher(tmp_path, upstream)()
        assert stopped.value.verdict.reason == "login_again"
    assert len(upstream.asked) == 1


async def test_a_wrong_client_stops_but_spares_the_token(tmp_path: Path) -> None:
    vault = stored(tmp_path, credentials())
    upstream = Upstream(token=[httpx.Response(400, json={"error": "invalid_client"})])
    with pytest.raises(RefusedError) as stopped:
        await Refresher(tmp_path, upstream)()
    assert stopped.value.verdict.reason == "client_rejected"
    assert vault.read("main").refresh_dead is None


@pytest.mark.parametrize(
    "answer",
    [
        token_answer(access_token=None),
        httpx.Response(503, text="<html>"),
        httpx.Response(500, json={}),
    ],
)
async def test_a_partial_answer_keeps_the_old_pair(tmp_path: Path, answer: httpx.Response) -> None:
    vault = stored(tmp_path, credentials())
    with pytest.raises(UnavailableError) as later:
        await Refresher(tmp_path, Upstream(token=[answer]))()
    assert later.value.verdict.reason == "token_unavailable"
    assert replace(vault.read("main"), uses={}) == credentials()


async def test_after_a_lost_answer_a_service_that_is_down_is_asked_once_an_hour_and_not_for_ever(
    tmp_path: Path,
) -> None:
    stored(tmp_path, credentials())
    upstream = Upstream(token=[LOST, httpx.Response(503)])
    refresher, calls, reasons = Refresher(tmp_path, upstream), [], []
    with pytest.raises(TransportError):
        await refresher()
    for minute in range(0, 3 * 24 * 60, 5):
        refresher.now = NOW + 100 + 60 * minute
        before = len(upstream.asked)
        with pytest.raises((RefusedError, UnavailableError)) as failed:
            await refresher()
        reasons.append(failed.value.verdict.reason)
        calls += [minute] * (len(upstream.asked) - before)
    assert calls == [60 * hour for hour in range(12)]
    assert reasons[-1] == "refresh_lost"
    assert set(reasons) == {"refresh_lost", "token_unavailable"}
    assert refresher.spent == ["token"] * 13  # a call that is not made costs no slot


async def test_a_service_that_answers_again_ends_the_doubt(tmp_path: Path) -> None:
    vault = stored(tmp_path, credentials())
    upstream = Upstream(token=[LOST, httpx.Response(503), token_answer()])
    refresher = Refresher(tmp_path, upstream)
    for error in (TransportError, UnavailableError):
        with pytest.raises(error):
            await refresher()
    refresher.now += 3_600
    assert await refresher() == "CANARY-ACCESS-2"
    assert vault.read("main").refreshes_unanswered == 0
    upstream.token = [LOST]
    with pytest.raises(TransportError):
        await refresher()
    assert vault.read("main").refreshes_undecided == 0  # that doubt was about another pair


async def test_a_second_lost_answer_is_final_also_among_failures(tmp_path: Path) -> None:
    stored(tmp_path, credentials())
    upstream = Upstream(token=[LOST, httpx.Response(503), LOST])
    refresher = Refresher(tmp_path, upstream)
    for error in (TransportError, UnavailableError, TransportError, RefusedError):
        with pytest.raises(error):
            await refresher()
        refresher.now += 3_600
    assert len(upstream.asked) == 3


async def test_a_pair_imported_while_the_answer_is_under_way_is_not_harmed_by_it(
    tmp_path: Path,
) -> None:
    vault = stored(tmp_path, credentials())
    imported = credentials(tokens=tokens(9, at=NOW + 500))
    for answer in (
        httpx.Response(400, json={"error": "invalid_grant"}),
        httpx.Response(503),
        LOST,
        token_answer(),
    ):
        vault.update("main", lambda _: credentials())
        upstream = Upstream(
            token=[answer], hook=lambda _: vault.update("main", lambda _: imported) and None
        )
        try:
            await Refresher(tmp_path, upstream)()
        except (RefusedError, UnavailableError, TransportError):
            assert answer is not None
        held = vault.read("main")
        assert (held.tokens, held.refresh_dead) == (imported.tokens, None)
        assert held.refreshes_unanswered == 0


async def test_nobody_else_of_the_account_renews_meanwhile(tmp_path: Path) -> None:
    vault = stored(tmp_path, credentials())
    upstream = Upstream()
    refresher = Refresher(tmp_path, upstream)
    async with anyio.create_task_group() as group, vault.renewing("main"):
        group.start_soon(refresher)
        await anyio.wait_all_tasks_blocked()
        vault.change("main", lambda _: credentials(tokens=tokens(9)))
    assert upstream.asked == []
    assert refresher.spent == []


@pytest.mark.parametrize(
    ("held", "reason", "exit_code"),
    [
        (credentials(), "no_client", 3),
        (credentials(tokens=None), "no_credentials", 4),
        (credentials(refresh_refused="login_again"), "login_again", 4),
        (credentials(refreshes_unanswered=2), "refresh_lost", 4),
    ],
)
async def test_what_is_missing_is_told_before_a_slot_is_spent(
    tmp_path: Path, held: object, reason: str, exit_code: int
) -> None:
    stored(tmp_path, held)  # type: ignore[arg-type]
    upstream = Upstream()
    refresher = Refresher(tmp_path, upstream, Profile.load("madden26"))
    with pytest.raises(RefusedError) as stopped:
        await refresh(
            account="main",
            replaced=tokens(),
            vault=refresher.vault,
            client=GatewayClient(profile=SIM, platform="sim", transport=upstream.transport()),
            profile=refresher.profile,
            spend=_no_spending,
            clock=lambda: NOW,
        )
    assert (stopped.value.verdict.reason, stopped.value.exit_code) == (reason, exit_code)
    assert stopped.value.hint
    assert upstream.asked == []


async def _no_spending(name: str) -> None:
    raise AssertionError(name)


async def test_a_refresh_that_is_cancelled_still_saves_its_answer(tmp_path: Path) -> None:
    vault = stored(tmp_path, credentials())
    with anyio.CancelScope() as scope:
        upstream = Upstream(hook=lambda _: scope.cancel())
        await Refresher(tmp_path, upstream)()
    assert len(upstream.asked) == 1
    assert vault.read("main").tokens == tokens(2, at=NOW + 100)
