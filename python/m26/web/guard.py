"""Who may ask: the binding, the Host header and the bearer token in, a pass or a refusal out."""

from __future__ import annotations

import errno
import hmac
import ipaddress

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from m26.config import Web
from m26.errors import ConfigError
from m26.web.problem import HEADERS, problem

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_OPEN = "/healthz"
"""Answered without a token: it says one word, and orchestrators ask it."""


def check_binding(web: Web) -> None:
    """Refuse to serve other machines without a token.

    Raises:
        ConfigError: `web.host` is not a loopback address and there is no token.
    """
    if not _is_loopback(web.host) and web.token is None:
        raise ConfigError(
            f"M26_WEB__HOST is {web.host or 'empty'}, which other machines can reach, "
            "and there is no token",
            hint="Set M26_WEB__TOKEN to a long random text, or M26_WEB__HOST to 127.0.0.1.",
        )


def unbound(error: OSError) -> str:
    """What to do about an address that cannot be listened on."""
    if error.errno == errno.EADDRINUSE:
        return "Set M26_WEB__PORT to a free port (0 takes any)."
    if error.errno == errno.EACCES:
        return "Set M26_WEB__PORT to a port above 1023 (0 takes any free one)."
    return "Set M26_WEB__HOST to an address of this machine, e.g. 127.0.0.1."


def allowed_hosts(web: Web) -> frozenset[str] | None:
    """Names that a Host header may bear.

    A page of a foreign site can make a browser send requests here under the foreign name (DNS
    rebinding), so unknown names are refused. None, all names, where the server listens on all
    addresses: it cannot know its names, and the token that it then needs keeps such pages out.
    """
    try:
        if ipaddress.ip_address(web.host).is_unspecified:
            return None
    except ValueError:
        if not web.host:
            return None
    return _LOOPBACK_NAMES | {web.host.lower().strip("[]")}


class Guard:
    """ASGI middleware: checks each HTTP request, and puts the security headers on each answer."""

    def __init__(self, app: ASGIApp, *, token: str | None, hosts: frozenset[str] | None) -> None:
        self._app, self._hosts = app, hosts
        self._token = None if token is None else f"bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a refusal here, or let the application answer."""
        if scope["type"] != "http":  # lifespan; websockets are switched off in the server
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if self._hosts is not None and _name(headers.get("host", "")) not in self._hosts:
            refusal = problem(
                421, "This name is not one of mine; use 127.0.0.1 or the name in M26_WEB__HOST."
            )
            await refusal(scope, receive, send)
            return
        if scope["path"] != _OPEN and not self._knows(headers.get("authorization", "")):
            refusal = problem(
                401,
                "Send the header `Authorization: Bearer …` with the value of M26_WEB__TOKEN.",
                headers={"www-authenticate": 'Bearer realm="m26"'},
            )
            await refusal(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    answer.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _knows(self, authorization: str) -> bool:
        if self._token is None:
            return True
        scheme, _, value = authorization.partition(" ")
        given = f"{scheme.lower()} {value.strip()}".encode("latin-1")  # the bytes as sent
        return hmac.compare_digest(given, self._token)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _name(host: str) -> str:
    """The name in a Host header, without port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
