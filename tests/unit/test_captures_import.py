"""What an import says: what was new, what the account lacks and what that means, which platform."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.support.captures import BEGAN, flow, login_entry, process_entry, token_entry
from tests.support.gateway import har, tokens

from m26.auth.credentials import Credentials
from m26.auth.intake import Imported, import_capture, read_credentials
from m26.auth.vault import Vault
from m26.errors import AuthError, UsageError
from m26.redaction import redact
from m26.upstream.profile import Profile
from m26.upstream.secret import Secret

NOW = BEGAN + 60
SIM = Profile.load("sim")
BARE = Profile.load("madden26")
START = (token_entry(), login_entry(), process_entry(1), process_entry(2))


def imported(home: Path, *entries: dict[str, Any], now: float = NOW, **options: Any) -> Imported:
    file = home / "x.har"
    file.write_bytes(har(entries))
    return import_capture(Vault.open(home), file, now=now, **options)


def states(done: Imported) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for fact in done.facts:
        found.setdefault(fact.what, []).append(fact.state)
    return found


def lacks(done: Imported) -> dict[str, str]:
    return {missing.what: missing.means for missing in done.missing}


def test_a_first_import_is_all_new_and_a_second_all_known(tmp_path: Path) -> None:
    first, again = (imported(tmp_path, *START) for _ in range(2))
    whats = ["client id", "client secret", "device id", "access token", "refresh token", "session"]
    assert states(first) == {what: ["new"] for what in whats} | {"bundle": ["new", "new"]}
    assert states(again) == {what: ["known"] for what in whats} | {"bundle": ["known", "known"]}
    assert (first.bundles("new"), again.bundles("new"), again.bundles("known")) == (2, 0, 2)
    assert [fact.id for fact in first.facts] == [fact.id for fact in again.facts]
    assert len({fact.id for fact in first.facts}) == 8
    assert "CANARY" not in repr(first)
    assert first.problems == ()


def test_older_tokens_and_sessions_are_told_and_not_taken(tmp_path: Path) -> None:
    imported(tmp_path, token_entry(9, second=50), login_entry(second=51))
    done = imported(tmp_path, token_entry(1), login_entry(second=1, key="CANARY-OLD"))
    assert states(done)["access token"] == states(done)["refresh token"] == ["older"]
    assert states(done)["session"] == ["older"]
    assert states(done)["client id"] == ["known"]
    held = Vault.open(tmp_path).read("main")
    assert held.tokens == tokens(9, at=BEGAN + 50.25)


def test_a_session_too_old_to_be_of_use_is_not_taken(tmp_path: Path) -> None:
    done = imported(tmp_path, *START, now=BEGAN + 9_999)
    assert states(done)["session"] == ["older"]
    assert lacks(done)["session"] == "fine: one is opened when it is needed"


def test_a_retired_bundle_does_not_come_back(tmp_path: Path) -> None:
    imported(tmp_path, *START)
    vault = Vault.open(tmp_path)
    dropped, kept = vault.read("main").bundles
    vault.change("main", lambda held: replace(held, bundles=(kept,), retired_bundles=(dropped.id,)))
    done = imported(tmp_path, *START, process_entry(3, second=9))
    assert states(done)["bundle"] == ["retired", "known", "new"]
    ids = {bundle.id for bundle in vault.read("main").bundles}
    assert kept.id in ids
    assert len(ids) == 2
    assert dropped.id not in ids


def test_nothing_is_missing_where_the_account_renews_and_signs_by_itself(tmp_path: Path) -> None:
    assert imported(tmp_path, *START, profile=SIM).missing == ()
    said = lacks(imported(tmp_path, *START, profile=BARE))
    assert said == {
        "signing constants": "the 2 captured signatures are used for as long as the upstream "
        "accepts that"
    }
    assert imported(tmp_path, *START).missing == ()  # no profile: nothing is said of its part


def test_what_the_vault_has_is_not_missing(tmp_path: Path) -> None:
    imported(tmp_path, *START)
    assert imported(tmp_path, process_entry(7, second=30), profile=SIM).missing == ()


def test_without_a_refresh_token_the_time_left_is_told(tmp_path: Path) -> None:
    done = imported(tmp_path, login_entry(), process_entry(), now=BEGAN + 61.25)
    assert lacks(done)["refresh token"] == "this works for 59 m, then a new capture is needed"
    lone = replace(tokens(1, at=BEGAN, left=14_400), refresh=None)
    Vault.open(tmp_path).change("main", lambda held: replace(held, tokens=lone))
    done = imported(tmp_path, process_entry(2), now=BEGAN + 1_200)
    assert lacks(done)["refresh token"] == "this works for 3 h 40 m, then a new capture is needed"
    done = imported(tmp_path, process_entry(2), now=BEGAN + 20_000)
    assert "cannot log in" in lacks(done)["refresh token"]


def test_without_a_client_tokens_cannot_be_renewed(tmp_path: Path) -> None:
    token = token_entry()
    token["request"]["postData"]["text"] = "client_id=CANARY-CLIENT-ID"
    done = imported(tmp_path, token, *START[1:])
    assert lacks(done) == {
        "client secret": "tokens cannot be renewed: this works for 3 h 59 m, "
        "then a new capture is needed"
    }
    assert imported(tmp_path, token, *START[1:], profile=SIM).missing == ()  # the profile has it


def test_a_refused_refresh_token_is_as_good_as_none(tmp_path: Path) -> None:
    imported(tmp_path, *START)
    Vault.open(tmp_path).change("main", lambda held: replace(held, refresh_refused="login_again"))
    said = lacks(imported(tmp_path, *START))
    assert "then a new capture is needed" in said["refresh token that is accepted"]


def test_a_lone_request_says_for_how_long_it_can_work(tmp_path: Path) -> None:
    said = lacks(imported(tmp_path, process_entry(), platform="ps5"))
    assert "this works for 29 m" in said["access and refresh token"]


def test_without_any_signature_no_request_can_be_signed(tmp_path: Path) -> None:
    done = imported(tmp_path, token_entry(), login_entry(), profile=BARE)
    assert lacks(done) == {"signed request": "no request can be signed: capture one auction search"}
    said = lacks(imported(tmp_path, token_entry(), login_entry(), profile=SIM))
    assert "constants" in said["device id"]
    assert "signed request" in said


def of_platform(platform: str, n: int, *, second: int) -> list[dict[str, Any]]:
    """A start of the app on one platform, with its own account, tokens and session."""
    login = login_entry(second=second + 1, key=f"CANARY-KEY-{n}", blaze_id=n)
    login["request"]["postData"]["text"] = orjson.dumps(
        {"accessToken": f"CANARY-ACCESS-{n}", "productName": f"madden-2026-{platform}-mca"}
    ).decode()
    process = process_entry(n, second=second + 2, key=f"CANARY-KEY-{n}")
    process["request"]["headers"] = []  # its session tells the platform
    return [token_entry(n, second=second), login, process]


BOTH = [*of_platform("ps5", 1, second=0), *of_platform("xbsx", 2, second=10)]


def test_a_capture_of_two_platforms_needs_a_word_which(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="several platforms: ps5, xbsx") as caught:
        imported(tmp_path, *BOTH)
    assert "--platform ps5" in caught.value.hint
    assert Vault.open(tmp_path).accounts() == ()


@pytest.mark.parametrize(("platform", "n"), [("ps5", 1), ("xbsx", 2)])
def test_of_two_platforms_only_what_belongs_to_the_chosen_one_counts(
    tmp_path: Path, platform: str, n: int
) -> None:
    imported(tmp_path, *BOTH, platform=platform)
    held = Vault.open(tmp_path).read("main")
    assert held.platform == platform
    assert held.tokens is not None
    assert held.tokens.access == Secret(f"CANARY-ACCESS-{n}")
    assert held.ticket is not None
    assert (held.ticket.session_key, held.ticket.blaze_id) == (Secret(f"CANARY-KEY-{n}"), n)
    assert [b.auth_data.reveal() for b in held.bundles] == [f"CANARY-DATA-{n}"]
    assert imported(tmp_path, *BOTH).bundles("known") == 1  # the account's platform is known now


def test_one_login_for_two_platforms_serves_both(tmp_path: Path) -> None:
    other = login_entry(second=9, key="CANARY-OTHER", blaze_id=5)
    other["request"]["postData"]["text"] = orjson.dumps(
        {"accessToken": "CANARY-ACCESS-1", "productName": "madden-2026-xbsx-mca"}
    ).decode()
    for platform in ("ps5", "xbsx"):
        imported(tmp_path, *START, other, platform=platform, account=platform)
        assert Vault.open(tmp_path).read(platform).tokens == tokens(1, at=BEGAN + 0.25)


def test_a_platform_the_capture_does_not_show_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is of platform ps5, not pc"):
        imported(tmp_path, *START, platform="pc")
    with pytest.raises(UsageError, match="is of platform ps5, xbsx, not pc"):
        imported(tmp_path, *BOTH, platform="pc")


def test_two_accounts_of_one_platform_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="more than one account") as caught:
        imported(tmp_path, *of_platform("ps5", 1, second=0), *of_platform("ps5", 2, second=9))
    assert "one account at a time" in caught.value.hint


def test_a_login_without_its_reply_is_told(tmp_path: Path) -> None:
    login = login_entry()
    login["response"]["content"] = {}
    done = imported(tmp_path, login, process_entry())
    assert "entry 0 holds no reply body" in done.problems[0]
    with pytest.raises(AuthError, match=r"in 1 requests: .*entry 0 holds no reply body"):
        imported(tmp_path, login)


def test_a_brotli_body_is_told_with_the_way_out(tmp_path: Path) -> None:
    file = tmp_path / "x.mitm"
    packed = [("content-encoding", "br")]
    login = flow(b"\x0b\x02\x80", path="/wal/authentication/login", headers=packed)
    file.write_bytes(login + flow(b"{}"))
    (problem,) = read_credentials(file).problems
    assert "flow 0 is compressed with brotli" in problem
    assert "mitmdump -nr FILE --set hardump=FILE.har" in problem


def test_problems_are_told_up_to_a_limit(tmp_path: Path) -> None:
    file = tmp_path / "x.har"
    file.write_bytes(b'{"log":{"entries":[' + b"{x}," * 50 + b"{}]}}")
    assert len(read_credentials(file).problems) == 20


def test_a_bundle_takes_the_persona_of_its_own_session(tmp_path: Path) -> None:
    earlier = process_entry(8, second=0, key="CANARY-BEFORE")
    imported(tmp_path, earlier, *START)
    bundles = Vault.open(tmp_path).read("main").bundles
    assert [b.blaze_id for b in bundles] == [None, 1_000_000_777, 1_000_000_777]


def test_an_account_of_another_platform_is_left_alone(tmp_path: Path) -> None:
    Vault.open(tmp_path).update("main", lambda _: Credentials(platform="pc"))
    with pytest.raises(UsageError, match="is of platform pc, the capture is of ps5"):
        imported(tmp_path, *START)
    assert Vault.open(tmp_path).read("main") == Credentials(platform="pc")


def test_a_pair_that_was_replaced_since_does_not_come_back_though_clocks_differ(
    tmp_path: Path,
) -> None:
    early = BEGAN - 6 * 3_600  # the capture's machine is six hours ahead of ours
    assert states(imported(tmp_path, *START, now=early))["refresh token"] == ["new"]
    vault, renewed = Vault.open(tmp_path), tokens(2, at=early + 3_600)
    vault.change("main", lambda held: replace(held, tokens=renewed))
    again = imported(tmp_path, *START, now=early + 7_200)
    assert states(again)["access token"] == states(again)["refresh token"] == ["older"]
    assert vault.read("main").tokens == renewed
    fresh = imported(tmp_path, token_entry(9, second=1), now=early + 7_200)
    assert states(fresh)["refresh token"] == ["new"]


def test_of_a_large_capture_the_newest_bundles_are_kept_and_its_tokens_stay_masked(
    tmp_path: Path,
) -> None:
    many = (process_entry(n, second=n // 60) for n in range(3_000))
    imported(tmp_path, token_entry(), login_entry(), *many, now=BEGAN + 3_600)
    held = Vault.open(tmp_path).read("main")
    assert len(held.bundles) == 500
    assert held.bundles[-1].auth_data.reveal() == "CANARY-DATA-2999"
    assert "CANARY" not in redact("a CANARY-ACCESS-1 b")


def without_tokens(entry: dict[str, Any]) -> dict[str, Any]:
    entry["response"] = {"status": 400, "content": {"text": '{"error":"invalid_grant"}'}}
    return entry


def unsigned(entry: dict[str, Any]) -> dict[str, Any]:
    entry["request"]["postData"]["text"] = "{}"
    return entry


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (without_tokens(token_entry()), "entry 0: its answer holds no access token (HTTP 400)"),
        (without_tokens(login_entry()), "entry 0: its answer holds no session (HTTP 400)"),
        (unsigned(process_entry()), "entry 0: it holds no signature (messageAuthData)"),
    ],
    ids=["tokens", "login", "request"],
)
def test_an_import_that_finds_neither_token_nor_signature_says_why(
    m26: Any, tmp_path: Path, found: dict[str, Any], why: str
) -> None:
    file = tmp_path / "x.har"
    file.write_bytes(har([found]))
    done = m26("auth", "import", str(file), "--platform", "ps5")
    assert done.code == 4
    assert why in done.err
    assert "CANARY" not in done.err + done.out
