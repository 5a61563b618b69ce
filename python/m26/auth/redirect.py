"""The address that a login begins with out, the one that it ends at in; a code comes of it."""

from __future__ import annotations

import re
import socket
from base64 import urlsafe_b64encode
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from m26.auth.login import AGAIN, Grant, Login
from m26.auth.vault import Vault
from m26.errors import AuthError, UsageError
from m26.redaction import redact
from m26.upstream.commands import authorize_url
from m26.upstream.origin import LOOPBACK, origin
from m26.upstream.profile import Profile
from m26.upstream.secret import Secret

_STATE_LIFE = 3_600.0
"""Seconds that a person may take to log in."""
_CODE = re.compile(r"[\w.~+/=%-]{4,2048}")
_PROOF_BYTES = 32
_HTTP = 80
_PATIENCE = 1.0


def address(login: Login, *, profile: Profile, base_url: str, vault: Vault, now: float) -> str:
    """The address to open in a browser; what it ends at goes to `read_redirect`."""
    # Encrypted rather than remembered: whoever brings it back may be another process of this home.
    proof = token_urlsafe(_PROOF_BYTES) if profile.oauth.pkce else ""
    content = orjson.dumps({"at": now, "proof": proof})
    return authorize_url(
        profile,
        base_url=base_url,
        client_id=login.client_id,
        state=vault.encrypt(content, "login", login.account).decode("ascii"),
        challenge=_challenge(proof) if proof else "",
    )


def read_redirect(
    pasted: str, login: Login, *, profile: Profile, vault: Vault, now: float
) -> Grant:
    """The code of a pasted address, or of a code pasted by itself. No error shows either.

    Where the profile says that the flow takes PKCE, the address must be whole: the state in it
    holds the proof that goes with the code.

    Args:
        pasted: what the person brought back.
        login: what `address` was made for.
        profile: names the address to land on.
        vault: made the state.
        now: Unix seconds.

    Raises:
        UsageError: it is not the address that the login ends at, or of another login.
        AuthError: the login was refused, and the address says so.
    """
    text = "".join(pasted.split())  # a terminal may have wrapped it
    if not text:
        raise UsageError("no address was given", hint=_where(profile))
    if "://" not in text and "?" not in text and "=" not in text[:6]:
        if not _CODE.fullmatch(text):
            raise UsageError("this is neither an address nor a code", hint=_where(profile))
        if profile.oauth.pkce:
            raise UsageError("a code alone is not enough here", hint=_where(profile))
        return Grant(code=Secret(text))
    said = _query(text, profile)
    code = Secret(said.get("code", ""))
    if "error" in said:
        detail = ": ".join(said[key] for key in ("error", "error_description") if key in said)
        raise AuthError(f"the login was refused: {redact(detail[:1_000])[:200]}", hint=AGAIN)
    proof = None
    # A missing one is accepted, like a bare code: a person pasted it, not a foreign page.
    if "state" in said or profile.oauth.pkce:
        state = _opened(said.get("state", ""), login, vault, now)
        proof = Secret.read(state.get("proof")) if state else None
        if state is None or (profile.oauth.pkce and proof is None):
            raise UsageError(
                "this address belongs to another login: its state is not the one we gave",
                hint=AGAIN,
            )
    if not code:
        raise UsageError("this address holds no code", hint=_where(profile))
    return Grant(code=code, proof=proof)


def _query(text: str, profile: Profile) -> dict[str, str]:
    """What an address says, if it is one that a login ends at."""
    wanted = urlsplit(profile.oauth.redirect_uri)
    if "://" not in text:  # some browsers do not show it
        text = f"{wanted.scheme}://{text}" if "?" in text else f"{wanted.geturl()}?{text}"
    try:
        given = urlsplit(text)
        landed = given.scheme, given.netloc.lower(), given.path.rstrip("/")
    except ValueError:
        raise UsageError("this is no address", hint=_where(profile)) from None
    if landed != (wanted.scheme, wanted.netloc.lower(), wanted.path.rstrip("/")):
        raise UsageError(
            f"this is an address of {given.hostname or 'nowhere'}, not the one a login ends at",
            hint=_where(profile),
        )
    return {name: values[0] for name, values in parse_qs(given.query).items()}


def listener(profile: Profile) -> str | None:
    """Where on this machine something listens for the code of a login; None where nothing does.

    Nothing of m26's does: the page that a login ends at is not meant to load.
    """
    wanted = urlsplit(profile.oauth.redirect_uri)
    if origin(profile.oauth.redirect_uri) != LOOPBACK or wanted.hostname is None:
        return None
    try:
        with socket.create_connection((wanted.hostname, wanted.port or _HTTP), _PATIENCE):
            return wanted.netloc
    except OSError:
        return None


def _challenge(proof: str) -> str:
    """What is shown of a proof beforehand (RFC 7636, S256)."""
    return urlsafe_b64encode(sha256(proof.encode()).digest()).rstrip(b"=").decode()


def _opened(state: str, login: Login, vault: Vault, now: float) -> dict[str, Any] | None:
    """What we wrote into a state; None where it is of another login, or too old."""
    plain = vault.decrypt(state.encode("utf-8", "replace"), "login", login.account)
    content: dict[str, Any] = orjson.loads(plain) if plain else {}
    return content if abs(now - content.get("at", 0.0)) < _STATE_LIFE else None


def _where(profile: Profile) -> str:
    return (
        "Paste the whole address of the page you land on after the login; it begins with "
        f"{profile.oauth.redirect_uri}"
    )
