"""Origins: addresses in; whom secrets are for, as scheme, host and port, out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import httpx

from m26.errors import ConfigError
from m26.protection import is_loopback

LOOPBACK: Final = "loopback"
"""Origin of whatever listens on this machine: the simulator has another port each time."""
_LAST_PORT = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins:
    """The two servers that an account's credentials are for, as `origin` writes them."""

    oauth: str
    """The token service."""
    gateway: str

    @classmethod
    def of(cls, oauth_url: str, base_url: str) -> Origins:
        """Whom two base URLs ask. Raises ConfigError as `checked` does."""
        return cls(oauth=origin(checked(oauth_url)), gateway=origin(checked(base_url)))

    def __iter__(self) -> Iterator[str]:
        yield from dict.fromkeys((self.oauth, self.gateway))

    def __str__(self) -> str:
        return " and ".join(self)


def checked(url: str) -> str:
    """A base URL that secrets may go to.

    Raises:
        ConfigError: it is neither https nor a loopback http address.
    """
    if origin(url):
        return url
    shown = _url(url)
    raise ConfigError(
        f"upstream URL {f'{shown.scheme}://{shown.host}' if shown else ''!r} is not allowed: "
        "secrets would travel in the clear, or nowhere",
        hint="Use https://; plain http:// goes to loopback addresses only.",
    )


def origin(url: str) -> str:
    """Whom an address asks; empty where that is nobody, or could be anybody."""
    parts = _url(url)
    if parts is None or not parts.host or parts.scheme not in ("http", "https"):
        return ""
    if is_loopback(parts.host):
        return LOOPBACK
    return f"https://{parts.netloc.decode('ascii')}" if parts.scheme == "https" else ""


def host(url: str) -> str:
    """Host of an address, and its port where it is an odd one; for people."""
    parts = _url(url)
    return parts.netloc.decode("ascii") if parts is not None else ""


def _url(url: str) -> httpx.URL | None:
    """An address without what it asks for; None where it is none."""
    try:
        parts = httpx.URL(re.split(r"(?<![:/])[/?#]", url, maxsplit=1)[0])
        parts.host  # noqa: B018 - decodes it, or cannot
    except (httpx.InvalidURL, ValueError):  # of a name that is none
        return None
    return parts if parts.port is None or 0 < parts.port <= _LAST_PORT else None
