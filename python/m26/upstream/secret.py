"""Text that must never be shown: it goes in as a string and comes out through `reveal` alone."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final, NoReturn, Self

from m26.redaction import register_secret

KEY_LENGTH: Final = 4 * 1024
"""Characters of a session key at the most: it becomes part of an address."""
LENGTH: Final = 16 * 1024
"""Characters of a token and of everything else at the most."""
_ID_LENGTH = 10


class Secret:
    """A token, key or code. Its repr is ``***``; logs mask its value wherever it turns up."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text
        register_secret(text, rotates=True)

    @classmethod
    def read(cls, value: object, *, most: int = LENGTH) -> Self | None:
        """What somebody else gave, if it can be sent again; None where it cannot, or is none.

        That is 1 to `most` characters of printable ASCII: anything else could break the address,
        header or body that it becomes part of, and there is no token that needs it.
        """
        if not isinstance(value, str) or not 0 < len(value) <= most:
            return None
        return cls(value) if value.isascii() and value.isprintable() else None

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
