from __future__ import annotations

import copy
import os
import pickle
import stat
import threading
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from tests.support.gateway import bundle, credentials, stored, tokens

from m26 import config
from m26.auth.credentials import Credentials
from m26.auth.vault import Vault
from m26.errors import AuthError, ConfigError, StorageError
from m26.redaction import redact
from m26.upstream.secret import Secret


def test_credentials_come_back_as_they_went_in(tmp_path: Path) -> None:
    held = credentials(bundles=(bundle(1), bundle(2, blaze_id=7, failures=3)))
    stored(tmp_path, held)
    assert Vault.open(tmp_path).read("main") == held
    bare = Credentials(platform="pc")
    Vault.open(tmp_path).update("pc", lambda _: bare)
    assert Vault.open(tmp_path).accounts() == ("main", "pc")
    assert Vault.open(tmp_path).read("pc") == bare


def test_nothing_is_written_before_the_first_update(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert Vault.open(home).accounts() == ()
    assert not home.exists()


def test_vault_and_key_are_private_and_hold_nothing_readable(tmp_path: Path) -> None:
    stored(tmp_path, credentials())
    for name in ("vault.bin", "vault.key"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert b"CANARY" not in (tmp_path / "vault.bin").read_bytes()
    assert not list(tmp_path.glob(".*.new"))


def test_an_unknown_account_is_told_with_the_known_ones(tmp_path: Path) -> None:
    vault = stored(tmp_path, credentials())
    with pytest.raises(AuthError, match="known: main"):
        vault.read("other")
    with pytest.raises(AuthError, match="no longer"):
        vault.change("other", lambda held: held)
    with pytest.raises(ConfigError, match="no account name"):
        vault.update("../x", lambda _: credentials())


def mode_0644(vault: Path) -> None:
    vault.chmod(0o644)


def group_readable(vault: Path) -> None:
    vault.chmod(0o640)


def empty(vault: Path) -> None:
    vault.write_bytes(b"")


def cut(vault: Path) -> None:
    vault.write_bytes(vault.read_bytes()[:-10])


def flipped(vault: Path) -> None:
    data = bytearray(vault.read_bytes())
    data[len(data) // 2] ^= 1
    vault.write_bytes(data)


def symlink(vault: Path) -> None:
    target = vault.with_name("elsewhere")
    vault.rename(target)
    vault.symlink_to(target)


def fifo(vault: Path) -> None:
    vault.unlink()
    os.mkfifo(vault, 0o600)


def folder(vault: Path) -> None:
    vault.unlink()
    vault.mkdir(mode=0o700)


def other_key(vault: Path) -> None:
    vault.with_name("vault.key").write_bytes(Fernet.generate_key())


def no_key(vault: Path) -> None:
    vault.with_name("vault.key").unlink()


def open_key(vault: Path) -> None:
    vault.with_name("vault.key").chmod(0o644)


def empty_key(vault: Path) -> None:
    vault.with_name("vault.key").write_bytes(b"\n")


def nonsense_key(vault: Path) -> None:
    vault.with_name("vault.key").write_bytes(b"CANARY-no-key")


def foreign_vault(vault: Path) -> None:
    os.chown(vault, 12_345, -1)


DAMAGES = [mode_0644, group_readable, empty, cut, flipped, symlink, fifo, folder, other_key]
DAMAGES += [no_key, open_key, empty_key, nonsense_key]
DAMAGES += [foreign_vault] if os.geteuid() == 0 else []


def snapshot(home: Path) -> dict[str, tuple[int, bytes | None]]:
    return {
        path.name: (path.lstat().st_mode, path.read_bytes() if path.is_file() else None)
        for path in home.iterdir()
        if not path.name.endswith(".lock")
    }


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_vault_that_is_not_as_it_should_be_is_refused_and_left_alone(
    tmp_path: Path, damage: object
) -> None:
    stored(tmp_path, credentials())
    damage(tmp_path / "vault.bin")  # type: ignore[operator]
    before = snapshot(tmp_path)
    with pytest.raises((AuthError, ConfigError)) as opened:
        Vault.open(tmp_path)
    with pytest.raises((AuthError, ConfigError)):
        Vault(tmp_path, config.Vault()).update("main", lambda _: credentials())
    assert snapshot(tmp_path) == before
    assert opened.value.hint
    assert opened.value.exit_code in (3, 4)
    assert "CANARY" not in str(opened.value) + opened.value.hint


def test_a_key_from_the_environment_needs_no_file_and_rotates(tmp_path: Path) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))

    def opened(keys: str) -> Vault:
        return Vault.open(tmp_path, config.Vault(key=SecretStr(keys)))

    opened(old).update("main", lambda _: credentials())
    assert not (tmp_path / "vault.key").exists()
    assert opened(f"{new},{old}").read("main") == credentials()
    opened(f"{new}, {old}").update("main", lambda held: held or credentials())
    assert opened(new).read("main") == credentials()
    with pytest.raises(AuthError, match="does not open with this key"):
        opened(old)
    assert redact(f"key {new}") == "key ***"


def test_a_key_file_named_by_the_operator_is_never_made_up(tmp_path: Path) -> None:
    vault = Vault.open(tmp_path, config.Vault(key_file=tmp_path / "absent"))
    with pytest.raises(ConfigError, match="absent is missing"):
        vault.update("main", lambda _: credentials())
    assert not (tmp_path / "absent").exists()


def test_a_write_that_fails_leaves_the_old_vault(tmp_path: Path) -> None:
    vault = stored(tmp_path, credentials())
    before = (tmp_path / "vault.bin").read_bytes()
    (tmp_path / ".vault.bin.new").mkdir()  # in the way of the temporary file
    with pytest.raises(StorageError, match="cannot write"):
        vault.update("main", lambda _: credentials(platform="pc"))
    assert (tmp_path / "vault.bin").read_bytes() == before


def test_what_a_killed_writer_left_is_no_hindrance(tmp_path: Path) -> None:
    vault = stored(tmp_path, credentials())
    (tmp_path / ".vault.bin.new").write_bytes(b"half")
    vault.update("main", lambda _: credentials(next_request_id=77))
    assert vault.read("main").next_request_id == 77
    assert not (tmp_path / ".vault.bin.new").exists()


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    stored(tmp_path, credentials())

    def count() -> None:
        vault = Vault.open(tmp_path)
        for _ in range(25):
            vault.change(
                "main", lambda held: replace(held, next_request_id=held.next_request_id + 1)
            )

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Vault.open(tmp_path).read("main").next_request_id == 101


def test_secrets_are_masked_in_logs_once_they_were_loaded(tmp_path: Path) -> None:
    stored(tmp_path, credentials(tokens=tokens(41)))
    assert redact("got CANARY-ACCESS-41 and CANARY-REFRESH-41") == "got *** and ***"
    assert redact("POST /x/CANARY%2FSESSION%2B1%3D%24%2A/y") == "POST /x/***/y"
    assert "CANARY" not in repr(Vault.open(tmp_path).read("main"))


def test_what_another_key_encrypted_is_nothing_to_us(tmp_path: Path) -> None:
    mine, other = (stored(tmp_path / name, credentials()) for name in ("a", "b"))
    data = mine.encrypt(b"CANARY", "ticket")
    assert mine.decrypt(data, "ticket") == b"CANARY"
    assert other.decrypt(data, "ticket") is None
    assert mine.decrypt(b"damaged", "ticket") is None


@pytest.mark.anyio
async def test_one_renewal_of_an_account_at_a_time_over_all_processes(tmp_path: Path) -> None:
    stored(tmp_path, credentials())
    inside = most = 0

    async def renew(account: str) -> None:
        nonlocal inside, most
        async with Vault.open(tmp_path).renewing(account):
            inside += 1
            most = max(most, inside)
            await anyio.sleep(0.02)
            inside -= 1

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(renew, "main")
    assert most == 1


def test_a_secret_is_shown_nowhere_and_never_pickled() -> None:
    secret = Secret("CANARY-SECRET-TEXT")
    assert f"{secret} {secret!r} {[secret]}" == "*** *** [***]"
    assert "CANARY" not in secret.id
    assert secret == Secret("CANARY-SECRET-TEXT")
    assert secret != Secret("CANARY-OTHER-TEXT")
    assert secret != "CANARY-SECRET-TEXT"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.deepcopy(secret)
