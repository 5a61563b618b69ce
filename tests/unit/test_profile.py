from __future__ import annotations

from pathlib import Path

import pytest

from m26.errors import ConfigError
from m26.redaction import redact
from m26.upstream.profile import Profile


def test_the_shipped_profile_holds_no_secret() -> None:
    profile = Profile.load("madden26")
    assert not any((profile.oauth.client_id, profile.oauth.client_secret, profile.wal.device_id))
    signing = profile.signing
    assert not any((signing.static_data, signing.key, signing.code_secret))


def test_the_operators_overlay_goes_before_the_shipped_profile(tmp_path: Path) -> None:
    overlay = tmp_path / "profile.toml"
    overlay.write_text(
        '[oauth]\nclient_id = "CANARY-OWN-ID"\n[wal]\ndevice_id = "CANARY-OWN-DEVICE"\n'
    )
    overlay.chmod(0o600)
    profile = Profile.load("madden26", home=tmp_path)
    assert profile.oauth.client_id == "CANARY-OWN-ID"
    assert profile.wal.device_id == "CANARY-OWN-DEVICE"
    assert profile.oauth.base_url == "https://accounts.ea.com"
    assert "CANARY" not in repr(profile)
    assert redact("id CANARY-OWN-ID device CANARY-OWN-DEVICE") == "id *** device ***"


def test_an_overlay_that_others_can_read_is_refused(tmp_path: Path) -> None:
    overlay = tmp_path / "profile.toml"
    overlay.write_text("")
    overlay.chmod(0o640)
    with pytest.raises(ConfigError, match="other users"):
        Profile.load("madden26", home=tmp_path)


def test_next_years_game_is_a_file_and_no_code(tmp_path: Path) -> None:
    profile = tmp_path / "madden27.toml"
    text = (Path(__file__).parents[2] / "python/m26/profiles/madden26.toml").read_text()
    profile.write_text(text.replace("year = 2026", "year = 2027"))
    loaded = Profile.load(str(profile))
    assert loaded.product_name("ps5") == "madden-2027-ps5-mca"
    assert loaded.blaze_id("ps5") == "madden-2027-ps5"


def test_unknown_fields_and_profiles_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no profile named 'madden99'"):
        Profile.load("madden99")
    overlay = tmp_path / "profile.toml"
    overlay.write_text("[signing]\nstatic_dta = 'x'\n")
    overlay.chmod(0o600)
    with pytest.raises(ConfigError, match="static_dta"):
        Profile.load("madden26", home=tmp_path)


@pytest.mark.parametrize("field", ["wal.cookies", "oauth.cookies", "wal.legacy_tls"])
def test_yes_or_no_is_true_or_false_and_no_word(tmp_path: Path, field: str) -> None:
    overlay = tmp_path / "profile.toml"
    overlay.touch(mode=0o600)
    section, name = field.split(".")
    for value in ('"false"', "0", "[]"):
        overlay.write_text(f"[{section}]\n{name} = {value}\n")
        with pytest.raises(ConfigError, match=rf"\[{section}\]: {name} is of type \w+, not bool"):
            Profile.load("madden26", home=tmp_path)
    overlay.write_text(f"[{section}]\n{name} = true\n")
    assert getattr(getattr(Profile.load("madden26", home=tmp_path), section), name) is True


@pytest.mark.parametrize("key", ["123456789x", "1" * 5_000])
def test_a_position_that_is_no_number_is_told_as_one(tmp_path: Path, key: str) -> None:
    overlay = tmp_path / "profile.toml"
    overlay.write_text(f'[card]\npositions = {{ "{key}" = "QB" }}\n')
    overlay.chmod(0o600)
    try:
        Profile.load("madden26", home=tmp_path)
        told = "nothing"
    except Exception as error:  # noqa: BLE001 - its class is what is asked for
        told = type(error).__name__
    assert told == "ConfigError"


def pinned(tmp_path: Path, text: str) -> Profile:
    """The simulator's profile under an overlay."""
    overlay = tmp_path / "profile.toml"
    overlay.write_text(text)
    overlay.chmod(0o600)
    return Profile.load("sim", home=tmp_path)


def test_what_is_pinned_is_not_learned(tmp_path: Path) -> None:
    assert Profile.load("sim").pins == {}
    text = '[upstream]\norder = "ending"\npaging = false\nbatch = 20\nrecall = 0\n'
    assert pinned(tmp_path, text).pins == {
        "order": "ending",
        "paging": "false",
        "batch": "20",
        "recall": "0",
    }
    assert pinned(tmp_path, '[paging]\nmode = "none"\n').pins == {"paging": "false"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('order = "oldest"', "order is 'oldest', not 'newest' or"),
        ("page = 0", "page is 0, not 1 to 10,000"),
        ("batch = true", "batch is of type bool, not int"),
        ('visible = "yes"', "visible is of type str, not bool"),
        ("recall = -1", "recall is -1"),
        ("pages = 3", "unknown field 'pages'"),
        ('paging = true\n[paging]\nmode = "none"', "says not how"),
    ],
)
def test_a_pin_that_cannot_be_is_told(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        pinned(tmp_path, f"[upstream]\n{text}\n")
