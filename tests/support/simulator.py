"""The simulator as a process of its own, and a bare client with its own idea of the protocol."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, quote

import httpx

from m26.sim.ledger import Ledger
from m26.sim.truth import LedgerReader

COMMANDS = {
    "Mobile_SearchAuctions": 9153,
    "Mobile_RefreshAuctionDetails": 9154,
    "Mobile_GetAuctionBids": 9157,
}
_STATIC, _KEY = "SIM-CANARY-STATIC-DATA-77d0", b"QIM-CANARY-KEY-0"
_CODE = b"QIM-CANARY-CODE-"
_CLIENT = ("SIM-CANARY-CLIENT-ID-3f1c", "SIM-CANARY-CLIENT-SECRET-b2a9")


@dataclass(slots=True)
class Simulator:
    """A running simulator."""

    folder: Path
    url: str
    process: subprocess.Popen[bytes]

    def control(self, **members: Any) -> dict[str, Any]:
        """Set switches; what it answers."""
        reply = httpx.post(f"{self.url}/sim/control", json=members, verify=False)
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    def stats(self) -> dict[str, Any]:
        """What it says of itself."""
        return dict(httpx.get(f"{self.url}/sim/stats", verify=False).json())

    def ledger(self) -> LedgerReader:
        """The truth so far."""
        return Ledger.open_readonly(self.folder / "ledger.db")

    def served_last(self) -> list[int]:
        """Ids of the auctions that the last request served, as the ledger has it."""
        with self.ledger() as ledger:
            *_, (number, _) = ledger.requests()
            return [row.listing.auction_id for row in ledger.served() if row.request == number]

    def secrets(self) -> list[str]:
        """Every secret it ever handed out or shares with its clients, and their form in a URL."""
        own = [_STATIC, _KEY.decode(), _CODE.decode(), _KEY.hex(), _CODE.hex(), *_CLIENT]
        with self.ledger() as ledger:
            found = own + ledger.secrets()
        return sorted({form for secret in found for form in (secret, quote(secret, safe=""))})

    def output(self) -> str:
        """Everything it printed."""
        names = ("stdout", "stderr")
        return "".join((self.folder.parent / f"sim.{name}").read_text() for name in names)


@contextmanager
def simulator(folder: Path, *arguments: str, **popen: Any) -> Iterator[Simulator]:
    """Start ``m26 sim`` and wait until it is ready; at the end stop it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    note = folder / "sim.json"
    note.unlink(missing_ok=True)
    command = [sys.executable, "-m", "m26", "sim", "--folder", str(folder), *arguments]
    with (
        (folder.parent / "sim.stdout").open("ab") as stdout,
        (folder.parent / "sim.stderr").open("ab") as stderr,
    ):
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr, **popen)
    try:
        until(note.exists, process, seconds=60)  # while it runs, the machine is merely busy
        about = json.loads(note.read_bytes())
        yield Simulator(folder, about["url"], process)
    finally:
        process.terminate()
        process.wait(10)
        if process.stdin is not None:
            process.stdin.close()


def until(
    condition: Any, process: subprocess.Popen[bytes] | None = None, *, seconds: float = 10
) -> None:
    """Poll until a condition holds; fail when `process` ends or time is up."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, "the process ended"
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


@dataclass(slots=True)
class Client:
    """What the game's app does, in as few lines as possible."""

    sim: Simulator
    capture: str = "capture.har"
    platform: str = "sim"
    account: str = "demo"
    clock: Callable[[], float] = time.time
    http: httpx.Client = field(init=False)
    access: str = ""
    refresh: str = ""
    session: str = ""
    blaze_id: int = 0
    device_id: str = ""
    bundle: dict[str, Any] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: count(1_000))

    def __post_init__(self) -> None:
        self.http = httpx.Client(
            base_url=self.sim.url,
            verify=False,  # plain HTTP: reading the certificates would be the slowest part
            headers={
                "accept": "application/json",
                "accept-charset": "UTF-8",
                "accept-encoding": "gzip",
                "user-agent": "m26-sim-client",
                "x-application-key": "MADDEN-MCA",
                "x-blaze-id": f"madden-2026-{self.platform}",
                "x-blaze-void-resp": "XML",
            },
        )
        token, login, process = (
            json.loads(entry["response"]["content"]["text"]) for entry in self.entries()
        )
        assert process["responseInfo"]["value"]["details"]
        self.access, self.refresh = token["access_token"], token["refresh_token"]
        self.blaze_id = login["userLoginInfo"]["blazeId"]
        sent = json.loads(self.entries()[2]["request"]["postData"]["text"])
        info = json.loads(sent["requestInfo"])
        self.device_id, self.bundle = info["deviceId"], info["messageAuthData"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def entries(self) -> list[dict[str, Any]]:
        """The captured exchanges: token, login, process."""
        har = json.loads((self.sim.folder / self.capture).read_bytes())
        return list(har["log"]["entries"])

    def token(self, **form: str) -> httpx.Response:
        """Exchange the refresh token, or what `form` says; keep what comes back."""
        sent = self.entries()[0]["request"]["postData"]["text"]
        base = {name: values[0] for name, values in parse_qs(sent).items() if name != "code"}
        base |= {"grant_type": "refresh_token", "refresh_token": self.refresh}
        reply = self.http.post("/connect/token", data=base | form)
        if reply.status_code == 200:
            self.access, self.refresh = reply.json()["access_token"], reply.json()["refresh_token"]
        return reply

    def sign_in(self) -> None:
        """Fresh tokens and a session, whatever became of the captured ones."""
        code = self.sim.control(issue_code=self.account)["code"]
        assert self.token(grant_type="authorization_code", code=code).status_code == 200
        assert "userLoginInfo" in self.login().json()

    def login(self, **members: str) -> httpx.Response:
        """Open a session with the access token."""
        product = f"madden-2026-{self.platform}-mca"
        body = {"accessToken": self.access, "productName": product} | members
        reply = self.http.post("/wal/authentication/login", json=body)
        if reply.status_code == 200 and "userLoginInfo" in reply.json():
            self.session = reply.json()["userLoginInfo"]["sessionKey"]
        return reply

    def auth(self, **changes: Any) -> dict[str, Any]:
        """A fresh signature."""
        payload = {"staticData": _STATIC, "requestId": next(self.numbers)}
        text = json.dumps(payload | {"blazeId": self.blaze_id} | changes, separators=(",", ":"))
        nonce = os.urandom(4)
        stream = hashlib.md5(nonce + _KEY).digest() * (len(text) // 16 + 1)
        data = nonce + bytes(a ^ b for a, b in zip(text.encode(), stream, strict=False))
        return {
            "authCode": base64.b64encode(hashlib.md5(_CODE + data).digest()).decode(),
            "authData": base64.b64encode(data).decode(),
            "authType": 17_039_361,
        }

    def process(self, *arguments: Any, **options: Any) -> httpx.Response:
        """Send what `request` builds."""
        return self.http.send(self.request(*arguments, **options))

    def request(
        self,
        command: str = "Mobile_SearchAuctions",
        payload: Any = None,
        *,
        params: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        auth: dict[str, Any] | None = None,
        **info: Any,
    ) -> httpx.Request:
        """One command; `info` replaces members of requestInfo."""
        inner = {
            "messageExpirationTime": int(self.clock()) + 300,
            "deviceId": self.device_id,
            "commandName": command,
            "componentId": 2050,
            "commandId": COMMANDS.get(command, 1),
            "componentName": "mut",
            "ipAddress": "127.0.0.1",
            "requestPayload": json.dumps(payload or {"filters": [], "itemName": ""}),
            "messageAuthData": auth or self.auth(),
        } | info
        body = {"apiVersion": 2, "clientDevice": 3, "requestInfo": json.dumps(inner)}
        path = f"/wal/mca/Process/{quote(self.session, safe='')}"
        return self.http.build_request("POST", path, json=body, params=params, headers=headers)

    def details(self, *arguments: Any, **options: Any) -> list[dict[str, Any]]:
        """The auctions of one reply that must be good."""
        value = self.process(*arguments, **options).json()["responseInfo"]["value"]
        assert value["responseData"]["uiErrorCode"] == 0
        return list(value["details"])

    def sweep(self, count: int = 100) -> list[dict[str, Any]]:
        """All pages, as the URL asks for them."""
        found: list[dict[str, Any]] = []
        while page := self.details(params={"offset": len(found), "count": count}):
            found += page
        return found
