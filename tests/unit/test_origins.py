"""Whom credentials are for: a foreign server gets none of them without a word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from tests.support.captures import capture, login_entry, process_entry, token_entry
from tests.support.gateway import credentials, stored

from m26.auth.intake import import_capture
from m26.auth.origins import admit, asked, bound, known
from m26.auth.vault import Vault
from m26.config import Upstream
from m26.errors import ConfigError, UsageError
from m26.upstream.origin import LOOPBACK, Origins, origin
from m26.upstream.profile import Profile

REAL = Profile.load("madden26")
OWN = Origins(oauth="https://accounts.ea.com", gateway="https://wal2.tools.gos.bio-iad.ea.com")
EVIL = "https://evil.invalid"
SHIPPED = Path(__file__).parents[2] / "python/m26/profiles/madden26.toml"


def test_a_word_is_for_one_server_and_is_remembered(tmp_path: Path) -> None:
    vault = stored(tmp_path, credentials(platform="ps5"))
    to = Origins.of(EVIL, EVIL)
    with pytest.raises(ConfigError, match="not for https://evil"):
        admit(vault, "main", to)
    with pytest.raises(UsageError, match="nothing would be sent"):
        admit(vault, "main", to, allow=["other.invalid"])
    admit(vault, "main", to, allow=["evil.invalid"])
    admit(Vault.open(tmp_path), "main", to)
    assert vault.read("main").allowed == (EVIL,)


def test_real_credentials_do_not_go_to_what_listens_here_and_made_up_ones_go_freely(
    tmp_path: Path,
) -> None:
    here = Origins(oauth=LOOPBACK, gateway=LOOPBACK)
    vault = stored(tmp_path, credentials(platform="ps5"))
    with pytest.raises(ConfigError, match="not for loopback"):
        admit(vault, "main", here)
    made_up = capture(
        tmp_path / "x.har", token_entry(host="127.0.0.1:1"), login_entry(host="localhost:2")
    )
    import_capture(vault, made_up, account="two", profile=REAL, origins=known(REAL, Upstream()))
    assert vault.read("two").origins == here
    admit(vault, "two", Origins.of("http://127.0.0.1:3", "http://[::1]:4"))
    with pytest.raises(ConfigError, match="are for loopback"):
        admit(vault, "two", OWN)


def test_a_vault_of_before_is_the_shipped_profile_s_whatever_is_chosen(tmp_path: Path) -> None:
    vault = stored(tmp_path, credentials(platform="ps5"))
    assert bound(vault.read("main")) == OWN
    assert vault.read("main").origins is None
    admit(vault, "main", OWN)
    assert vault.read("main").origins == OWN


def test_several_servers_for_one_kind_of_call_are_told_and_not_taken(tmp_path: Path) -> None:
    path = capture(
        tmp_path / "x.har",
        token_entry(1, host="127.0.0.1"),
        token_entry(2, second=5),
        login_entry(),
        process_entry(),
    )
    vault = Vault.open(tmp_path)
    done = import_capture(vault, path, profile=REAL, origins=known(REAL, Upstream()))
    assert done.found.client_id is None
    assert "more than one token service, https://accounts.ea.com and loopback" in done.problems[0]
    assert vault.read("main").tokens is not None, "the login's own access token"


def test_a_capture_of_other_servers_does_not_mix_into_an_account(tmp_path: Path) -> None:
    vault = stored(tmp_path, replace(credentials(platform="ps5"), origins=OWN))
    before = vault.read("main")
    path = capture(tmp_path / "x.har", token_entry(host="127.0.0.1"))
    with pytest.raises(UsageError, match="the capture is of loopback"):
        import_capture(vault, path, profile=REAL, origins=known(REAL, Upstream()))
    assert vault.read("main") == before


def test_a_host_that_a_setting_names_counts_as_the_profile_s(tmp_path: Path) -> None:
    given = Upstream(oauth_url="https://mine.invalid:8443", base_url="https://other.invalid")
    path = capture(tmp_path / "x.har", token_entry(host="mine.invalid:8443"))
    vault = Vault.open(tmp_path)
    import_capture(vault, path, platform="ps5", profile=REAL, origins=known(REAL, given))
    assert vault.read("main").origins == asked(REAL, given)


@pytest.mark.parametrize(
    ("url", "whom"),
    [
        ("https://A.invalid:443/x?y", "https://a.invalid"),
        ("https://a.invalid:444", "https://a.invalid:444"),
        ("https://user:word@a.invalid", "https://a.invalid"),
        ("https://a.invalid/" + "k" * 100_000, "https://a.invalid"),
        ("http://127.0.0.1:1/x", LOOPBACK),
        ("http://localhost", LOOPBACK),
        ("http://a.invalid", ""),
        ("ftp://127.0.0.1", ""),
        ("https://a.invalid:99999", ""),
        ("https://xn--", ""),
        ("https://a\nb", ""),
        ("/connect/token", ""),
        ("", ""),
    ],
)
def test_whom_an_address_asks(url: str, whom: str) -> None:
    assert origin(url) == whom


def test_who_a_vault_is_for_survives_its_file(tmp_path: Path) -> None:
    vault = stored(tmp_path, replace(credentials(), origins=OWN, allowed=(EVIL,)))
    assert vault.read("main").origins == OWN
    assert vault.read("main").allowed == (EVIL,)
    assert orjson.loads(orjson.dumps(OWN)) == {"oauth": OWN.oauth, "gateway": OWN.gateway}
