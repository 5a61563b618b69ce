"""Message signing: a profile's constants and a request number in, authCode and authData out."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field

import orjson

from m26.errors import ConfigError
from m26.upstream.profile import Signing

_NONCE_BYTES = 4


@dataclass(frozen=True, slots=True)
class MessageAuth:
    """``messageAuthData`` of one Process request, signed by us or taken from a captured one."""

    code: str = field(repr=False)
    data: str = field(repr=False)
    type: int


def can_sign(signing: Signing) -> bool:
    """Whether the profile has all three constants; without them only captured bundles work."""
    return bool(signing.static_data and signing.key and signing.code_secret)


def sign(
    signing: Signing, *, request_id: int, blaze_id: int, nonce: bytes | None = None
) -> MessageAuth:
    """Sign one request.

    Args:
        signing: the profile's constants, all three present.
        request_id: number of this request, never used before by this account.
        blaze_id: the persona's id from the login reply.
        nonce: 4 bytes; random when not given.

    Raises:
        ConfigError: ``key`` or ``code_secret`` is not hexadecimal.
    """
    nonce = secrets.token_bytes(_NONCE_BYTES) if nonce is None else nonce
    payload = orjson.dumps(
        {"staticData": signing.static_data, "requestId": request_id, "blazeId": blaze_id}
    )
    pad = _md5(nonce + _constant(signing.key, "key"))
    data = nonce + bytes(byte ^ pad[i % len(pad)] for i, byte in enumerate(payload))
    code = _md5(_constant(signing.code_secret, "code_secret") + data)
    return MessageAuth(_base64(code), _base64(data), signing.auth_type)


def _constant(text: str, name: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ConfigError(
            f"signing.{name} of the profile is not hexadecimal",
            hint="Write its bytes as pairs of hex digits in profile.toml.",
        ) from None


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()  # the upstream's choice, not ours


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
