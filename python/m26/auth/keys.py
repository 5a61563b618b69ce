"""The vault's key: settings and a file in, the cipher out; the file can be given a new key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, MultiFernet

from m26 import config
from m26.errors import ConfigError
from m26.home.files import UnsafeFileError, read_private, replace_private
from m26.redaction import register_secret

KEY_FILE: Final = "vault.key"
_VARIABLE = "M26_VAULT__KEY"


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
        self._cipher: MultiFernet | None = None

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

    def cipher(self, *, create: bool = False) -> MultiFernet:
        """Encrypts and decrypts; read once, then kept until `reread`.

        Args:
            create: make a key where there is none and nothing was encrypted yet. The caller
                holds the vault's lock.

        Raises:
            ConfigError: the key is missing, malformed or readable by others.
        """
        if self._cipher is None:
            keys = self.read(create=create)
            self._cipher = MultiFernet([Fernet(key) for key in keys])
        return self._cipher

    def reread(self) -> None:
        """Forget what was read: another process may have changed the key."""
        self._cipher = None

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


def new_key() -> str:
    """A key for the operator to put where m26 cannot."""
    return Fernet.generate_key().decode()


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
