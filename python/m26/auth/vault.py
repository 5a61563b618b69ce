"""The vault: accounts' credentials in one encrypted file of the home, changed in whole steps."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, Self

import anyio
import orjson
from cryptography.fernet import InvalidToken

from m26 import config
from m26.auth.credentials import Credentials, dump
from m26.auth.keys import Keys, Purpose
from m26.errors import AuthError, ConfigError, StorageError, remedy
from m26.home.files import UnsafeFileError, read_private, replace_private
from m26.home.lock import open_lock, take, turn

FILE: Final = "vault.bin"
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
        self.keys = Keys(self._path, settings)
        """What it is encrypted with."""

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
        accounts = self._load()
        if account not in accounts:
            raise _unknown(account, accounts)
        return accounts[account]

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
        check_name(account)
        with self._writing():
            accounts = self._load()
            accounts[account] = change(accounts.get(account))
            self._save(accounts)
        return accounts[account]

    def change(self, account: str, change: Callable[[Credentials], Credentials]) -> Credentials:
        """`update` of an account that is there."""

        def apply(credentials: Credentials | None) -> Credentials:
            if credentials is None:
                raise AuthError(
                    f"account {account!r} is no longer in the vault",
                    hint="Import a capture: m26 auth import FILE",
                )
            return change(credentials)

        return self.update(account, apply)

    def forget(self, account: str | None = None) -> tuple[str, ...]:
        """Delete an account, or all of them; who was deleted.

        Raises:
            AuthError: there is no such account.
            StorageError: the file could not be written; the old one is untouched.
        """
        with self._writing():
            accounts = self._load()
            if account is not None and account not in accounts:
                raise _unknown(account, accounts)
            gone = tuple(accounts) if account is None else (account,)
            if gone:
                self._save(
                    {
                        name: credentials
                        for name, credentials in accounts.items()
                        if name not in gone
                    }
                )
        return gone

    def rekey(self) -> Iterator[str]:
        """Encrypt everything with a new key, one durable step at each `next`, telling what it did.

        Between any two steps a vault is left that opens. Where the key cannot be replaced by us
        (see `Keys.is_replaceable`) it is one step: encrypt with the newest of the keys given.

        Raises:
            StorageError: a file could not be written; the vault still opens.
        """
        with self._writing():
            accounts = self._load()
            if not self.keys.is_replaceable:
                self._save(accounts)
                yield f"the vault is encrypted with the first key of {self.keys.origin}"
                return
            self.keys.add()
            yield f"{self.keys.origin} holds a new key before the old one"
            self._save(accounts)
            yield "the vault is encrypted with the new key"
            self.keys.drop_old()
            yield f"{self.keys.origin} holds the new key alone"

    def stamp(self) -> tuple[int, int, int] | None:
        """Another value after each change of the file, for one system call; None without a file."""
        try:
            facts = self._path.stat()
        except OSError:
            return None
        return facts.st_ino, facts.st_ctime_ns, facts.st_size

    @asynccontextmanager
    async def renewing(self, account: str) -> AsyncIterator[None]:
        """Hold the renewal of one account: of all processes, one refreshes or logs in at a time."""
        check_name(account)
        async with self._turn(f".renew-{account}.lock"):
            yield

    @asynccontextmanager
    async def rebuilding(self, on_wait: Callable[[], None]) -> AsyncIterator[None]:
        """Hold the rebuild of the pool: one at a time; `on_wait` is told when another one is on."""
        async with self._turn(".rebuild.lock", on_wait):
            yield

    def encrypt(self, data: bytes, purpose: Purpose, *about: str) -> bytes:
        """Encrypt what another store keeps for us, or what comes back to us through others.

        Args:
            data: what nobody else may read.
            purpose: what it is.
            about: what else it belongs to, e.g. an account: it opens for the same alone.
        """
        try:
            return self.keys.cipher(purpose, *about).encrypt(data)
        except ConfigError:
            with self._writing():  # before the first account there is no key yet
                return self.keys.cipher(purpose, *about, create=True).encrypt(data)

    def decrypt(self, data: bytes, purpose: Purpose, *about: str) -> bytes | None:
        """What `encrypt` encrypted for the same; None when it is of another key, or damaged."""
        try:
            return self.keys.cipher(purpose, *about).decrypt(data)
        except InvalidToken:
            return None

    @asynccontextmanager
    async def _turn(
        self, name: str, on_wait: Callable[[], None] | None = None
    ) -> AsyncIterator[None]:
        try:
            self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = open_lock(self._home / name)
        except OSError as error:
            raise self._cannot_write(error) from None
        try:
            while not take(descriptor):
                if on_wait is not None:
                    on_wait()
                    on_wait = None
                await anyio.sleep(_POLL)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
            with turn(self._home / ".vault.lock"):
                yield
        except OSError as error:
            raise self._cannot_write(error) from None

    def _cannot_write(self, error: OSError) -> StorageError:
        return StorageError(
            f"cannot write {self._path}: {error.strerror}",
            hint=f"{remedy(str(error))} The old vault is untouched.",
        )

    def _save(self, accounts: Mapping[str, Credentials]) -> None:
        document = dump({"version": _VERSION, "accounts": accounts})
        replace_private(self._path, self.keys.cipher("vault", create=True).encrypt(document))

    def _load(self) -> dict[str, Credentials]:
        document = self._document()
        if document is None:
            self.keys.reread()  # the key may have been changed since, or between our two looks
            document = self._document()
        if document is None:
            raise AuthError(
                f"vault {self._path} does not open with this key, or it is damaged; not changed",
                hint="Give the key it was made with (M26_VAULT__KEY, M26_VAULT__KEY_FILE), or move "
                "it away and import your captures again.",
            )
        try:
            return _accounts(orjson.loads(document))
        except (AttributeError, LookupError, TypeError, ValueError):
            raise AuthError(
                f"vault {self._path} was written by another version of m26; not changed",
                hint="Use that version, or move it away and import your captures again.",
            ) from None

    def _document(self) -> bytes | None:
        """The file's content; None when this key does not open it."""
        try:
            data = read_private(self._path, owners=frozenset({os.geteuid()}))
        except FileNotFoundError:
            return dump({"version": _VERSION, "accounts": {}})
        except UnsafeFileError as error:
            raise AuthError(
                f"vault {self._path} {error}; it was not read and not changed",
                hint="It has to be a regular file of your own that nobody else can read: "
                f"chmod 600 {self._path}, or put a backup in its place. If it is lost: move it "
                "away, then import your captures again.",
            ) from None
        document = self.decrypt(data, "vault")
        if document is None:
            with contextlib.suppress(InvalidToken):  # the next change writes it anew
                document = self.keys.of_before().decrypt(data)
        return document


def _accounts(content: dict[str, Any]) -> dict[str, Credentials]:
    """The accounts of a vault's document. Raises what comes of one that has another form."""
    if content.get("version") != _VERSION:
        raise ValueError("another version")
    return {name: Credentials.from_json(data) for name, data in content["accounts"].items()}


def check_name(account: str) -> None:
    """Refuse what is no account name: it becomes a part of file names.

    Raises:
        ConfigError: it is none.
    """
    if not _ACCOUNT.fullmatch(account):
        raise ConfigError(
            f"{account!r} is no account name",
            hint="Use letters, digits, dot, dash, underscore.",
        )


def _unknown(account: str, accounts: Mapping[str, Credentials]) -> AuthError:
    known = ", ".join(accounts) or "none"
    return AuthError(
        f"the vault has no account {account!r} (known: {known})",
        hint="Import a capture: m26 auth import FILE --account NAME",
    )
