"""The vault's key: settings and a file in, a cipher for each purpose out; it can be replaced."""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Final, Literal

import orjson
from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from m26 import config
from m26.errors import ConfigError
from m26.home.files import UnsafeFileError, read_private, replace_private
from m26.redaction import register_secret
from m26.upstream.secret import Secret

KEY_FILE: Final = "vault.key"
_VARIABLE = "M26_VAULT__KEY"
Purpose = Literal["vault", "ticket", "login"]
"""What is encrypted: the vault's file, a session that Redis keeps, the state of a login."""


class Keys:
    """Fernet keys of one vault, newest first: all of them decrypt, the first one encrypts.

    Args:
        vault: the file they open; while there is none, a key file of ours may be made.
        settings: where they come from.
    """

    def __init__(self, vault: Path, settings: config.Vault) -> None:
        self._vault = vault
        self._given, self._file = settings.key, settings.key_file
        self._path = self._file or vault.with_name(KEY_FILE)
        self._keys: list[Secret] | None = None

    @property
    def origin(self) -> str:
        """The variable or the file they come from."""
        return _VARIABLE if self._given is not None else str(self._path)

    @property
    def is_replaceable(self) -> bool:
        """Whether m26 itself can put another key there: not into a setting or a credential."""
        if self._given is not None or _is_credential(self._path):
            return False
        try:
            is_ours = self._path.lstat().st_uid == os.geteuid()
        except OSError:
            return False
        return is_ours and os.access(self._path.parent, os.W_OK)

    def cipher(self, purpose: Purpose, *about: str, create: bool = False) -> MultiFernet:
        """Encrypts and decrypts for one purpose; the keys are read once, then kept until `reread`.

        Its keys are derived from ours (HKDF), so that what was encrypted for another purpose or
        about something else does not open.

        Args:
            purpose: what it is.
            about: what else it belongs to, e.g. an account.
            create: make a key where there is none and nothing was encrypted yet. The caller
                holds the vault's lock.

        Raises:
            ConfigError: the key is missing, malformed or readable by others.
        """
        keys = self._kept(create=create)
        return MultiFernet([Fernet(_derived(key, purpose, *about)) for key in keys])

    def of_before(self) -> MultiFernet:
        """Decrypts a vault of before keys were derived; errors as in `cipher`."""
        return MultiFernet([Fernet(key) for key in self._kept()])

    def reread(self) -> None:
        """Forget what was read: another process may have changed the key."""
        self._keys = None

    def read(self, *, create: bool = False) -> list[str]:
        """The keys themselves, newest first; arguments and errors as in `cipher`."""
        if self._given is not None:
            return _parsed(self._given.get_secret_value(), _VARIABLE)
        path = self._path
        try:
            # A service manager hands credentials over as root.
            owners = frozenset({0, os.geteuid()})
            text = read_private(path, owners=owners, is_credential=_is_credential(path))
        except FileNotFoundError:
            if not create or self._file is not None or self._vault.exists():
                raise ConfigError(
                    f"vault key {path} is missing",
                    hint=f"Put the key back, or set {_VARIABLE}. Without it the vault is lost: "
                    f"move {self._vault} away and import your captures again.",
                ) from None
            text = Fernet.generate_key()
            replace_private(path, text)
        except UnsafeFileError as error:
            raise ConfigError(
                f"vault key {path} {error}", hint=f"Correct it; e.g. chmod 600 {path}"
            ) from None
        return _parsed(text.decode("ascii", "replace"), str(path))

    def add(self) -> None:
        """Put a new key before the others of the file. The caller holds the vault's lock.

        Raises:
            OSError: the file could not be written; it is as it was.
        """
        self._write([Fernet.generate_key().decode(), *self.read()])

    def drop_old(self) -> None:
        """Leave only the newest key in the file. The caller holds the vault's lock.

        Raises:
            OSError: the file could not be written; it is as it was.
        """
        self._write(self.read()[:1])

    def _write(self, keys: list[str]) -> None:
        replace_private(self._path, ",".join(keys).encode())
        self.reread()

    def _kept(self, *, create: bool = False) -> list[str]:
        if self._keys is None:
            self._keys = [Secret(key) for key in self.read(create=create)]
        return [key.reveal() for key in self._keys]


def new_key() -> str:
    """A key for the operator to put where m26 cannot."""
    return Fernet.generate_key().decode()


def _derived(key: str, *info: str) -> bytes:
    """A Fernet key by HKDF (RFC 5869), whose info is a list: no two lists are written alike."""
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=orjson.dumps(["m26", *info]))
    return urlsafe_b64encode(hkdf.derive(urlsafe_b64decode(key)))


def _is_credential(path: Path) -> bool:
    folder = config.credentials_folder()
    return folder is not None and path.absolute().parent == folder.absolute()


def _parsed(text: str, where: str) -> list[str]:
    keys = [part.strip() for part in text.split(",") if part.strip()]
    for key in keys:
        register_secret(key)
    try:
        MultiFernet([Fernet(key) for key in keys])
    except ValueError:
        raise ConfigError(
            f"{where} is not a vault key",
            hint="A key is 32 random bytes in URL-safe base64 (Fernet); newest first, with commas.",
        ) from None
    return keys
