"""The mitmproxy addon, loaded as mitmproxy loads it: what it writes down, and what never."""

from __future__ import annotations

import ast
import importlib.util
import logging
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest

import m26
from m26.auth.intake import read_credentials
from m26.offline import read_captures

ADDON = Path(m26.__file__).with_name("captures") / "addon.py"
BEGAN = 1_790_000_000.25
SESSION = "/wal/mca/Process/CANARY%2FSESSION?offset=0"


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("__mitmproxy_script__.addon", ADDON)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Addon:
    """The addon, started with its option as a mitmproxy does it."""

    def __init__(self, folder: Path) -> None:
        (self.capture,) = loaded().addons
        self.options: dict[str, Any] = {}
        options = SimpleNamespace(m26_folder=str(folder), m26_legacy="")
        master = SimpleNamespace(options=options)
        self.capture.load(SimpleNamespace(add_option=self.add_option, master=master))

    def add_option(self, *, name: str, typespec: type, default: str, **_: str) -> None:
        self.options[name] = (typespec, default)

    def see(self, *flows: Any) -> None:
        for flow in flows:
            self.capture.response(flow)


@pytest.fixture
def start() -> Iterator[Callable[[Path], Addon]]:
    started: list[Addon] = []

    def begin(folder: Path) -> Addon:
        started.append(Addon(folder))
        return started[-1]

    yield begin
    for addon in started:
        addon.capture.done()


Start = Callable[[Path], Addon]


def message(text: str | None, **members: Any) -> SimpleNamespace:
    return SimpleNamespace(get_text=lambda *, strict: text, **members)


def flow(path: str, sent: str, answered: str | None, *, method: str = "POST") -> SimpleNamespace:
    headers = {"x-blaze-id": "madden-2026-ps5", "cookie": "CANARY-COOKIE", "host": "CANARY-HOST"}
    host = "token.invalid" if "connect" in path else "gateway.invalid:8443"
    request = message(
        sent,
        method=method,
        scheme="https",
        host_header=host,
        path=path,
        headers=headers,
        timestamp_start=BEGAN,
    )
    response = message(answered, status_code=200, timestamp_end=BEGAN + 0.5)
    return SimpleNamespace(request=request, response=response)


def token_flow() -> SimpleNamespace:
    form = {"client_id": "CANARY-ID", "client_secret": "CANARY+S", "code": "UNWANTED"}
    tokens = {"access_token": "CANARY-A", "refresh_token": "CANARY-R", "expires_in": 14_400}
    answer = orjson.dumps(tokens | {"id_token": "UNWANTED"}).decode()
    return flow("/connect/token?UNWANTED", urlencode(form), answer)


def login_flow() -> SimpleNamespace:
    asked = {"accessToken": "CANARY-A", "productName": "madden-2026-ps5-mca", "x": "UNWANTED"}
    persona = {"displayName": "UNWANTED"}
    info = {"sessionKey": "CANARY/SESSION", "blazeId": 7, "personaDetails": [persona]}
    answer = orjson.dumps({"userLoginInfo": info, "isAnonymous": False}).decode()
    return flow("/wal/authentication/login", orjson.dumps(asked).decode(), "\ufeff" + answer)


def process_flow(n: int = 1) -> SimpleNamespace:
    auth = {"authCode": "CANARY-C", "authData": f"CANARY-D{n}", "authType": 1}
    info = {"deviceId": "CANARY-DEVICE", "commandName": "Search", "messageAuthData": auth}
    sent = {"apiVersion": 2, "requestInfo": orjson.dumps(info | {"x": "UNWANTED"}).decode()}
    return flow(SESSION, orjson.dumps(sent).decode(), '{"responseInfo":"UNWANTED"}')


def test_what_it_writes_is_what_an_import_reads_and_no_more(tmp_path: Path, start: Start) -> None:
    addon = start(tmp_path / "captures")
    assert addon.options["m26_folder"] == (str, "captures")
    addon.see(token_flow(), login_flow(), process_flow(1), process_flow(2))
    (path,) = (tmp_path / "captures").iterdir()
    found = read_credentials(path)
    assert (found.requests, found.platform, found.problems) == (4, "ps5", ())
    assert found.origins == ("https://token.invalid", "https://gateway.invalid:8443")
    assert found.client_secret is not None
    assert found.client_secret.reveal() == "CANARY+S"
    assert found.tokens is not None
    assert found.tokens.access.reveal() == "CANARY-A"
    assert found.tokens.obtained_at == BEGAN + 0.5
    assert found.ticket is not None
    assert (found.ticket.session_key.reveal(), found.ticket.blaze_id) == ("CANARY/SESSION", 7)
    assert [b.auth_data.reveal() for b in found.bundles] == ["CANARY-D1", "CANARY-D2"]
    text = path.read_text()
    assert not any(word in text for word in ("UNWANTED", "CANARY-COOKIE", "CANARY-HOST"))
    problems: list[str] = []
    assert list(read_captures(path, on_problem=problems.append)) == []
    assert len(problems) == 2  # it holds no auctions


def test_a_refresh_token_that_stays_in_force_is_written_and_a_spent_one_is_not(
    tmp_path: Path, start: Start
) -> None:
    asked = urlencode({"grant_type": "refresh_token", "refresh_token": "CANARY-SENT"})
    for number, more in enumerate(({}, {"refresh_token": "CANARY-NEXT"})):
        addon = start(tmp_path / str(number))
        answer = orjson.dumps({"access_token": "CANARY-A"} | more).decode()
        addon.see(flow("/connect/token", asked, answer))
        (path,) = (tmp_path / str(number)).iterdir()
        tokens = read_credentials(path).tokens
        assert tokens is not None
        assert tokens.refresh is not None
        assert tokens.refresh.reveal() == more.get("refresh_token", "CANARY-SENT")
        assert ("CANARY-SENT" in path.read_text()) is (not more)


def test_the_file_is_whole_after_each_exchange_and_private(tmp_path: Path, start: Start) -> None:
    addon = start(tmp_path / "deep" / "captures")
    for count, exchange in enumerate((login_flow(), process_flow(), token_flow()), 1):
        addon.see(exchange)
        (path,) = (tmp_path / "deep" / "captures").iterdir()
        assert len(orjson.loads(path.read_bytes())["log"]["entries"]) == count
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.suffix == ".har"


def test_other_exchanges_leave_no_file(tmp_path: Path, start: Start) -> None:
    addon = start(tmp_path / "captures")
    addon.see(
        flow("/connect/token", "", "{}", method="GET"),
        flow("/connect/tokens", "", "{}"),
        flow("/wal/mca/other", "", "{}"),
    )
    assert not (tmp_path / "captures").exists()


@pytest.mark.parametrize("text", [None, "", "{", "[]", '"x"', '{"userLoginInfo":[1]}', "[" * 10**5])
def test_odd_bodies_are_no_reason_to_fail(tmp_path: Path, start: Start, text: str | None) -> None:
    addon = start(tmp_path)
    for path in ("/connect/token", "/wal/authentication/login", SESSION):
        exchange = flow(path, text or "", text)
        exchange.response.timestamp_end = None
        addon.see(exchange)
    addon.see(token_flow())
    (path,) = tmp_path.iterdir()
    assert read_credentials(path, platform="ps5").tokens is not None


def test_a_folder_that_takes_nothing_is_told_and_tried_again(
    tmp_path: Path, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "captures").write_text("a file")
    addon = start(tmp_path / "captures")
    with caplog.at_level(logging.INFO, logger="m26"):
        addon.see(token_flow())
        (tmp_path / "captures").unlink()
        addon.see(login_flow())
    (path,) = (tmp_path / "captures").iterdir()
    assert read_credentials(path).ticket is not None
    assert "token exchange was not written" in caplog.text
    assert "login captured" in caplog.text
    assert "CANARY" not in caplog.text


def test_a_full_disk_leaves_a_file_whose_whole_entries_are_read(
    tmp_path: Path, start: Start
) -> None:
    addon = start(tmp_path)
    addon.see(token_flow())
    (path,) = tmp_path.iterdir()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, limits[1]))
    try:
        addon.see(login_flow())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    found = read_credentials(path, platform="ps5")
    assert found.tokens is not None
    assert found.ticket is None
    assert "cut off in entry 1" in found.problems[0]
    addon.see(process_flow())
    found = read_credentials(path)
    assert (found.requests, len(found.bundles), found.problems) == (2, 1, ())


@pytest.mark.parametrize("name", ["gateway.invalid", "other.invalid", ""])
def test_old_renegotiation_is_allowed_to_one_host_whose_certificate_is_checked(name: str) -> None:
    allowed: list[int] = []
    context = SimpleNamespace(set_options=allowed.append)

    class TlsConfig:
        """mitmproxy's, which makes a connection of a context that it keeps."""

        def tls_start_server(self, tls: SimpleNamespace) -> None:
            tls.ssl_conn = SimpleNamespace(get_context=lambda: context)

    options = SimpleNamespace(m26_folder="", m26_legacy="gateway.invalid")
    master = SimpleNamespace(options=options, addons={"tlsconfig": TlsConfig()})
    (capture,) = loaded().addons
    capture.load(SimpleNamespace(add_option=lambda **_: None, master=master))
    client = SimpleNamespace(sni=name or None)
    tls = SimpleNamespace(
        conn=SimpleNamespace(address=("192.0.2.1", 443), sni=None),
        context=SimpleNamespace(client=client),
        ssl_conn=None,
    )
    capture.tls_start_server(tls)
    assert allowed == ([0x4] if name == "gateway.invalid" else [])
    assert tls.ssl_conn is None, "mitmproxy makes it, as of any other host"


def test_it_imports_the_standard_library_alone() -> None:
    tree = ast.parse(ADDON.read_text("utf-8"))
    names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names
