from __future__ import annotations

import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.fernet import Fernet, InvalidToken
from pydantic import SecretStr
from tests.support.gateway import credentials, stored

from m26 import config
from m26.auth.credentials import dump
from m26.auth.vault import Vault
from m26.errors import AuthError, ConfigError, StorageError


def keys(home: Path) -> list[str]:
    return (home / "vault.key").read_text().split(",")


def test_a_new_key_replaces_the_old_one(tmp_path: Path) -> None:
    stored(tmp_path, credentials())
    (old,) = keys(tmp_path)
    running = Vault.open(tmp_path)  # another process that read the old key
    steps = list(Vault.open(tmp_path).rekey())
    assert len(steps) == 3
    (new,) = keys(tmp_path)
    assert new != old
    assert stat.S_IMODE((tmp_path / "vault.key").stat().st_mode) == 0o600
    assert Vault.open(tmp_path).read("main") == credentials()
    with pytest.raises(AuthError, match="does not open with this key"):
        Vault.open(tmp_path, config.Vault(key=SecretStr(old)))
    running.update("main", lambda _: credentials(next_request_id=9))
    assert Vault.open(tmp_path, config.Vault(key=SecretStr(new))).read("main").next_request_id == 9


@pytest.mark.parametrize("done", range(4))
def test_a_key_change_that_ends_after_any_step_leaves_a_vault_that_opens(
    tmp_path: Path, done: int
) -> None:
    stored(tmp_path, credentials())
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from m26.auth.vault import Vault\n"
        "steps = Vault.open(Path(sys.argv[1])).rekey()\n"
        "for _ in range(int(sys.argv[2])): next(steps)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path), str(done)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert len(keys(tmp_path)) == (1, 2, 2, 1)[done]
    vault = Vault.open(tmp_path)
    assert vault.read("main") == credentials()
    vault.update("main", lambda _: credentials(next_request_id=done))
    assert len(list(Vault.open(tmp_path).rekey())) == 3  # no lock is left, and it can be repeated
    assert len(keys(tmp_path)) == 1
    assert Vault.open(tmp_path).read("main").next_request_id == done


def test_a_reader_between_any_two_steps_finds_a_vault_that_opens(tmp_path: Path) -> None:
    stored(tmp_path, credentials())
    long_running, steps = Vault.open(tmp_path), Vault.open(tmp_path).rekey()
    for _ in range(3):
        next(steps)
        for reader in (long_running, Vault.open(tmp_path)):
            assert reader.read("main") == credentials()


def test_a_key_that_is_not_ours_to_replace_is_changed_in_one_step(tmp_path: Path) -> None:
    stored(tmp_path, credentials())
    (old,) = keys(tmp_path)
    new = Fernet.generate_key().decode()
    vault = Vault.open(tmp_path, config.Vault(key=SecretStr(f"{new},{old}")))
    assert not vault.keys.is_replaceable
    assert len(list(vault.rekey())) == 1
    assert keys(tmp_path) == [old]
    assert Vault.open(tmp_path, config.Vault(key=SecretStr(new))).read("main") == credentials()


def test_what_was_encrypted_with_the_old_key_is_nothing_to_us(tmp_path: Path) -> None:
    vault = stored(tmp_path, credentials())
    ticket = vault.encrypt(b"CANARY", "ticket")
    list(vault.rekey())
    assert vault.decrypt(ticket, "ticket") is None
    assert vault.decrypt(vault.encrypt(b"CANARY", "ticket"), "ticket") == b"CANARY"


def test_an_account_or_all_of_them_can_be_forgotten(tmp_path: Path) -> None:
    vault = stored(tmp_path, credentials())
    for name in ("two", "three"):
        stored(tmp_path, credentials(platform="pc"), account=name)
    assert vault.forget("two") == ("two",)
    with pytest.raises(AuthError, match="no account 'two' \\(known: main, three\\)"):
        vault.forget("two")
    assert vault.accounts() == ("main", "three")
    assert vault.forget() == ("main", "three")
    assert Vault.open(tmp_path).accounts() == ()
    assert vault.forget() == ()


@pytest.fixture
def handed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The vault's key as a service manager hands it over: mode 0440, an access list behind it."""
    folder = tmp_path / "credentials"
    folder.mkdir(mode=0o700)
    key = folder / "m26.vault.key"
    key.write_bytes(Fernet.generate_key())
    key.chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    monkeypatch.setenv("M26_HOME", str(tmp_path / "home"))
    return key


def test_a_systemd_credential_is_the_key_where_no_other_is_named(
    handed_over: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = config.load()
    assert loaded.settings.vault.key_file == handed_over
    assert loaded.origins["vault.key_file"] == "systemd credential m26.vault.key"
    vault = Vault.open(loaded.settings.home, loaded.settings.vault)
    vault.update("main", lambda _: credentials())
    assert not (tmp_path / "home" / "vault.key").exists()
    assert not vault.keys.is_replaceable
    for name, value in (("KEY", Fernet.generate_key().decode()), ("KEY_FILE", "/x")):
        monkeypatch.setenv(f"M26_VAULT__{name}", value)
        loaded = config.load()
        assert loaded.settings.vault.key_file != handed_over
        assert loaded.origins["vault.key_file"] in ("default", "environment M26_VAULT__KEY_FILE")
        monkeypatch.delenv(f"M26_VAULT__{name}")
    handed_over.unlink()
    assert config.load().settings.vault.key_file is None


@pytest.mark.parametrize(
    ("mode", "in_folder", "good"),
    [
        (0o400, True, True),
        (0o440, True, True),
        (0o444, True, False),
        (0o460, True, False),
        (0o440, False, False),
        (0o400, False, True),
    ],
)
def test_the_group_bits_of_a_credential_are_its_access_list_and_only_there(
    handed_over: Path, tmp_path: Path, mode: int, in_folder: bool, good: bool
) -> None:
    file = handed_over if in_folder else tmp_path / "elsewhere.key"
    if not in_folder:
        handed_over.rename(file)
    file.chmod(mode)
    vault = Vault(tmp_path / "home", config.Vault(key_file=file))
    if good:
        vault.update("main", lambda _: credentials())
    else:
        with pytest.raises(ConfigError, match="can be read by other users"):
            vault.update("main", lambda _: credentials())


def key_0644(key: Path) -> None:
    key.chmod(0o644)


def empty(key: Path) -> None:
    key.write_bytes(b"")


def cut(key: Path) -> None:
    key.write_bytes(key.read_bytes()[:20])


def link(key: Path) -> None:
    key.rename(key.with_name("real"))
    key.symlink_to(key.with_name("real"))


def other(key: Path) -> None:
    key.write_bytes(Fernet.generate_key())


def gone(key: Path) -> None:
    key.unlink()


@pytest.mark.parametrize("damage", [key_0644, empty, cut, link, other, gone])
def test_a_key_file_of_the_operator_s_that_is_not_as_it_should_be_is_refused(
    tmp_path: Path, damage: object
) -> None:
    file = tmp_path / "own.key"
    file.write_bytes(Fernet.generate_key())
    file.chmod(0o600)
    settings = config.Vault(key_file=file)
    Vault.open(tmp_path, settings).update("main", lambda _: credentials())
    before = (tmp_path / "vault.bin").read_bytes()
    damage(file)  # type: ignore[operator]
    with pytest.raises((AuthError, ConfigError)) as refused:
        Vault.open(tmp_path, settings).update("main", lambda _: credentials(platform="pc"))
    assert refused.value.hint
    assert (tmp_path / "vault.bin").read_bytes() == before
    assert not (tmp_path / "vault.key").exists()


@pytest.fixture
def unwritable(tmp_path: Path) -> Iterator[Path]:
    """A home with a vault whose folder lets nothing be written: also not by root, who is us."""
    stored(tmp_path, credentials())
    blocker = tmp_path / ".vault.bin.new"
    blocker.mkdir()
    yield tmp_path
    blocker.rmdir()


def limited(home: Path, action: str) -> subprocess.CompletedProcess[str]:
    """Run one line on a vault in a process that may write no file larger than 300 bytes."""
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from m26.auth.vault import Vault\n"
        "from m26.errors import StorageError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "vault = Vault.open(Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))\n"
        f"try: {action}\n"
        "except StorageError as error: sys.exit(f'{error.exit_code} {error.message}')\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code, str(home)], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "action", ["vault.change('main', lambda held: held)", "list(vault.rekey())", "vault.forget()"]
)
def test_a_full_disk_leaves_the_old_vault_and_says_so(tmp_path: Path, action: str) -> None:
    stored(tmp_path, credentials())
    before = (tmp_path / "vault.bin").read_bytes()
    ended = limited(tmp_path, action)
    if action != "vault.forget()":  # an empty vault is small enough
        assert ended.stderr.startswith("6 cannot write"), ended.stderr
        assert (tmp_path / "vault.bin").read_bytes() == before
        assert Vault.open(tmp_path).read("main") == credentials()
    assert not (tmp_path / ".vault.bin.new").exists()


def test_a_folder_that_cannot_be_written_leaves_vault_and_key(unwritable: Path) -> None:
    before = (unwritable / "vault.bin").read_bytes()
    for action in (lambda v: v.change("main", lambda held: held), lambda v: list(v.rekey())):
        with pytest.raises(StorageError, match="cannot write"):
            action(Vault.open(unwritable))
    assert (unwritable / "vault.bin").read_bytes() == before
    assert Vault.open(unwritable).read("main") == credentials()


def test_a_home_that_cannot_be_made_is_told() -> None:
    vault = Vault.open(Path("/proc/no-home-of-m26"))
    with pytest.raises(StorageError, match="cannot write"):
        vault.update("main", lambda _: credentials())
    with pytest.raises(StorageError, match="cannot write"):
        vault.encrypt(b"x", "ticket")


def test_the_first_key_is_made_once_whoever_needs_it_first(tmp_path: Path) -> None:
    home = tmp_path / "home"
    one, two = Vault.open(home), Vault.open(home)
    data = one.encrypt(b"CANARY", "ticket")
    assert two.decrypt(data, "ticket") == b"CANARY"
    two.update("main", lambda _: credentials())
    assert one.read("main") == credentials()
    assert len(keys(home)) == 1


def test_a_vault_of_before_opens_and_the_next_change_writes_it_anew(tmp_path: Path) -> None:
    vault = stored(tmp_path, credentials())
    plain = Fernet(keys(tmp_path)[0])
    before = plain.encrypt(dump({"version": 1, "accounts": {"main": credentials(platform="pc")}}))
    (tmp_path / "vault.bin").write_bytes(before)
    assert Vault.open(tmp_path).read("main") == credentials(platform="pc")
    vault.change("main", lambda held: replace(held, next_request_id=7))
    assert Vault.open(tmp_path).read("main") == credentials(platform="pc", next_request_id=7)
    with pytest.raises(InvalidToken):
        plain.decrypt((tmp_path / "vault.bin").read_bytes())


def test_what_is_for_one_purpose_does_not_open_for_another(tmp_path: Path) -> None:
    vault = stored(tmp_path, credentials())
    state = vault.encrypt(b"CANARY", "login", "alice")
    assert vault.decrypt(state, "login", "alice") == b"CANARY"
    assert vault.decrypt(state, "ticket", "alice") is None
    assert vault.decrypt(state, "login", "bob") is None
    assert vault.decrypt(state, "login") is None
    assert vault.decrypt((tmp_path / "vault.bin").read_bytes(), "ticket") is None
    two = vault.encrypt(b"CANARY", "ticket", "a", "bc")
    assert vault.decrypt(two, "ticket", "ab", "c") is None
