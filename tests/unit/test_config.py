from __future__ import annotations

from pathlib import Path

import pytest

from m26 import config
from m26.config import Settings, load
from m26.errors import ConfigError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own in the environment."""
    monkeypatch.setenv("M26_HOME", str(tmp_path))
    return tmp_path


def test_defaults_are_those_of_the_contract(home: Path) -> None:
    settings = load().settings
    assert settings == Settings(home=home)
    assert (settings.web.host, settings.web.port, settings.web.token) == ("127.0.0.1", 8026, None)
    assert settings.journal.keep_bytes == 2 * 2**30
    assert settings.redis.stream_maxlen == 1_000_000
    assert (settings.budget.per_day, settings.log.level) == (None, "info")


def test_the_command_line_wins_over_the_environment_over_the_file(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = home / "config.toml"
    file.write_text("platform = 'pc'\n\n[web]\nport = 1\nhost = 'h'\n[budget]\nburst = 7\n")
    monkeypatch.setenv("M26_WEB__PORT", "2")
    monkeypatch.setenv("M26_WEB__HOST", "e")
    loaded = load({"web.port": 3, "platform": None})
    settings, origins = loaded.settings, loaded.origins
    assert (settings.web.port, origins["web.port"]) == (3, "command line")
    assert (settings.web.host, origins["web.host"]) == ("e", "environment M26_WEB__HOST")
    assert (settings.budget.burst, origins["budget.burst"]) == (7, f"{file}:7")
    assert (settings.platform, origins["platform"]) == ("pc", f"{file}:1")
    assert (settings.log.format, origins["log.format"]) == (None, "default")
    assert origins["home"] == "environment M26_HOME"
    assert set(origins) == set(config.every_key())


def test_the_home_comes_from_the_command_line_and_its_file_is_read(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.toml").write_text("web.port = 9\n")
    loaded = load({"home": other})
    assert (loaded.settings.home, loaded.settings.web.port) == (other, 9)
    assert loaded.origins["web.port"] == f"{other / 'config.toml'}:1"


def test_a_home_of_the_user_is_the_platform_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("M26_HOME")
    loaded = load()
    assert (loaded.settings.home.name, loaded.origins["home"]) == ("m26", "default")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("M26_POSTGRES_DSN", "M26_POSTGRES__DSN"),
        ("M26_WEB__PROT", "M26_WEB__PORT"),
        ("M26_PLATFROM", "M26_PLATFORM"),
        ("M26_BUDGET__PERDAY", "M26_BUDGET__PER_DAY"),
    ],
)
def test_an_unknown_variable_is_an_error_that_names_the_nearest(
    monkeypatch: pytest.MonkeyPatch, name: str, nearest: str
) -> None:
    monkeypatch.setenv(name, "CANARY")
    with pytest.raises(ConfigError, match=f"environment {name}") as caught:
        load()
    assert nearest in caught.value.hint
    assert "CANARY" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("text", ["prot = 1", "[web]\nprot = 1", "web = 3", "[wbe]\nport = 1"])
def test_an_unknown_key_in_the_file_is_an_error_with_its_line(home: Path, text: str) -> None:
    (home / "config.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"unknown setting .*config\.toml:\d+$"):
        load()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("M26_WEB__PORT", "CANARY"),
        ("M26_WEB__PORT", "70000"),
        ("M26_WEB__PORT", "-1"),
        ("M26_BUDGET__PER_DAY", "0"),
        ("M26_BUDGET__PER_MINUTE", "1.5"),
        ("M26_REDIS__STREAM_MAXLEN", "CANARY"),
        ("M26_JOURNAL__KEEP_BYTES", "2 CANARY"),
        ("M26_JOURNAL__KEEP_BYTES", "-5"),
        ("M26_JOURNAL__KEEP_BYTES", "1.5GiB"),
        ("M26_LOG__LEVEL", "CANARY"),
        ("M26_LOG__FORMAT", "CANARY"),
        ("M26_POSTGRES__DSN", "CANARY"),
        ("M26_POSTGRES__DSN", "mysql://u:CANARY@h/d"),
        ("M26_POSTGRES__DSN", "postgresql:/u:CANARY@h/d"),
        ("M26_POSTGRES__DSN", "postgresql://u:CANARY@h:port/d"),
        ("M26_POSTGRES__DSN", "postgresql://u:CANARY@h:99999/d"),
        ("M26_POSTGRES__DSN", "postgresql://u:CAN/ARY@h/d"),
        ("M26_REDIS__URL", "http://u:CANARY@h"),
    ],
)
def test_a_bad_value_is_named_by_its_variable_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"from environment {name} is not valid") as caught:
        load()
    told = f"{caught.value} {caught.value.hint}"
    assert "CANARY" not in told
    assert "ARY@h" not in told
    assert name in caught.value.hint
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "text",
    [
        "web.port = true",
        "[web.port]\nx = 1",
        "budget.burst = true",
        "journal.keep_bytes = true",
        "web.token=''",
    ],
)
def test_a_value_of_the_wrong_type_in_the_file_is_an_error_with_its_line(
    home: Path, text: str
) -> None:
    (home / "config.toml").write_text(f"# a comment\n{text}\n")
    with pytest.raises(ConfigError, match=r"config\.toml:2 is not valid"):
        load()


@pytest.mark.parametrize("digits", [f"0x{'f' * 8_000}", str(2**63)])
def test_a_number_that_nothing_can_count_to_is_refused(home: Path, digits: str) -> None:
    (home / "config.toml").write_text(f"[budget]\nper_day = {digits}\n")
    with pytest.raises(ConfigError, match=r"budget\.per_day"):
        load()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("500", 500),
        ("2GiB", 2 * 2**30),
        ("500 MB", 500_000_000),
        ("1 kib", 1024),
        (" 3MiB ", 3 * 2**20),
        ("7kB", 7000),
    ],
)
def test_sizes_take_units(monkeypatch: pytest.MonkeyPatch, text: str, count: int) -> None:
    monkeypatch.setenv("M26_JOURNAL__KEEP_BYTES", text)
    assert load().settings.journal.keep_bytes == count


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("M26_POSTGRES__DSN", "postgresql://u:CANARY@db.example:5432/m26?sslmode=require"),
        ("M26_POSTGRES__DSN", "postgres://h1:5432,h2:5433/m26?sslmode=prefer"),
        ("M26_POSTGRES__DSN", "postgresql:///m26?host=/run/postgresql"),
        ("M26_POSTGRES__DSN", "postgresql://[::1]:5432/m26"),
        ("M26_POSTGRES__DSN", "postgresql://u@%2Frun%2Fpg/m26"),
        ("M26_REDIS__URL", "redis://:CANARY@localhost:6379/0"),
        ("M26_REDIS__URL", "rediss://h"),
        ("M26_REDIS__URL", "unix:///run/valkey.sock?db=1"),
    ],
)
def test_addresses_of_servers_are_kept_and_shown_as_stars(
    monkeypatch: pytest.MonkeyPatch, name: str, url: str
) -> None:
    monkeypatch.setenv(name, url)
    settings = load().settings
    secret = settings.postgres.dsn or settings.redis.url
    assert secret is not None
    assert secret.get_secret_value() == url
    key = "postgres.dsn" if "POSTGRES" in name else "redis.url"
    assert config.shown(settings, key) == "***"
    assert "CANARY" not in repr(settings)


def test_an_empty_variable_counts_as_not_set(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "config.toml").write_text("[web]\ntoken = 'CANARY-token'\n")
    for name in ("M26_WEB__TOKEN", "M26_POSTGRES__DSN", "M26_BUDGET__PER_DAY"):
        monkeypatch.setenv(name, "")
    settings = load().settings
    assert settings.web.token is not None, "the file's value holds"
    assert (settings.postgres.dsn, settings.budget.per_day) == (None, None)
    monkeypatch.setenv("M26_WEB__TOKE", "")
    with pytest.raises(ConfigError, match="unknown setting"):
        load()


def test_the_file_cannot_say_where_it_is(home: Path) -> None:
    (home / "config.toml").write_text("home = '/elsewhere'\n")
    with pytest.raises(ConfigError, match="sets home") as caught:
        load()
    assert "M26_HOME" in caught.value.hint


@pytest.mark.parametrize("content", [b"web = [", b"\xff\xfe", b"a = 1\na = 2", b"x = CANARY"])
def test_a_file_that_is_no_toml_is_an_error_without_its_text(home: Path, content: bytes) -> None:
    (home / "config.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"cannot read .*config\.toml") as caught:
        load()
    assert "CANARY" not in str(caught.value)


def test_a_file_that_cannot_be_opened_is_an_error(home: Path) -> None:
    (home / "config.toml").mkdir()
    with pytest.raises(ConfigError, match="Is a directory"):
        load()
    with pytest.raises(ConfigError, match="Not a directory"):
        load({"home": __file__})


def test_lines_are_found_in_every_form_of_toml(home: Path) -> None:
    (home / "config.toml").write_text(
        "log = { level = 'debug' }\n"
        "redis . stream_maxlen = 5\n"
        "[ web ]  # port = 3\n"
        "# port = 4\n"
        "port = 5\n"
    )
    origins = load().origins
    lines = [
        origins[k].rpartition(":")[2] for k in ("log.level", "redis.stream_maxlen", "web.port")
    ]
    assert lines == ["1", "2", "5"]
