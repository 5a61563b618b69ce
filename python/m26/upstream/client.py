"""The HTTP client of one account: prepared calls in, whole replies or a transport error out."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Final, Self

import anyio
import httpx
import structlog
from anyio.to_thread import run_sync

from m26.clock import Clock
from m26.servertime import ServerTime
from m26.upstream import commands
from m26.upstream.connection import Connection
from m26.upstream.origin import Origins, checked
from m26.upstream.profile import Command, Profile, Wal
from m26.upstream.replies import Reply
from m26.upstream.secret import Secret
from m26.upstream.signing import MessageAuth
from m26.upstream.transfer import broken, http_date, read_body, retry_after, unsendable
from m26.upstream.verdicts import BrokenTransferError

DEADLINE: Final = 20.0
"""Seconds from connecting to the last byte; a drip cannot stretch it."""

_LONGEST_COOKIE, _MOST_COOKIES = 4 * 1024, 50
_LEGACY_SERVER_CONNECT = getattr(ssl, "OP_LEGACY_SERVER_CONNECT", 0x4)  # named since Python 3.12

_log = structlog.get_logger(__name__)


class GatewayClient:
    """Speaks to the token service and the gateway for one account, over one connection each.

    Calls are made one after the other: a reply has arrived whole before the next request leaves.
    Redirects are not followed and proxy settings of the environment are not read.

    Args:
        profile: endpoints and headers.
        platform: decides product and blaze id.
        oauth_url: base URL of the token service in place of the profile's.
        base_url: base URL of the gateway in place of the profile's.
        transport: carries both kinds of calls in place of the network.
        deadline: seconds for a whole exchange.
        clock: Unix seconds; stamps replies.
        server: what is known of the gateway's clock, told of each answer to a login; None: nothing.

    Raises:
        ConfigError: a base URL that is neither https nor a loopback http address.
    """

    def __init__(
        self,
        *,
        profile: Profile,
        platform: str,
        oauth_url: str | None = None,
        base_url: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        deadline: float = DEADLINE,
        clock: Callable[[], float] = time.time,
        server: ServerTime | None = None,
    ) -> None:
        self._clock = clock
        self._profile = profile
        self._platform = platform
        self._deadline = deadline
        self._one_at_a_time = anyio.Lock()
        self.server = server or ServerTime(Clock(time=clock))
        """By which requests are stamped."""
        wal = checked(base_url or profile.wal.base_url)
        oauth = checked(oauth_url or profile.oauth.base_url)
        self.origins = Origins.of(oauth, wal)
        """Whom it asks."""
        self._wal = _http(
            wal,
            transport or _gateway_connection(profile.wal),
            cookies=profile.wal.cookies,
        )
        self._oauth = _http(
            oauth,
            transport or Connection(tls_context(legacy=False)),
            cookies=profile.oauth.cookies,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self._wal.aclose()
            await self._oauth.aclose()

    async def token(self, form: Mapping[str, str]) -> Reply:
        """Ask the token service. The reply holds secrets.

        Raises:
            TransportError: no whole reply came.
        """
        with _building("token"):
            request = self._oauth.build_request(
                "POST",
                commands.TOKEN_PATH,
                data=dict(form),
                headers={"Accept": "application/json", **self._always()},
            )
        return await self._send(self._oauth, request, "token")

    async def login(self, access_token: Secret) -> Reply:
        """Ask for a session. The reply holds secrets.

        Raises:
            TransportError: no whole reply came.
        """
        with _building("login"):
            body = commands.login_body(self._profile, self._platform, access_token)
        reply = await self._gateway(commands.LOGIN_PATH, body, "login")
        # In a thread: it waits for an append that is under way.
        await run_sync(self.server.heard, reply.date, reply.fetched_at)
        return reply

    async def process(
        self,
        *,
        session_key: Secret,
        command: Command,
        payload: str,
        signature: MessageAuth,
        device_id: Secret,
        server_time: float,
        params: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one command.

        Args:
            session_key: of the login.
            command: what is asked.
            payload: its arguments as JSON text.
            signature: proof that the message is ours.
            device_id: the device that the signature belongs to.
            server_time: the server's clock, Unix seconds.
            params: URL parameters, e.g. of paging.

        Raises:
            TransportError: no whole reply came.
        """
        with _building(command.name):
            body = commands.process_body(
                command, payload, signature=signature, device_id=device_id, server_time=server_time
            )
            path = commands.process_path(session_key)
        return await self._gateway(path, body, command.name, params=params)

    async def _gateway(
        self, path: str, body: bytes, call: str, *, params: Mapping[str, str] | None = None
    ) -> Reply:
        with _building(call):
            headers = commands.gateway_headers(self._profile, self._platform) | self._always()
            url = self._wal.base_url.copy_with(raw_path=_raw_path(self._wal.base_url, path, params))
            request = self._wal.build_request("POST", url, content=body, headers=headers)
        return await self._send(self._wal, request, call)

    def _always(self) -> dict[str, str]:
        return {"User-Agent": self._profile.wal.user_agent, "Accept-Encoding": "gzip"}

    async def _send(self, http: httpx.AsyncClient, request: httpx.Request, call: str) -> Reply:
        async with self._one_at_a_time:
            started = time.perf_counter()
            try:
                with anyio.fail_after(self._deadline):
                    response = await http.send(request, stream=True)
                    try:
                        body = await read_body(response)
                    finally:
                        await response.aclose()
            except TimeoutError:
                raise BrokenTransferError(
                    f"{call}: no whole reply within {self._deadline:g} s", reason="too_slow"
                ) from None
            except httpx.HTTPError as error:
                raise broken(error, call) from None  # its text or request may hold the URL
            seconds = time.perf_counter() - started
        now = self._clock()
        date = http_date(response.headers.get("date"))
        reply = Reply(
            status=response.status_code,
            content_type=response.headers.get("content-type", ""),
            body=body,
            fetched_at=int(now * 1e6),
            seconds=seconds,
            date=0 if date is None else int(date * 1e6),
            # A date there is one of the server's clock.
            retry_after=retry_after(
                response.headers.get("retry-after"), now if date is None else date
            ),
        )
        _log.debug(
            "gateway.reply",
            call=call,
            status=reply.status,
            size=len(body),
            seconds=round(seconds, 3),
        )
        return reply


class _Cookies(CookieJar):
    """What a server asks us to send back, within the limits of RFC 6265, section 6.1."""

    def set_cookie(self, cookie: Cookie) -> None:
        fits = Secret.read(f"{cookie.name}={cookie.value}", most=_LONGEST_COOKIE) is not None
        known = {each.name for each in self}
        if fits and (cookie.name in known or len(known) < _MOST_COOKIES):
            super().set_cookie(cookie)


@cache
def tls_context(*, legacy: bool) -> ssl.SSLContext:
    """Verifies certificates, always; `legacy` admits servers without secure renegotiation.

    All connections share one of each kind: reading the authorities' certificates takes 30 ms.
    """
    context = httpx.create_ssl_context(trust_env=False)
    context.set_alpn_protocols(["http/1.1"])
    if legacy:
        context.options |= _LEGACY_SERVER_CONNECT
    return context


def _gateway_connection(wal: Wal) -> Connection:
    legacy = tls_context(legacy=True) if wal.legacy_tls else None
    return Connection(tls_context(legacy=False), legacy=legacy)


def _http(
    base_url: str, transport: httpx.AsyncBaseTransport, *, cookies: bool
) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=base_url,
        transport=transport,
        cookies=_Cookies(DefaultCookiePolicy(allowed_domains=None if cookies else ())),
        timeout=None,  # noqa: S113 - `_send` holds one deadline over the whole exchange
        follow_redirects=False,
        trust_env=False,
    )


@contextmanager
def _building(call: str) -> Iterator[None]:
    """What cannot be built is a failed call, never the end: it comes of what others gave us."""
    try:
        yield
    except (httpx.InvalidURL, TypeError, ValueError) as error:  # its text may hold the URL
        raise unsendable(error, call) from None


def _raw_path(base: httpx.URL, path: str, params: Mapping[str, str] | None) -> bytes:
    """The path as it is: httpx would decode and encode the session key in its own way."""
    query = f"?{httpx.QueryParams(dict(params))}" if params else ""
    return base.raw_path.rstrip(b"/") + path.encode("ascii") + query.encode("ascii")
