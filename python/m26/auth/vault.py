"""The vault: accounts' credentials in one encrypted file of the home, changed in whole steps."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, Self

import anyio
import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from m26 import config
from m26.auth.credentials import Credentials, dump
from m26.errors import AuthError, ConfigError, StorageError
from m26.private import UnsafeFileError, read_private, replace_private
from m26.redaction import register_secret

FILE: Final = "vault.bin"
KEY_FILE: Final = "vault.key"
_VERSION = 1
_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_POLL = 0.02


class Vault:
    """Credentials of all accounts of one home. Every process of that home may open it.

    The file is read afresh each time, so that what another process saved is seen.
    """

    def __init__(self, home: Path, settings: config.Vault) -> None:
        self._home = home
        self._path = home / FILE
        self._settings = settings
        self._cipher: MultiFernet | None = None

    @classmethod
    def open(cls, home: Path, settings: config.Vault | None = None) -> Self:
        """Open the vault of a home; nothing is written before the first update.

        Raises:
            ConfigError: the key is missing, malformed or readable by others.
            AuthError: the file is damaged, unsafe, or locked with another key.
        """
        vault = cls(home, settings or config.Vault())
        vault.accounts()
        return vault

    def accounts(self) -> tuple[str, ...]:
        """Names of the accounts, in the order they were added."""
        return tuple(self._load())

    def read(self, account: str) -> Credentials:
        """Credentials of one account.

        Raises:
            AuthError: there is no such account, or the file cannot be used.
        """
        found = self._load().get(account)
        if found is None:
            known = ", ".join(self.accounts()) or "none"
            raise AuthError(
                f"the vault has no account {account!r} (known: {known})",
                hint="Import a capture: m26 auth import FILE --account NAME",
            )
        return found

    def update(
        self, account: str, change: Callable[[Credentials | None], Credentials]
    ) -> Credentials:
        """Replace one account's credentials by `change` of them, durably, before returning.

        Args:
            account: its name; a new one is added.
            change: the present credentials (None for a new account) to the new ones.

        Raises:
            StorageError: the file could not be written; the old one is untouched.
        """
        if not _ACCOUNT.fullmatch(account):
            raise ConfigError(
                f"{account!r} is no account name",
                hint="Use letters, digits, dot, dash, underscore.",
            )
        try:
            self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked():
                accounts = self._load()
                accounts[account] = change(accounts.get(account))
                document = dump({"version": _VERSION, "accounts": accounts})
                replace_private(self._path, self._key(create=True).encrypt(document))
        except OSError as error:
            raise StorageError(
                f"cannot write {self._path}: {error.strerror}",
                hint="Free space or correct its permissions; the old vault is untouched.",
            ) from None
        return accounts[account]

    def change(self, account: str, change: Callable[[Credentials], Credentials]) -> Credentials:
        """`update` of an account that is there."""

        def apply(held: Credentials | None) -> Credentials:
            if held is None:
                raise AuthError(
                    f"account {account!r} is no longer in the vault",
                    hint="Import a capture: m26 auth import FILE",
                )
            return change(held)

        return self.update(account, apply)

    @asynccontextmanager
    async def renewing(self, account: str) -> AsyncIterator[None]:
        """Hold the renewal of one account: of all processes, one refreshes or logs in at a time."""
        descriptor = os.open(self._home / f".renew-{account}.lock", _LOCK_FLAGS, 0o600)
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    await anyio.sleep(_POLL)
            yield
        finally:
            os.close(descriptor)

    def encrypt(self, data: bytes) -> bytes:
        """Encrypt what another store keeps for us."""
        return self._key(create=True).encrypt(data)

    def decrypt(self, data: bytes) -> bytes | None:
        """What `encrypt` encrypted; None when it was made with another key or is damaged."""
        try:
            return self._key(create=False).decrypt(data)
        except InvalidToken:
            return None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self._home / ".vault.lock", _LOCK_FLAGS, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _load(self) -> dict[str, Credentials]:
        try:
            data = read_private(self._path, owners=frozenset({os.geteuid()}))
        except FileNotFoundError:
            return {}
        except UnsafeFileError as error:
            raise AuthError(
                f"vault {self._path} {error}; it was not read and not changed",
                hint=f"If it is yours: chmod 600 {self._path}. If it is lost: move it away, "
                "then import your captures again.",
            ) from None
        document = self.decrypt(data)
        if document is None:
            raise AuthError(
                f"vault {self._path} does not open with this key, or it is damaged; not changed",
                hint="Give the key it was made with (M26_VAULT__KEY, M26_VAULT__KEY_FILE), or move "
                "it away and import your captures again.",
            )
        return self._read_document(document)

    def _read_document(self, document: bytes) -> dict[str, Credentials]:
        content: dict[str, Any] = orjson.loads(document)
        if content.get("version") != _VERSION:
            raise AuthError(
                f"vault {self._path} was written by another version of m26; not changed",
                hint="Use that version, or move it away and import your captures again.",
            )
        accounts: dict[str, dict[str, Any]] = content["accounts"]
        return {name: Credentials.from_json(data) for name, data in accounts.items()}

    def _key(self, *, create: bool) -> MultiFernet:
        if self._cipher is None:
            self._cipher = self._read_key(create=create)
        return self._cipher

    def _read_key(self, *, create: bool) -> MultiFernet:
        given, file = self._settings.key, self._settings.key_file
        if given is not None:
            return _cipher(given.get_secret_value(), "M26_VAULT__KEY")
        path = file or self._home / KEY_FILE
        try:
            # A service manager hands credentials over as root.
            text = read_private(path, owners=frozenset({0, os.geteuid()}))
        except FileNotFoundError:
            if not create or file is not None or self._path.exists():
                raise ConfigError(
                    f"vault key {path} is missing",
                    hint="Put the key back, or set M26_VAULT__KEY. Without it the vault is lost: "
                    f"move {self._path} away and import your captures again.",
                ) from None
            text = Fernet.generate_key()
            replace_private(path, text)
        except UnsafeFileError as error:
            raise ConfigError(
                f"vault key {path} {error}", hint=f"Correct it; e.g. chmod 600 {path}"
            ) from None
        return _cipher(text.decode("ascii", "replace"), str(path))


_LOCK_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


def _cipher(text: str, where: str) -> MultiFernet:
    keys = [part.strip() for part in text.split(",") if part.strip()]
    for key in keys:
        register_secret(key)
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError:
        raise ConfigError(
            f"{where} is not a vault key",
            hint="A key is 32 random bytes in URL-safe base64 (Fernet); newest first, with commas.",
        ) from None
