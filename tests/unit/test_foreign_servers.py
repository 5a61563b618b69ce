"""A profile, a capture or a setting that names other servers than an account's, from outside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.captures import capture, login_entry, process_entry, token_entry
from tests.support.gateway import credentials, stored

from m26.auth.vault import Vault
from m26.errors import ConfigError
from m26.upstream.profile import Profile
from m26.upstream.secret import Secret

Command = Callable[..., Any]
GATEWAY = "wal2.tools.gos.bio-iad.ea.com"
SHIPPED = Path(__file__).parents[2] / "python/m26/profiles/madden26.toml"


@pytest.fixture(autouse=True)
def any_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run takes its port before it looks at whom credentials are for."""
    monkeypatch.setenv("M26_WEB__PORT", "0")


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A profile "from a friend", chosen by the operator."""
    path = tmp_path / "friend.toml"
    text = SHIPPED.read_text().replace('base_url = "https://', 'base_url = "https://evil.invalid/')
    path.write_text(text.replace("per_day = 4000", "per_day = 500000"))
    monkeypatch.setenv("M26_PROFILE", str(path))
    return path


def test_a_foreign_profile_is_named_and_told_before_a_run(
    m26: Command, home: Path, foreign: Path
) -> None:
    stored(home, credentials(platform="ps5"))
    plan = m26("run", "--dry-run", "--json").json
    assert plan.get("upstream") == ["evil.invalid"]
    assert any("are for https://accounts.ea.com" in text for text in plan["warnings"])
    assert any("500,000 requests per day" in text for text in plan["warnings"])
    checks = {line["name"]: line for line in m26("doctor", "--json").json["checks"]}
    assert checks["upstream"]["result"] == "fail"
    assert "--allow-host evil.invalid" in checks["upstream"]["fix"]
    (shown,) = m26("auth", "status", "--json").json["items"]
    assert shown["origins"] == ["https://accounts.ea.com", f"https://{GATEWAY}"]
    assert "https://accounts.ea.com" in m26("auth", "status").out
    assert foreign.exists()


def test_the_simulator_s_account_is_checked_where_a_run_would_use_it(
    m26: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(home, credentials(platform="sim"), account="sim")
    for name, value in {
        "PROFILE": "sim",
        "UPSTREAM__OAUTH_URL": "https://evil.invalid",
        "UPSTREAM__BASE_URL": "https://evil.invalid",
    }.items():
        monkeypatch.setenv(f"M26_{name}", value)
    warnings = m26("run", "--dry-run", "--json").json["warnings"]
    assert any("not for https://evil.invalid" in text for text in warnings)
    assert m26("run", "--for", "1s").code == 3


def test_a_run_for_a_foreign_profile_ends_before_anything_is_sent(
    m26: Command, home: Path, foreign: Path
) -> None:
    stored(home, credentials(platform="ps5"))
    done = m26("run", "--for", "1s")
    assert done.code == 3
    assert "are for https://accounts.ea.com" in done.err
    assert foreign.name not in done.out


def test_a_rebuild_and_a_login_send_nothing_to_a_foreign_server(
    m26: Command, home: Path, foreign: Path
) -> None:
    client = {name: Secret(f"CANARY-{name}") for name in ("client_id", "client_secret")}
    stored(home, credentials(platform="ps5", **client))
    rebuilt = m26("auth", "rebuild", "--renew")
    assert (rebuilt.code, "nothing was sent" in rebuilt.err) == (3, True)
    for account in ("main", "new"):  # a new one would send the other's client secret
        done = m26("auth", "login", "--account", account, "--platform", "ps5", "--print-url")
        assert (done.code, "nothing was sent" in done.err) == (3, True), account
        assert "evil.invalid" not in done.out
    assert foreign.exists()


def test_any_other_server_s_login_in_a_capture_is_none(m26: Command, home: Path) -> None:
    entries = token_entry(1), token_entry(2, second=5, host="shop.invalid"), login_entry()
    done = m26("auth", "import", str(capture(home / "x.har", *entries, process_entry())))
    held = Vault.open(home).read("main")
    assert held.tokens is not None
    assert held.tokens.access.reveal() == "CANARY-ACCESS-1"
    assert "entry 1: this is to shop.invalid, not to the profile's token service" in done.err


@pytest.mark.parametrize("host", ["accounts.ea.com.evil.invalid", "xaccounts.ea.com", "ikea.com"])
def test_a_look_alike_is_not_the_profile_s(m26: Command, home: Path, host: str) -> None:
    path = capture(home / "x.har", token_entry(host=host), process_entry())
    done = m26("auth", "import", str(path), "--json").json["captures"][0]
    assert (done["found"]["access token"], done["found"]["bundles"]) == (False, 1)
    assert len(done["problems"]) == 1


@pytest.mark.parametrize("url", ["https://a.invalid:99999", "https://xn--", "https://a\nb"])
def test_an_address_that_is_none_is_a_setting_to_correct(
    m26: Command, home: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    stored(home, credentials(platform="ps5"))
    monkeypatch.setenv("M26_UPSTREAM__BASE_URL", url)
    done = m26("run", "--for", "1s")
    assert (done.code, "is not allowed" in done.err) == (3, True)


@pytest.mark.parametrize(
    "line",
    [
        "per_day = -5",
        "per_day = 0",
        "per_day = 1000000000",
        'per_day = "abc"',
        "per_minute = 99999999",
        "burst = -1",
    ],
)
def test_a_limit_that_is_none_is_refused(tmp_path: Path, line: str) -> None:
    name = line.split(" ", maxsplit=1)[0]
    text = SHIPPED.read_text().splitlines()
    path = tmp_path / "x.toml"
    path.write_text("\n".join(line if old.startswith(f"{name} =") else old for old in text))
    refused = ""
    try:
        Profile.load(str(path))
    except ConfigError as error:
        refused = error.message
    assert f"[budget]: {name} is " in refused


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"madden-{year}-{platform}"', '"{year:999999}"'),
        ('"madden-{year}-{platform}"', '"{year.__class__}"'),
        ('"MADDEN-MCA"', '"X\\r\\nY: 1"'),
        ('user_agent = "Dalvik', 'user_agent = "na\u00efve'),
        ("id = 9153", "id = -1"),
        ('mode = "url"', 'mode = "both"'),
        ("count = 100", "count = 1000000"),
        ("year = 2026", "year = -1"),
        ('0 = "QB"', '123456789x = "QB"'),
    ],
)
def test_a_field_is_typed_and_fits_where_it_goes(tmp_path: Path, old: str, new: str) -> None:
    assert old in SHIPPED.read_text()
    path = tmp_path / "x.toml"
    path.write_text(SHIPPED.read_text().replace(old, new))
    outcome = "loaded"
    try:
        Profile.load(str(path))
    except ConfigError:
        outcome = "refused"
    except ValueError as error:
        outcome = repr(error)
    assert outcome == "refused"
