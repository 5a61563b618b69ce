from __future__ import annotations

import io
import re
import shlex
import socket
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.fernet import Fernet
from tests.support.gateway import NOW, bundle, credentials, stored, tokens

from m26.auth.credentials import Use
from m26.auth.vault import Vault
from m26.home.stops import Stop, write_stop

Command = Callable[..., Any]
COMMANDS = ["import", "login", "status", "rebuild", "forget", "rekey", "addon"]


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command_has_an_example_and_tells_its_json(m26: Command, name: str) -> None:
    result = m26("auth", name, "--help")
    assert result.code == 0
    assert f"Example: m26 auth {name}" in result.out
    assert "With --json:" in result.out


def test_status_shows_uses_the_last_failure_and_few_bundles(m26: Command, home: Path) -> None:
    search = {"Mobile_SearchAuctions": Use(accepted=7, refused=1, refused_at=NOW, reason="odd")}
    held = credentials(
        bundles=(bundle(1, uses=search), bundle(2, failures=6)),
        uses={"access_token": Use(accepted=3, refused=2, refused_at=NOW, reason="login_limited")},
    )
    stored(home, held)
    (document,) = m26("auth", "status", "--json").json["items"]
    lines = {line["what"]: line for line in document["credentials"]}
    assert lines["access token"]["used"] == 5
    assert lines["access token"]["failure"] == "login_limited"
    assert lines["access token"]["failed_at"] == "2026-09-21T14:13:20Z"
    assert (lines["bundles"]["used"], lines["bundles"]["failure"]) == (8, "odd")
    assert lines["session"]["failure"] is None
    shown = {each["id"]: each for each in document["bundles"]}
    assert shown[bundle(1).id]["commands"]["Mobile_SearchAuctions"]["accepted"] == 7
    assert shown[bundle(2).id]["state"] == "dead"
    text = m26("auth", "status").out
    assert re.search(r"login_limited \d+ \w+ ago", text)
    assert "Mobile_SearchAuctions: 7, 1 odd" in text
    assert "not used yet" in text
    assert "CANARY" not in text


def test_many_bundles_are_listed_when_asked_for(m26: Command, home: Path) -> None:
    stored(home, credentials(bundles=tuple(bundle(n) for n in range(11))))
    assert "11 bundles: --bundles lists them" in m26("auth", "status").out
    assert m26("auth", "status", "--bundles").out.count("not used yet") == 11


def test_a_login_s_address_is_printed_with_what_to_do(
    m26: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("M26_PROFILE", "sim")
    login = ("auth", "login", "--platform", "sim")
    url = m26(*login, "--print-url", "--json").json["url"]
    assert m26(*login, "--print-url").out.startswith("http://127.0.0.1:8126/connect/auth?")
    state = parse_qs(urlsplit(url).query)["state"][0]
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    nothing = m26(*login)
    assert "it does not load: that is right" in nothing.out
    assert (nothing.code, "no address was given" in nothing.err) == (2, True)
    monkeypatch.setenv("M26_UPSTREAM__OAUTH_URL", "http://127.0.0.1:1")
    assert m26(*login, "--print-url").out.startswith("http://127.0.0.1:1/connect/auth?")
    monkeypatch.setattr(
        "sys.stdin", io.StringIO(f"http://127.0.0.1/success?code=CANARY-CODE&state={state}\n")
    )
    lost = m26(*login)
    assert lost.code == 5
    assert "the login is not done" in lost.err
    assert "CANARY-CODE" not in lost.out + lost.err
    assert Vault.open(home).accounts() == ()


def test_a_code_in_the_list_of_processes_is_warned_of_and_standard_input_takes_it(
    m26: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("M26_PROFILE", "sim")
    monkeypatch.setenv("M26_UPSTREAM__OAUTH_URL", "http://127.0.0.1:1")
    login = ("auth", "login", "--platform", "sim", "--redirect")
    shown = m26(*login, "CANARY-CODE")
    assert (shown.code, "in the list of processes" in shown.err) == (5, True)
    monkeypatch.setattr("sys.stdin", io.StringIO("CANARY-CODE\n"))
    hidden = m26(*login, "-")
    assert (hidden.code, hidden.out, "list of processes" in hidden.err) == (5, "", False)


def test_somebody_who_listens_where_the_code_would_go_is_told(
    m26: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    made = home / "made.toml"
    monkeypatch.setenv("M26_PROFILE", str(made))
    text = (files("m26") / "profiles" / "sim.toml").read_text()
    login = ("auth", "login", "--platform", "ps5")
    with socket.create_server(("127.0.0.1", 0)) as server:
        where = f"127.0.0.1:{server.getsockname()[1]}"
        text = text.replace("127.0.0.1/", f"{where}/").replace('["sim"]', '["ps5"]')
        made.write_text(text)
        assert f"something listens at {where}" in m26(*login).err
    assert "something listens" not in m26(*login).err


def test_a_login_that_cannot_be_is_refused_before_anybody_logs_in(
    m26: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = m26("auth", "login")
    assert (new.code, "its platform is needed" in new.err) == (2, True)
    monkeypatch.setenv("M26_PLATFORM", "ps5")
    client = m26("auth", "login")
    assert (client.code, "oauth.client_id" in client.err) == (3, True)
    assert "profile.toml" in client.err
    assert "connect/auth" not in client.out


def test_what_is_forgotten_is_gone_and_its_bundle_stays_away(m26: Command, home: Path) -> None:
    stored(home, credentials(bundles=(bundle(1), bundle(2))))
    stored(home, credentials(platform="pc"), account="two")
    gone = m26("auth", "forget", "--bundle", bundle(2).id, "--yes", "--json").json
    assert gone == {"schema_version": 1, "accounts": [], "bundles": [bundle(2).id]}
    held = Vault.open(home).read("main")
    assert ([b.id for b in held.bundles], held.retired_bundles) == (
        [bundle(1).id],
        (bundle(2).id,),
    )
    said = m26("auth", "forget", "--account", "two", "--yes").out
    assert "Forgotten: two." in said
    assert "EA still takes these tokens" in said
    assert m26("auth", "forget", "--all", "--yes", "--json").json["accounts"] == ["main"]
    assert Vault.open(home).accounts() == ()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 2),
        (("--all", "--account", "main"), 2),
        (("--all",), 2),
        (("--account", "other", "--yes"), 4),
        (("--bundle", "nonsense", "--yes"), 2),
        (("--bundle", "nonsense", "--account", "other", "--yes"), 4),
    ],
)
def test_nothing_is_forgotten_by_mistake(
    m26: Command,
    home: Path,
    arguments: tuple[str, ...],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stored(home, credentials())
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    assert m26("auth", "forget", *arguments).code == code
    assert Vault.open(home).accounts() == ("main",)


def test_on_a_terminal_it_is_asked_first(
    m26: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(home, credentials())
    for typed, left in (("no\n", ("main",)), ("", ("main",)), ("yes\n", ())):
        monkeypatch.setattr("sys.stdin", Terminal(typed))
        assert "Type yes" in m26("auth", "forget", "--account", "main").err
        assert Vault.open(home).accounts() == left


def test_the_key_is_changed_in_its_file(m26: Command, home: Path) -> None:
    assert m26("auth", "rekey").code == 4  # there is nothing to encrypt
    stored(home, credentials())
    before = (home / "vault.key").read_text()
    done = m26("auth", "rekey", "--json").json
    assert (done["key"], len(done["steps"])) == (str(home / "vault.key"), 3)
    assert (home / "vault.key").read_text() != before
    assert Vault.open(home).read("main") == credentials()


def test_a_key_in_the_environment_is_changed_by_its_owner(
    m26: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(home, credentials())
    old = (home / "vault.key").read_text()
    (home / "vault.key").unlink()
    monkeypatch.setenv("M26_VAULT__KEY", old)
    alone = m26("auth", "rekey")
    assert (alone.code, "--print-key" in alone.err) == (3, True)
    new = m26("auth", "rekey", "--print-key").out.strip()
    Fernet(new)
    assert m26("auth", "rekey", "--print-key", "--json").json["new_key"] != new
    monkeypatch.setenv("M26_VAULT__KEY", f"{new},{old}")
    done = m26("auth", "rekey")
    assert (done.code, "take the old key out of M26_VAULT__KEY" in done.out) == (0, True)
    assert new not in done.out
    monkeypatch.setenv("M26_VAULT__KEY", new)
    assert m26("auth", "status", "--json").json["items"][0]["account"] == "main"
    assert not (home / "vault.key").exists()


def test_the_addon_is_there_and_its_use_is_told(m26: Command, home: Path) -> None:
    told = m26("auth", "addon", "--json").json
    assert Path(told["path"]).is_file()
    assert told["command"] in m26("auth", "addon").out
    words = shlex.split(told["command"])
    assert re.fullmatch(r"mitmproxy@[0-9.]+", words[1]), "what is run is pinned"
    assert words[2:6] == ["-s", told["path"], "--set", f"m26_folder={home}/captures"]
    assert "m26_legacy=wal2.tools.gos.bio-iad.ea.com" in words
    assert not any("insecure" in word for word in words), "certificates are checked"
    hosts = words[words.index("--allow-hosts") + 1]
    for host in ("accounts.ea.com:443", "wal2.tools.gos.bio-iad.ea.com:443"):
        assert re.search(hosts, host)
    for host in ("ikea.com:443", "accounts.ea.com:443.invalid", "xaccounts.ea.com:443"):
        assert not re.search(hosts, host)


def test_a_rebuild_says_what_it_did_and_what_is_left(
    m26: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("M26_PROFILE", "sim")
    assert m26("auth", "rebuild").code == 4
    stored(home, credentials(tokens=tokens(1, at=time.time()), bundles=(bundle(1, failures=6),)))
    (home / "captures" / "broken.har").write_bytes(b"{")
    result = m26("auth", "rebuild", "--no-renew")
    assert result.code == 2  # not one capture could be read
    assert "warning: broken.har:" in result.err
    assert "nothing new" in result.out
    (home / "captures" / "broken.har").unlink()
    document = m26("auth", "rebuild", "--no-renew", "--json").json
    (account,) = document["accounts"]
    assert (account["bundles_dropped"], account["tokens"]) == (0, "kept")  # dropped the first time
    assert account["forecast"]["seconds_left"] is None
    assert (document["problems"], document["stopped"]) == ([], [])
    stored(home, credentials(tokens=None, ticket=None))
    write_stop(home, Stop(reason="captcha", message="m", advice="a", since=NOW, account="main"))
    ended = m26("auth", "rebuild")
    assert ended.code == 4
    assert "no way to log in" in ended.out
    assert "m26 resume" in ended.out
