"""Text that must never be shown: it goes in as a string and comes out through `reveal` alone."""

from __future__ import annotations

import hashlib
import hmac
from typing import NoReturn

from m26.redaction import register_secret

_ID_LENGTH = 10


class Secret:
    """A token, key or code. Its repr is ``***``; logs mask its value wherever it turns up."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text
        register_secret(text, rotates=True)

    def reveal(self) -> str:
        """The text itself, for the wire or the vault."""
        return self._text

    @property
    def id(self) -> str:
        """A short hash that names this secret in logs without telling it."""
        return hashlib.sha256(self._text.encode()).hexdigest()[:_ID_LENGTH]

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "***"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled or copied; the vault alone writes it down")
