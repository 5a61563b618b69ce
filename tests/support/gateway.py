"""A scripted upstream for tests of the client: it answers in order and notes what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import orjson

from m26.auth.credentials import Bundle, Credentials, Ticket, Tokens
from m26.auth.entry import Entry
from m26.auth.session import Session
from m26.auth.vault import Vault
from m26.servertime import ServerTime
from m26.upstream.client import GatewayClient
from m26.upstream.profile import Profile
from m26.upstream.rules import RULES
from m26.upstream.secret import Secret

NOW = 1_790_000_000.0
PAYLOAD = '{"filters":[],"itemName":""}'
Answer = httpx.Response | Exception | Callable[[], httpx.Response]


def token_answer(n: int = 2, **changes: Any) -> httpx.Response:
    document = {
        "access_token": f"CANARY-ACCESS-{n}",
        "refresh_token": f"CANARY-REFRESH-{n}",
        "expires_in": 14_400,
        "token_type": "Bearer",
    }
    return httpx.Response(200, json={k: v for k, v in (document | changes).items() if v})


def login_answer(n: int = 2, **changes: Any) -> httpx.Response:
    info = {"sessionKey": f"CANARY/SESSION+{n}=$*", "blazeId": 1_000_000_777} | changes
    return httpx.Response(200, json={"userLoginInfo": info, "isAnonymous": False})


def blaze_error(name: str, number: int = 1) -> httpx.Response:
    error = {"component": 1, "errorcode": number, "errorname": name}
    return httpx.Response(200, json={"error": error})


@dataclass
class Upstream:
    """Answers each kind of call with the next of its list; the last one is repeated."""

    token: list[Answer] = field(default_factory=lambda: [token_answer()])
    login: list[Answer] = field(default_factory=lambda: [login_answer()])
    process: list[Answer] = field(default_factory=lambda: [httpx.Response(200, json={"ok": 1})])
    asked: list[tuple[str, httpx.Request]] = field(default_factory=list)
    hook: Callable[[str], object] = lambda _: None
    """Called, and awaited when it is a coroutine, before a request is answered."""

    def calls(self) -> list[str]:
        return [kind for kind, _ in self.asked]

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._handle)

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode()
        kind = "token" if "connect/token" in path else "login" if "login" in path else "process"
        await request.aread()
        self.asked.append((kind, request))
        waiting = self.hook(kind)
        if isinstance(waiting, Coroutine):
            await waiting
        answers: list[Answer] = getattr(self, kind)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        answer = answer() if callable(answer) else answer
        stream = httpx.ByteStream(answer.content)  # to be read as from a wire
        return httpx.Response(answer.status_code, headers=answer.headers, stream=stream)


def form(request: httpx.Request) -> dict[str, str]:
    return dict(parse_qsl(request.content.decode()))


def info(request: httpx.Request) -> dict[str, Any]:
    """The requestInfo of a Process request, opened."""
    return orjson.loads(orjson.loads(request.content)["requestInfo"])


def tokens(n: int = 1, *, left: float = 14_400, at: float = NOW) -> Tokens:
    return Tokens(
        access=Secret(f"CANARY-ACCESS-{n}"),
        refresh=Secret(f"CANARY-REFRESH-{n}"),
        expires_at=at + left,
        obtained_at=at,
    )


def ticket(n: int = 1, *, at: float = NOW, blaze_id: int | None = 1_000_000_777) -> Ticket:
    return Ticket(session_key=Secret(f"CANARY/SESSION+{n}=$*"), blaze_id=blaze_id, obtained_at=at)


def bundle(n: int = 1, **changes: Any) -> Bundle:
    made = Bundle(
        auth_code=Secret(f"CANARY-CODE-{n}"),
        auth_data=Secret(f"CANARY-DATA-{n}"),
        auth_type=17039361,
        device_id=Secret("CANARY-DEVICE-BUNDLE"),
        blaze_id=None,
        captured_at=NOW,
    )
    return replace(made, **changes)


def credentials(**changes: Any) -> Credentials:
    made = Credentials(
        platform="sim", device_id=Secret("CANARY-DEVICE"), tokens=tokens(), ticket=ticket()
    )
    return replace(made, **changes)


def stored(home: Path, held: Credentials, *, account: str = "main") -> Vault:
    vault = Vault.open(home)
    vault.update(account, lambda _: held)
    return vault


@dataclass
class Desk:
    """A session over a scripted upstream, with its budget book and its clock."""

    home: Path
    session: Session
    vault: Vault
    upstream: Upstream
    spent: list[str]
    now: list[float]
    server: ServerTime
    told: list[str]
    """Why bundles are used in place of signing, each time that it changed."""

    async def ask(self, reason: str = "ok") -> str:
        """One search whose reply is judged so; what proved that it is ours."""
        await self.session.request("search", PAYLOAD)
        await self.session.judged(RULES[reason])
        return info(self.upstream.asked[-1][1])["messageAuthData"]["authData"]

    def held(self) -> Credentials:
        """What the vault holds, as another process would see it."""
        return Vault.open(self.home).read("main")


def desk(
    home: Path,
    held: Credentials | None = None,
    *,
    account: str = "main",
    upstream: Upstream | None = None,
    profile: Profile | None = None,
) -> Desk:
    upstream = upstream or Upstream()
    profile = profile or Profile.load("sim")
    vault = stored(home, held or credentials(), account=account)
    spent: list[str] = []
    told: list[str] = []
    now = [NOW]

    async def spend(name: str) -> None:
        spent.append(name)

    client = GatewayClient(
        profile=profile, platform="sim", transport=upstream.transport(), clock=lambda: now[0]
    )
    session = Session(
        entry=Entry(vault, account, clock=lambda: now[0]),
        client=client,
        profile=profile,
        spend=spend,
        clock=lambda: now[0],
        on_strategy=told.append,
    )
    return Desk(home, session, vault, upstream, spent, now, client.server, told)


def har(entries: Iterable[dict[str, Any]]) -> bytes:
    return orjson.dumps({"log": {"version": "1.2", "entries": list(entries)}})
