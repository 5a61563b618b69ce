from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from tests.support.bareserver import Server, answering, serving
from tests.support.gateway import NOW, Upstream, bundle, credentials, har, stored, ticket, tokens
from tests.unit.test_captures_auth import BEGAN, login_entry, process_entry, token_entry

from m26.app.upkeep import Upkeep, log_in, rebuild_home
from m26.auth.credentials import Credentials
from m26.auth.login import Login, address, prepare
from m26.auth.rebuild import Rebuilt, captures_of, rebuild, without
from m26.auth.vault import Vault
from m26.clock import Clock
from m26.config import Settings
from m26.config import Upstream as Upstreams
from m26.errors import AuthError, UpstreamError, UsageError
from m26.home.stops import Stop, read_stops, write_stop
from m26.limits.book import Book, Pause
from m26.upstream.client import GatewayClient
from m26.upstream.profile import Profile
from m26.upstream.secret import Secret

pytestmark = pytest.mark.anyio
SIM = Profile.load("sim")
DAY = 86_400.0
OLD = tokens(1, at=NOW - 2 * DAY)


def capture(path: Path, *entries: dict[str, Any]) -> Path:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(har(entries or (process_entry(1), process_entry(2))))
    return path


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
            profile=replace(SIM, platforms=("sim", "ps5")),
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
    done, spent = await rebuilt(tmp_path, file, held=held)
    assert [(c.file, c.state, c.problem) for c in done.captures] == [("week.har", "imported", "")]
    assert (done.bundles_added, done.bundles_dropped, done.bundles_usable) == (2, 1, 3)
    assert (done.tokens, spent) == ("renewed", ["token"])
    assert done.forecast is not None
    assert done.forecast.seconds_left is None
    after = Vault.open(tmp_path).read("main")
    assert {b.id for b in after.bundles} == {bundle(n).id for n in (1, 2, 8)}
    assert after.retired_bundles == (dead.id,)
    assert after.tokens == tokens(2)


async def test_a_second_time_there_is_nothing_new(tmp_path: Path) -> None:
    file = capture(tmp_path / "week.har", token_entry(), login_entry(), process_entry(1))
    first, _ = await rebuilt(tmp_path, file, now=BEGAN + 60)
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
    done, _ = await rebuilt(tmp_path, file, held=held)
    assert (done.bundles_added, done.bundles_dropped, done.bundles_usable) == (0, 1, 1)
    for _ in range(2):
        done, _ = await rebuilt(tmp_path, file)
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
    good = capture(tmp_path / "c.har")
    done, _ = await rebuilt(tmp_path, broken, empty, good, held=credentials(platform="ps5"))
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


def settings(home: Path, **more: Any) -> Settings:
    return Settings(home=home, **{"profile": "sim", **more})


async def test_a_home_is_rebuilt_account_by_account(tmp_path: Path) -> None:
    vault = stored(tmp_path, credentials(tokens=tokens(1, at=NOW - 60)))
    stored(tmp_path, credentials(tokens=None), account="two")
    clock = Clock(time=lambda: NOW)
    done = await rebuild_home(settings(tmp_path), vault, clock=clock)
    assert [(each.account, each.tokens) for each in done.accounts] == [
        ("main", "young"),
        ("two", "none"),
    ]
    assert (tmp_path / "captures").stat().st_mode & 0o777 == 0o700
    only = await rebuild_home(settings(tmp_path), vault, only="two", clock=clock)
    assert [each.account for each in only.accounts] == ["two"]
    with pytest.raises(AuthError, match="no account 'three'"):
        await rebuild_home(settings(tmp_path), vault, only="three", clock=clock)
    with pytest.raises(UsageError, match="cannot read"):
        await rebuild_home(settings(tmp_path), vault, captures=tmp_path / "absent", clock=clock)


async def renewal(home: Path) -> tuple[str, str]:
    vault = stored(home, credentials(tokens=OLD))
    nowhere = Upstreams(oauth_url="http://127.0.0.1:1")
    done = await rebuild_home(
        settings(home, upstream=nowhere), vault, renew=True, clock=Clock(time=lambda: NOW)
    )
    return done.accounts[0].tokens, done.accounts[0].tokens_detail


async def test_while_requests_are_stopped_a_rebuild_asks_nothing(tmp_path: Path) -> None:
    stop = Stop(reason="captcha", message="m", advice="a", since=NOW, account="other")
    write_stop(tmp_path, replace(stop, reason="login_again", scope="account"))
    assert (await renewal(tmp_path))[0] == "failed"  # nobody is there
    write_stop(tmp_path, stop)
    assert await renewal(tmp_path) == ("kept", "requests are stopped: captcha")


async def test_a_budget_without_room_for_long_is_not_waited_for(tmp_path: Path) -> None:
    book = Book(tmp_path / "budget" / "main.json", clock=lambda: NOW)
    with book.turn() as entries:
        entries.spent = [(int(NOW) - 60, SIM.budget.per_day)]
        book.save(entries)
    tokens_are, detail = await renewal(tmp_path)
    assert tokens_are == "kept"
    assert detail.startswith("the account's budget has no room before 2026-")


async def of_server(server: Server, home: Path, clock: Clock) -> Upkeep:
    there = settings(home, upstream=Upstreams(oauth_url=server.url))
    return await rebuild_home(there, Vault.open(home), clock=clock)


async def test_a_captcha_met_by_a_rebuild_stops_everybody(tmp_path: Path) -> None:
    for name in ("main", "two"):
        stored(tmp_path, credentials(tokens=OLD), account=name)
    async with serving(answering(b"{}", status="458 Captcha")) as server:
        done = await of_server(server, tmp_path, Clock(time=lambda: NOW))
    assert [each.tokens for each in done.accounts] == ["refused", "kept"]
    assert len(server.heads) == 1
    assert [(stop.reason, stop.account) for stop in read_stops(tmp_path)] == [("captcha", "main")]


async def test_a_refused_token_met_by_a_rebuild_leaves_the_collector_its_session(
    tmp_path: Path,
) -> None:
    stored(tmp_path, credentials(tokens=OLD))
    answer = answering(b'{"error":"invalid_grant"}', status="400 Bad Request")
    async with serving(answer) as server:
        done = await of_server(server, tmp_path, Clock(time=lambda: NOW))
    assert done.accounts[0].tokens == "refused"
    assert read_stops(tmp_path) == ()
    assert Vault.open(tmp_path).read("main").refresh_dead == "login_again"


async def test_a_stop_that_comes_while_a_rebuild_waits_for_its_slot_holds(tmp_path: Path) -> None:
    stored(tmp_path, credentials(tokens=OLD))
    now = [NOW]
    book = Book(tmp_path / "budget" / "main.json", clock=lambda: now[0])
    with book.turn() as entries:
        entries.pause = Pause(until=NOW + 90, seconds=90, reason="r", message="m", advice="a")
        book.save(entries)

    async def sleep(seconds: float) -> None:
        now[0] += seconds
        stop = Stop(reason="banned", message="m", advice="a", since=NOW, account="other")
        write_stop(tmp_path, stop)

    async with serving(answering(b"{}")) as server:
        done = await of_server(server, tmp_path, Clock(time=lambda: now[0], sleep=sleep))
    assert now[0] >= NOW + 90
    assert server.heads == []
    assert "no request leaves: banned" in done.accounts[0].tokens_detail


@pytest.mark.parametrize("command", ["rebuild", "login"])
async def test_a_pause_asked_of_an_upkeep_is_a_pause_for_all(tmp_path: Path, command: str) -> None:
    vault, clock = stored(tmp_path, credentials(tokens=OLD)), Clock(time=lambda: NOW)
    answer = answering(b"{}", "Retry-After: 600", status="429 Too Many Requests")
    async with serving(answer) as server:
        if command == "rebuild":
            await of_server(server, tmp_path, clock)
        else:
            who = Login(
                account="main",
                platform="sim",
                client_id=Secret("CANARY-ID"),
                client_secret=Secret("CANARY-CLIENT-SECRET"),
            )
            there = settings(tmp_path, upstream=Upstreams(oauth_url=server.url))
            with pytest.raises(UpstreamError, match="too fast"):
                await log_in(Secret("CANARY-CODE"), who, settings=there, vault=vault, clock=clock)
    entries = Book(tmp_path / "budget" / "main.json", clock=lambda: NOW).look()
    assert entries.pause is not None
    assert (entries.pause.reason, entries.pause.until) == ("rate_limited", NOW + 600)
    assert entries.slow_until > NOW
    assert [count for _, count in entries.spent] == [1]


async def test_a_folder_that_is_no_account_s_costs_no_other_its_rebuild(tmp_path: Path) -> None:
    vault = stored(tmp_path, credentials(platform="ps5", tokens=None))
    folder = tmp_path / "captures"
    for name in ("old ones", "main"):
        capture(folder / name / "x.har")
    folder.chmod(0o700)
    done = await rebuild_home(
        settings(tmp_path, profile="madden26"), vault, clock=Clock(time=lambda: BEGAN)
    )
    assert [(each.account, each.bundles_added) for each in done.accounts] == [("main", 2)]
    assert done.problems == ("a folder there is passed over: 'old ones' is no account name",)


async def test_an_empty_home_without_captures_cannot_be_rebuilt(tmp_path: Path) -> None:
    with pytest.raises(AuthError, match="no account in the vault and no capture"):
        await rebuild_home(settings(tmp_path), Vault.open(tmp_path))


async def test_the_simulator_s_account_of_a_demo_is_left_alone(tmp_path: Path) -> None:
    vault = stored(tmp_path, credentials(), account="sim")
    with pytest.raises(AuthError, match="no account in the vault and no capture"):
        await rebuild_home(settings(tmp_path, profile="madden26"), vault)


async def test_a_capture_in_a_folder_of_its_own_makes_an_account(tmp_path: Path) -> None:
    capture(tmp_path / "captures" / "pc" / "x.har", token_entry(), login_entry(), process_entry())
    vault = Vault.open(tmp_path)
    done = await rebuild_home(
        settings(tmp_path, profile="madden26"), vault, renew=False, clock=Clock(time=lambda: BEGAN)
    )
    assert [(each.account, each.platform) for each in done.accounts] == [("pc", "ps5")]
    assert vault.accounts() == ("pc",)


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


async def test_next_year_s_profile_is_a_file(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "python/m26/profiles/madden26.toml"
    text = shipped.read_text().replace("madden26", "madden27").replace("year = 2026", "year = 2027")
    (tmp_path / "madden27.toml").write_text(text)
    profile = Profile.load(str(tmp_path / "madden27.toml"))
    assert (profile.name, profile.product_name("ps5")) == ("madden27", "madden-2027-ps5-mca")
    entries = [token_entry(), login_entry(), process_entry()]
    text = har(entries).decode().replace("madden-2026", "madden-2027")
    (tmp_path / "captures" / "next").mkdir(parents=True, mode=0o700)
    (tmp_path / "captures" / "next" / "x.har").write_text(text)
    vault = Vault.open(tmp_path)
    done = await rebuild_home(
        settings(tmp_path, profile=str(tmp_path / "madden27.toml")),
        vault,
        renew=False,
        clock=Clock(time=lambda: BEGAN),
    )
    assert [(each.account, each.platform) for each in done.accounts] == [("next", "ps5")]
    who = prepare(vault, account="next", platform=None, profile=profile)
    assert who.client_id.reveal() == "CANARY-CLIENT-ID"
    url = address(who, profile=profile, base_url="https://x.invalid", vault=vault, now=BEGAN)
    assert url.startswith("https://x.invalid/connect/auth?")


def test_what_is_shown_of_a_rebuild_holds_no_secret(tmp_path: Path) -> None:
    held = credentials(bundles=(bundle(1),), ticket=ticket(), client_id=Secret("CANARY-ID"))
    file = capture(tmp_path / "x.har", token_entry(), login_entry(), process_entry())
    done, _ = anyio.run(lambda: rebuilt(tmp_path, file, held=replace(held, platform="ps5")))
    assert "CANARY" not in repr(done)
