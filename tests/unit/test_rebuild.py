"""The weekly care of one account: captures and what is in the vault in, what became of both out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from tests.support.captures import BEGAN, capture, login_entry, process_entry, token_entry
from tests.support.gateway import NOW, Upstream, bundle, credentials, har, stored, ticket, tokens

from m26.auth.credentials import Credentials
from m26.auth.folder import captures_of
from m26.auth.rebuild import Rebuilt, rebuild, without
from m26.auth.vault import Vault
from m26.upstream.client import GatewayClient
from m26.upstream.profile import Profile
from m26.upstream.secret import Secret

pytestmark = pytest.mark.anyio
REAL = Profile.load("madden26")
_SIM = Profile.load("sim")
SIM = replace(
    _SIM,
    platforms=("sim", "ps5"),
    oauth=replace(_SIM.oauth, base_url=REAL.oauth.base_url),
    wal=replace(_SIM.wal, base_url=REAL.wal.base_url),
)
"""Of the servers that captures are of; nobody asks them."""
DAY = 86_400.0
OLD = tokens(1, at=NOW - 2 * DAY)


async def rebuilt(
    home: Path,
    *files: Path,
    held: Credentials | None = None,
    upstream: Upstream | None = None,
    now: float = NOW,
    **options: Any,
) -> tuple[Rebuilt, list[str]]:
    vault = stored(home, held) if held else Vault.open(home)
    upstream, spent = upstream or Upstream(), []

    async def spend(name: str) -> None:
        spent.append(name)

    async with GatewayClient(profile=SIM, platform="sim", transport=upstream.transport()) as client:
        done = await rebuild(
            "main",
            files,
            vault=vault,
            profile=SIM,
            client=client,
            spend=spend,
            clock=lambda: now,
            **options,
        )
    assert spent == upstream.calls()
    return done, spent


async def test_new_captures_come_in_dead_bundles_go_out_old_tokens_are_renewed(
    tmp_path: Path,
) -> None:
    file = capture(tmp_path / "week.har")
    dead, living = bundle(7, failures=9), bundle(8, failures=1)
    held = credentials(platform="ps5", tokens=OLD, bundles=(dead, living))
    done, spent = await rebuilt(tmp_path, file, held=held, now=BEGAN + 60)
    assert [(c.file, c.state, c.problem) for c in done.captures] == [("week.har", "imported", "")]
    assert (done.bundles_added, done.bundles_dropped, done.bundles_usable) == (2, 1, 3)
    assert (done.tokens, spent) == ("renewed", ["token"])
    assert done.forecast is not None
    assert done.forecast.seconds_left is None
    after = Vault.open(tmp_path).read("main")
    assert {b.id for b in after.bundles} == {bundle(n).id for n in (1, 2, 8)}
    assert after.retired_bundles == (dead.id,)
    assert after.tokens == tokens(2, at=BEGAN + 60)


async def test_a_second_time_there_is_nothing_new(tmp_path: Path) -> None:
    file = capture(tmp_path / "week.har", token_entry(), login_entry(), process_entry(1))
    first, _ = await rebuilt(tmp_path, file, now=BEGAN + 60, keep=True)
    assert first.changes == (
        "client id: new",
        "client secret: new",
        "device id: new",
        "tokens: new",
        "session: new",
    )
    assert first.bundles_added == 1
    before = Vault.open(tmp_path).read("main")
    second, spent = await rebuilt(tmp_path, file, now=BEGAN + 60)
    assert (second.changes, second.bundles_added, spent) == ((), 0, [])
    assert second.tokens == "young"
    assert Vault.open(tmp_path).read("main") == before


async def test_bundles_older_than_bundles_live_are_dropped_and_stay_away(tmp_path: Path) -> None:
    file = capture(tmp_path / "old.har", process_entry(1))
    held = credentials(
        platform="ps5",
        bundles=(bundle(1, captured_at=NOW - 9 * DAY), bundle(2)),
        bundle_life=8 * DAY,
    )
    done, _ = await rebuilt(tmp_path, file, held=held, keep=True)
    assert (done.bundles_added, done.bundles_dropped, done.bundles_usable) == (0, 1, 1)
    for _ in range(2):
        done, _ = await rebuilt(tmp_path, file, keep=True)
        assert (done.bundles_added, done.bundles_dropped) == (0, 0)
        assert [b.id for b in Vault.open(tmp_path).read("main").bundles] == [bundle(2).id]


async def test_where_no_bundle_would_be_left_the_newest_that_is_not_dead_stays(
    tmp_path: Path,
) -> None:
    old = tuple(bundle(n, captured_at=NOW - (9 + n) * DAY) for n in (1, 2))
    dead = bundle(3, failures=6)
    done, _ = await rebuilt(tmp_path, held=credentials(bundles=(*old, dead), bundle_life=8 * DAY))
    assert done.bundles_dropped == 2
    assert [b.id for b in Vault.open(tmp_path).read("main").bundles] == [old[0].id]


def test_of_what_was_dropped_the_last_thousand_are_remembered() -> None:
    held = credentials(retired_bundles=tuple(f"old-{n}" for n in range(999)))
    retired = without(held, ("new-1", "new-2", "old-5")).retired_bundles
    assert len(retired) == 1_000
    assert (retired[0], retired[-2:]) == ("old-1", ("new-1", "new-2"))


async def test_a_capture_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    broken = tmp_path / "a.har"
    broken.write_bytes(b"{")
    empty = tmp_path / "b.har"
    empty.write_bytes(har([]))
    good, held = capture(tmp_path / "c.har"), credentials(platform="ps5")
    for file in (broken, empty):
        file.chmod(0o600)
    done, _ = await rebuilt(tmp_path, broken, empty, good, held=held, now=BEGAN + 60)
    assert [(c.file, c.state, bool(c.problem)) for c in done.captures] == [
        ("a.har", "unreadable", True),
        ("b.har", "empty", True),
        ("c.har", "imported", False),
    ]
    assert done.bundles_added == 2


@pytest.mark.parametrize(
    ("held", "options", "tokens_are", "calls"),
    [
        ({"tokens": OLD}, {"renew": False}, "kept", 0),
        ({"tokens": tokens(1, at=NOW - 3_600)}, {}, "young", 0),
        ({"tokens": tokens(1, at=NOW - 3_600)}, {"renew": True}, "renewed", 1),
        ({"tokens": OLD}, {"stopped": "requests are stopped: captcha"}, "kept", 0),
        ({"tokens": OLD}, {"renew": True, "stopped": "requests are stopped"}, "kept", 0),
        ({"tokens": None}, {"renew": True}, "none", 0),
        ({"tokens": replace(OLD, refresh=None)}, {}, "none", 0),
        ({"tokens": OLD, "refresh_refused": "login_again"}, {}, "refused", 0),
        ({"tokens": OLD, "refreshes_unanswered": 2}, {}, "refused", 0),
    ],
)
async def test_tokens_are_renewed_only_when_that_is_due_and_possible(
    tmp_path: Path, held: dict[str, Any], options: dict[str, Any], tokens_are: str, calls: int
) -> None:
    done, spent = await rebuilt(tmp_path, held=credentials(**held), **options)
    assert (done.tokens, len(spent)) == (tokens_are, calls)
    assert done.tokens == "renewed" or done.tokens_detail


@pytest.mark.parametrize(
    ("answer", "tokens_are"),
    [
        (httpx.Response(400, json={"error": "invalid_grant"}), "refused"),
        (httpx.Response(503), "failed"),
        (httpx.ConnectError("no"), "failed"),
    ],
)
async def test_a_renewal_that_fails_is_reported_and_nothing_is_lost(
    tmp_path: Path, answer: httpx.Response | Exception, tokens_are: str
) -> None:
    done, spent = await rebuilt(
        tmp_path, held=credentials(tokens=OLD), upstream=Upstream(token=[answer])
    )
    assert (done.tokens, spent) == (tokens_are, ["token"])
    assert Vault.open(tmp_path).read("main").tokens == OLD
    assert done.forecast is not None
    # Its access token has ended too; a session of minutes is all that is left of a dead login.
    assert done.forecast.seconds_left == (1_800 if tokens_are == "refused" else None)


async def test_another_process_that_renewed_meanwhile_spares_the_call(tmp_path: Path) -> None:
    vault = stored(tmp_path, credentials(tokens=OLD))
    upstream = Upstream()
    async with anyio.create_task_group() as group, vault.renewing("main"):
        group.start_soon(rebuilt_alone, tmp_path, upstream)
        await anyio.sleep(0.1)
        vault.change("main", lambda held: replace(held, tokens=tokens(5)))
    assert upstream.calls() == []
    assert vault.read("main").tokens == tokens(5)


async def rebuilt_alone(home: Path, upstream: Upstream) -> None:
    async def spend(_: str) -> None:
        return

    async with GatewayClient(profile=SIM, platform="sim", transport=upstream.transport()) as client:
        await rebuild(
            "main",
            (),
            vault=Vault.open(home),
            profile=SIM,
            client=client,
            spend=spend,
            clock=lambda: NOW,
        )


def test_a_folder_s_captures_belong_to_the_accounts_they_lie_under(tmp_path: Path) -> None:
    folder = tmp_path / "captures"
    for name in ("a.har", "b.MITM", "pc/c.flow", "new/d.flows", ".hidden.har", "notes.txt"):
        capture(folder / name)
    (folder / "empty").mkdir()
    (folder / "folder.har").mkdir()
    folder.chmod(0o700)

    def names(*accounts: str, only: str | None = None) -> dict[str, list[str]]:
        found, problems = captures_of(folder, accounts, only=only)
        assert problems == (() if "main" in accounts or len(accounts) < 2 else problems)
        return {name: [file.name for file in files] for name, files in found.items()}

    top, sub = ["a.har", "b.MITM"], {"pc": ["c.flow"], "new": ["d.flows"]}
    assert names("main", "pc") == {"main": top, **sub}
    assert names() == {"main": top, **sub}
    assert names("pc") == {"pc": [*top, "c.flow"], "new": ["d.flows"]}
    assert names("main", "pc", only="pc") == {"pc": ["c.flow"]}
    assert names("main", only="other") == {}
    found, problems = captures_of(folder, ("pc", "xbox"))
    assert found["xbox"] == ()
    assert [p.split()[0] for p in problems] == ["a.har", "b.MITM"]
    folder.chmod(0o755)
    assert "chmod 700" in captures_of(folder, ("main",))[1][0]


async def test_one_rebuild_of_a_home_at_a_time_and_the_second_says_that_it_waits(
    tmp_path: Path,
) -> None:
    vault, said = stored(tmp_path, credentials()), []
    async with vault.rebuilding(lambda: said.append("never")):
        with anyio.move_on_after(0.1) as waited:
            async with Vault.open(tmp_path).rebuilding(lambda: said.append("waits")):
                raise AssertionError
    assert waited.cancelled_caught
    assert said == ["waits"]


def test_what_is_shown_of_a_rebuild_holds_no_secret(tmp_path: Path) -> None:
    held = credentials(bundles=(bundle(1),), ticket=ticket(), client_id=Secret("CANARY-ID"))
    file = capture(tmp_path / "x.har", token_entry(), login_entry(), process_entry())
    done, _ = anyio.run(lambda: rebuilt(tmp_path, file, held=replace(held, platform="ps5")))
    assert "CANARY" not in repr(done)
