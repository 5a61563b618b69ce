from __future__ import annotations

import base64
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.support.captures import BEGAN, SESSION, entry, login_entry, process_entry, token_entry
from tests.support.gateway import bundle, credentials, har, stored, tokens

from m26.auth.credentials import Credentials
from m26.auth.intake import Found, import_capture, read_credentials
from m26.auth.vault import Vault
from m26.errors import AuthError, UsageError


def read(tmp_path: Path, *entries: dict[str, Any]) -> Found:
    file = tmp_path / "x.har"
    file.write_bytes(har(entries))
    return read_credentials(file)


def test_a_whole_start_of_the_app_gives_everything(tmp_path: Path) -> None:
    found = read(tmp_path, token_entry(), login_entry(), process_entry(1), process_entry(2))
    assert (found.requests, found.platform) == (4, "ps5")
    assert found.client_id is not None
    assert found.client_id.reveal() == "CANARY-CLIENT-ID"
    assert found.client_secret is not None
    assert found.client_secret.reveal() == "CANARY-CLIENT-SECRET"
    assert found.device_id is not None
    assert found.device_id.reveal() == "CANARY-DEVICE"
    assert found.tokens == tokens(1, at=BEGAN + 0.25)
    assert found.ticket is not None
    assert found.ticket.session_key.reveal() == SESSION
    assert found.ticket.blaze_id == 1_000_000_777
    assert [b.auth_data.reveal() for b in found.bundles] == ["CANARY-DATA-1", "CANARY-DATA-2"]
    assert {b.blaze_id for b in found.bundles} == {1_000_000_777}
    assert "CANARY" not in repr(found)


def test_requests_are_known_by_their_path_whatever_the_host(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        token_entry(host="127.0.0.1:8080"),
        login_entry(host="other.invalid"),
        entry("/not/connect/tokens", "{}", {"access_token": "CANARY-X", "refresh_token": "y"}),
    )
    assert found.tokens is not None
    assert found.tokens.access.reveal() == "CANARY-ACCESS-1"
    assert found.ticket is not None


def test_of_several_pairs_the_newest_is_taken_whatever_their_order(tmp_path: Path) -> None:
    found = read(tmp_path, token_entry(9, second=50), token_entry(1), token_entry(5, second=30))
    assert found.tokens is not None
    assert found.tokens.access.reveal() == "CANARY-ACCESS-9"


def test_a_refresh_answered_without_a_refresh_token_leaves_the_one_that_was_sent(
    tmp_path: Path,
) -> None:
    asked = urlencode({"grant_type": "refresh_token", "refresh_token": "CANARY/SENT"})
    answers = ({"access_token": "CANARY-ACCESS-2", "expires_in": 60}, {"expires_in": 60})
    mime = "application/x-www-form-urlencoded"
    kept, none = (
        read(tmp_path, entry("/connect/token", asked, answer, mime=mime)).tokens
        for answer in answers
    )
    assert none is None
    assert kept is not None
    assert kept.access.reveal() == "CANARY-ACCESS-2"
    assert kept.refresh is not None
    assert kept.refresh.reveal() == "CANARY/SENT"


def test_a_bundle_seen_twice_is_one(tmp_path: Path) -> None:
    found = read(tmp_path, process_entry(1), process_entry(1, second=9), process_entry(2))
    assert len(found.bundles) == 2


def test_bodies_in_base64_and_forms_in_params_are_read(tmp_path: Path) -> None:
    token, login = token_entry(), login_entry()
    content = login["response"]["content"]
    content["text"] = base64.b64encode(content["text"].encode()).decode()
    content["encoding"] = "base64"
    token["request"]["postData"] = {
        "mimeType": "application/x-www-form-urlencoded; charset=utf-8",
        "params": [{"name": "client_id", "value": "CANARY%2DPARAM"}],
    }
    found = read(tmp_path, token, login)
    assert found.client_id is not None
    assert found.client_id.reveal() == "CANARY-PARAM"
    assert found.ticket is not None


def test_a_capture_that_begins_at_the_login_has_an_access_token_only(tmp_path: Path) -> None:
    found = read(tmp_path, login_entry())
    assert found.tokens is not None
    assert found.tokens.access.reveal() == "CANARY-ACCESS-1"
    assert found.tokens.refresh is None
    assert found.platform == "ps5"


def test_a_lone_request_gives_its_session_and_its_bundle(tmp_path: Path) -> None:
    found = read(tmp_path, process_entry(3))
    assert found.tokens is None
    assert found.ticket is not None
    assert found.ticket.session_key.reveal() == SESSION
    assert found.ticket.blaze_id is None
    assert len(found.bundles) == 1


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b'{"log":{}}', b'{"log":{"entries":{}}}', b"\x00\xff", b"null"],
)
def test_what_is_no_har_is_told(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.har"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=r"not a HAR file|is empty"):
        read_credentials(file)
    with pytest.raises(UsageError, match="no such file"):
        read_credentials(tmp_path / "absent.har")


@pytest.mark.parametrize(
    "damage",
    [
        lambda e: e.pop("request"),
        lambda e: e.pop("response"),
        lambda e: e.update(request=[], response=7),
        lambda e: e["request"].update(url="http://[", headers="x"),
        lambda e: e["request"].pop("postData"),
        lambda e: e["request"].update(postData={"text": 5, "params": [1, None]}),
        lambda e: e["response"].update(status="200", content=None),
        lambda e: e["response"]["content"].update(text="%%%", encoding="base64"),
        lambda e: e.update(startedDateTime=None, time="soon"),
        lambda e: e["request"]["postData"].update(text='{"requestInfo":"[1,2"}'),
        lambda e: e["request"]["postData"].update(text='{"requestInfo":{"deviceId":1}}'),
    ],
)
def test_entries_of_any_form_never_raise(tmp_path: Path, damage: Any) -> None:
    for make in (token_entry, login_entry, process_entry):
        broken = make()
        damage(broken)
        found = read(tmp_path, broken, {}, token_entry(7, second=30))
        assert found.tokens is not None
        assert found.tokens.access.reveal() == "CANARY-ACCESS-7"


def imported(tmp_path: Path, *entries: dict[str, Any], late: float = 60, **options: Any) -> Vault:
    file = tmp_path / "x.har"
    file.write_bytes(har(entries))
    vault = Vault.open(tmp_path)
    import_capture(vault, file, now=BEGAN + late, **options)
    return vault


def test_an_import_makes_an_account_of_the_captures_platform(tmp_path: Path) -> None:
    vault = imported(tmp_path, token_entry(), login_entry(), process_entry())
    held = vault.read("main")
    assert held.platform == "ps5"
    assert held.tokens == tokens(1, at=BEGAN + 0.25)
    assert held.ticket is not None
    assert len(held.bundles) == 1
    assert vault.accounts() == ("main",)


def test_importing_twice_changes_nothing(tmp_path: Path) -> None:
    entries = (token_entry(), login_entry(), process_entry())
    first = imported(tmp_path, *entries).read("main")
    assert imported(tmp_path, *entries).read("main") == first


def test_a_later_capture_adds_bundles_and_keeps_their_health(tmp_path: Path) -> None:
    sick = bundle(1, failures=3)
    stored(tmp_path, credentials(platform="ps5", bundles=(sick, bundle(5))))
    held = imported(tmp_path, process_entry(1), process_entry(2)).read("main")
    by_data = {b.auth_data.reveal(): b for b in held.bundles}
    assert sorted(by_data) == ["CANARY-DATA-1", "CANARY-DATA-2", "CANARY-DATA-5"]
    assert by_data["CANARY-DATA-1"].failures == 3


def test_an_old_capture_does_not_undo_a_renewal(tmp_path: Path) -> None:
    renewed = tokens(8, at=BEGAN + 9_000)
    stored(tmp_path, Credentials(platform="ps5", tokens=renewed))
    held = imported(tmp_path, token_entry(), login_entry(), late=9_999).read("main")
    assert held.tokens == renewed
    assert held.ticket is None  # its session is hours old


def test_a_new_login_ends_the_refusal_of_the_old_one(tmp_path: Path) -> None:
    dead = Credentials(
        platform="ps5",
        tokens=tokens(8, at=BEGAN - 9_000),
        refreshes_unanswered=2,
        refresh_refused="login_again",
    )
    stored(tmp_path, dead)
    held = imported(tmp_path, token_entry()).read("main")
    assert held.tokens == tokens(1, at=BEGAN + 0.25)
    assert held.refresh_dead is None


def test_the_same_dead_login_imported_again_stays_refused(tmp_path: Path) -> None:
    dead = Credentials(platform="ps5", tokens=tokens(1, at=BEGAN), refresh_refused="login_again")
    stored(tmp_path, dead)
    assert imported(tmp_path, token_entry()).read("main").refresh_dead == "login_again"


def test_a_platform_is_needed_and_must_be_the_accounts(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not tell its platform"):
        imported(tmp_path, token_entry())
    assert imported(tmp_path, token_entry(), platform="pc").read("main").platform == "pc"
    with pytest.raises(UsageError, match="is of platform pc, the capture is of ps5"):
        imported(tmp_path, login_entry())
    with pytest.raises(UsageError, match="no platform 'ps5', only xbsx, pc"):
        imported(tmp_path, login_entry(), account="two", platforms=("xbsx", "pc"))
    assert Vault.open(tmp_path).accounts() == ("main",)


def test_a_capture_with_nothing_in_it_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(AuthError, match=r"neither a token .* in 1 request.*none of them"):
        imported(tmp_path, entry("/other", "{}", {}), platform="ps5")
    assert Vault.open(tmp_path).accounts() == ()
