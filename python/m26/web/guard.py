"""Who may ask: the binding, the Host header and the bearer token in, a pass or a refusal out."""

from __future__ import annotations

import errno
import hmac
import ipaddress

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from m26.config import Web
from m26.errors import ConfigError
from m26.protection import is_loopback
from m26.web.problem import HEADERS, problem
from m26.web.refusals import Refusals

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_OPEN = "/healthz"
"""Answered without a token: it says one word, and orchestrators ask it."""

_SHORTEST = 20
"""Characters of a token that other machines may try."""


def check_binding(web: Web) -> None:
    """Refuse to serve other machines without a token that nobody guesses.

    Raises:
        ConfigError: `web.host` is not a loopback address, and there is no token or a short one.
    """
    length = len(web.token.get_secret_value()) if web.token else 0
    if not is_loopback(web.host) and length < _SHORTEST:
        lack = (
            f"its token is shorter than {_SHORTEST} characters" if length else "there is no token"
        )
        raise ConfigError(
            f"M26_WEB__HOST is {web.host or 'empty'}, which other machines can reach, and {lack}",
            hint=f"Set M26_WEB__TOKEN to {_SHORTEST} random characters or more, as "
            "`openssl rand -hex 24` prints them, or M26_WEB__HOST to 127.0.0.1.",
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

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None,
        hosts: frozenset[str] | None,
        refusals: Refusals,
    ) -> None:
        self._app, self._hosts, self._refusals = app, hosts, refusals
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
            refusal = await self._refusal(scope)
            await refusal(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    answer.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)

    async def _refusal(self, scope: Scope) -> Response:
        client = scope.get("client")
        if await self._refusals.refuse(client[0] if client else ""):
            return problem(
                401,
                "Send the header `Authorization: Bearer …` with the value of M26_WEB__TOKEN.",
                headers={"www-authenticate": 'Bearer realm="m26"'},
            )
        return problem(
            429,
            "Too many requests have the wrong token; the right one is answered at once.",
            headers={"retry-after": "1", "connection": "close"},
        )

    def _knows(self, authorization: str) -> bool:
        if self._token is None:
            return True
        scheme, _, value = authorization.partition(" ")
        given = f"{scheme.lower()} {value.strip()}".encode("latin-1")  # the bytes as sent
        return hmac.compare_digest(given, self._token)


def _name(host: str) -> str:
    """The name in a Host header, without port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
