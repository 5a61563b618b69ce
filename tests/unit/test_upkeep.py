"""The care of a home's accounts outside a run: all of them rebuilt, stops and pauses obeyed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs
from tests.support.bareserver import Server, answering, serving
from tests.support.captures import BEGAN, capture, login_entry, process_entry, token_entry
from tests.support.gateway import NOW, credentials, har, stored, tokens

from m26.app.upkeep import Upkeep, asking, log_in, rebuild_home
from m26.auth.login import Grant, Login, prepare
from m26.auth.redirect import address
from m26.auth.vault import Vault
from m26.clock import Clock
from m26.config import Settings, Upstream
from m26.errors import AuthError, M26Error, StorageError, UpstreamError, UsageError
from m26.home.stops import Stop, read_stops, write_stop
from m26.limits.book import Book, Pause
from m26.upstream.profile import Profile
from m26.upstream.secret import Secret

pytestmark = pytest.mark.anyio
OLD = tokens(1, at=NOW - 2 * 86_400.0)


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
    nowhere = Upstream(oauth_url="http://127.0.0.1:1")
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
        entries.spent = [(int(NOW) - 60, Profile.load("sim").budget.per_day)]
        book.save(entries)
    tokens_are, detail = await renewal(tmp_path)
    assert tokens_are == "kept"
    assert detail.startswith("the account's budget has no room before 2026-")


async def without_a_folder_for_its_budget(home: Path, error: Exception | None) -> None:
    """A spell of asking that ends, by `error` if there is one, when nothing can be written down."""
    async with asking(
        settings(home),
        account="main",
        platform="sim",
        profile=Profile.load("sim"),
        clock=Clock(time=lambda: NOW),
    ) as desk:
        await desk.budget.spend("token")
        (home / "budget").rename(home / "gone")
        (home / "budget").touch()
        if error is not None:
            raise error


async def test_a_budget_that_cannot_be_written_down_hides_no_error(tmp_path: Path) -> None:
    structlog.reset_defaults()  # another test may have raised the level
    with capture_logs() as lines, pytest.raises(M26Error) as caught:
        await without_a_folder_for_its_budget(tmp_path, AuthError("the real one", hint="none"))
    assert caught.value.message == "the real one"
    assert [line["account"] for line in lines if line["event"] == "budget.unwritten"] == ["main"]


async def test_a_budget_that_cannot_be_written_down_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        await without_a_folder_for_its_budget(tmp_path, None)


async def of_server(server: Server, home: Path, clock: Clock) -> Upkeep:
    there = settings(home, upstream=Upstream(oauth_url=server.url))
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
            there = settings(tmp_path, upstream=Upstream(oauth_url=server.url))
            with pytest.raises(UpstreamError, match="too fast"):
                await log_in(
                    Grant(code=Secret("CANARY-CODE")), who, settings=there, vault=vault, clock=clock
                )
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
    (tmp_path / "captures" / "next" / "x.har").chmod(0o600)
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
