"""Processes of one account that renew its tokens and sessions, and one that dies while it does."""

from __future__ import annotations

import os
import signal
import sys
import time
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import anyio
import httpx

from m26.auth.entry import Entry
from m26.auth.session import Session
from m26.auth.vault import Vault
from m26.upstream.client import GatewayClient
from m26.upstream.profile import Profile

PAYLOAD = '{"filters":[],"itemName":""}'
POINTS = (
    "before the mark is in place",
    "before it is sent",
    "when the server has processed it",
    "before the new pair is written",
    "before the new pair is in place",
    "when the new pair is in place",
)
"""Where a process can be told to die, in the order in which a renewal comes by."""
LOSES_THE_PAIR = POINTS[2:5]
"""The server has rotated the token, and the disk does not have the new one."""

_processes = get_context("forkserver")
_processes.set_forkserver_preload(["pytest", __name__])


class Death:
    """Kills this process at one point of one renewal; knows the points by system calls."""

    def __init__(self, home: Path, point: str, renewal: int) -> None:
        self._temporary = ".vault.bin.new"
        self._point, self._left = point, renewal
        self._answered = self._in_place = False

    def begin(self) -> None:
        """A renewal begins: the one before it is whole."""
        if self._answered and self._in_place:
            self._at(POINTS[5])
        self._left -= 1
        self._answered = self._in_place = False

    def answered(self) -> None:
        """The server has answered; the client does not know yet."""
        self._at(POINTS[2])
        self._answered = True

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Of `sys.addaudithook`: opening and renaming files are seen before they happen."""
        if event == "os.rename" and str(arguments[0]) == self._temporary:
            self._at(POINTS[4] if self._answered else POINTS[0])
            self._in_place = True
        elif event == "open" and self._answered and str(arguments[0]) == self._temporary:
            self._at(POINTS[3])

    def sending(self) -> None:
        """The request is about to leave."""
        self._in_place = False
        self._at(POINTS[1])

    def _at(self, point: str) -> None:
        if point == self._point and self._left < 0:
            os.kill(os.getpid(), signal.SIGKILL)


class Wire(httpx.AsyncHTTPTransport):
    """The network, which tells when a token request leaves and when its answer is there."""

    def __init__(self, death: Death) -> None:
        super().__init__()
        self._death = death

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        is_token = request.url.path.endswith("/connect/token")
        if is_token:
            self._death.sending()
        response = await super().handle_async_request(request)
        if is_token:
            self._death.answered()
        return response


def session(home: Path, client: GatewayClient) -> Session:
    """The account's session as a new process of the home has it; requests cost nothing."""
    return Session(
        entry=Entry(Vault.open(home), "main", clock=time.time),
        client=client,
        profile=Profile.load("sim"),
        spend=_free,
    )


def client(url: str, **options: Any) -> GatewayClient:
    profile = Profile.load("sim")
    return GatewayClient(profile=profile, platform="sim", oauth_url=url, base_url=url, **options)


def start_renewing(home: Path, url: str, *, point: str, renewal: int) -> tuple[BaseProcess, Event]:
    """A process that renews over and over, until it dies; the event says that it is at work."""
    ready = _processes.Event()
    process = _processes.Process(target=_renew_on, args=(home, url, point, renewal, ready))
    process.start()
    return process, ready


def start_asking(home: Path, url: str, *, askers: int) -> tuple[BaseProcess, Event, Event]:
    """A process that asks once, waits for the second event, and then asks with many tasks."""
    ready, go = _processes.Event(), _processes.Event()
    process = _processes.Process(target=_ask, args=(home, url, askers, ready, go))
    process.start()
    return process, ready, go


def _renew_on(home: Path, url: str, point: str, renewal: int, ready: Event) -> None:
    death = Death(home, point, renewal)
    sys.addaudithook(death.hook)

    async def work() -> None:
        async with client(url, transport=Wire(death)) as gateway:
            renewing = session(home, gateway)
            ready.set()
            while True:
                death.begin()
                await renewing.renew_tokens()

    anyio.run(work)


def _ask(home: Path, url: str, askers: int, ready: Event, go: Event) -> None:
    async def ask(asking: Session) -> None:
        dead = asking.ticket_id
        reply = await asking.request("search", PAYLOAD)
        if b"ERR_AUTHENTICATION_REQUIRED" in reply.body:
            await asking.renew_session(dead=dead)
            reply = await asking.request("search", PAYLOAD)
        assert b"details" in reply.body

    async def work() -> None:
        async with client(url) as gateway:
            asking = session(home, gateway)
            await ask(asking)
            ready.set()
            await anyio.to_thread.run_sync(go.wait, 10)
            async with anyio.create_task_group() as group:
                for _ in range(askers):
                    group.start_soon(ask, asking)

    anyio.run(work)


async def _free(_name: str) -> None:
    """A budget without end."""
