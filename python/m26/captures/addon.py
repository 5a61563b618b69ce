"""A mitmproxy addon: the app's flows in, what `m26 auth import` needs of them out, as a HAR.

It runs in mitmproxy's own Python (mitmproxy 10 and newer) and so imports nothing of m26. `m26 auth
addon` prints the whole command:

    uvx mitmproxy@VERSION -s addon.py --set m26_folder=FOLDER --set m26_legacy=GATEWAY

Only what is named here is written: tokens, client, session, signature, platform, and the host that
each was sent to. No cookie, no name, no auction. The file is whole after each flow, and only its
owner may read it.
"""

from __future__ import annotations

import io
import json
import logging
import os
import time
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlencode

Loader: TypeAlias = Any  # mitmproxy's own
HTTPFlow: TypeAlias = Any
TlsData: TypeAlias = Any
_TOKEN, _LOGIN, _PROCESS = "/connect/token", "/wal/authentication/login", "/wal/mca/Process/"
_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"
_HEAD = b'{"log":{"version":"1.2","creator":{"name":"m26 addon","version":"1"},"entries":['
_TAIL = b"]}}"
_LEGACY_SERVER_CONNECT = 0x4  # OpenSSL's SSL_OP_LEGACY_SERVER_CONNECT
_log = logging.getLogger("m26")


class Capture:
    """The addon: one file a run, made when there is something to write."""

    def __init__(self) -> None:
        self._master: Any = None
        self._file: io.FileIO | None = None
        self._end = 0  # where the next entry goes

    def load(self, loader: Loader) -> None:
        """Add the option that says where captures go."""
        loader.add_option(
            name="m26_folder",
            typespec=str,
            default="captures",
            help="Folder for the captures that `m26 auth import` reads; made if it is not there.",
        )
        loader.add_option(
            name="m26_legacy",
            typespec=str,
            default="",
            help="Host that may renegotiate TLS in the old way. Its certificate is checked.",
        )
        self._master = loader.master

    def tls_start_server(self, tls: TlsData) -> None:
        """Allow old renegotiation to the one host that needs it.

        mitmproxy would do so by ``ssl_insecure`` alone, which checks no certificate of any host. It
        makes a connection of a context that it keeps: the second one is made by our options.
        """
        names = tls.conn.address[0], tls.conn.sni, tls.context.client.sni
        if self._master.options.m26_legacy not in names:
            return
        self._master.addons.get("tlsconfig").tls_start_server(tls)
        tls.ssl_conn.get_context().set_options(_LEGACY_SERVER_CONNECT)
        tls.ssl_conn = None

    def response(self, flow: HTTPFlow) -> None:
        """Write a flow down if it is one that m26 needs."""
        path = flow.request.path.partition("?")[0]
        needed = _needed(flow, path) if flow.request.method == "POST" else None
        if needed is None:
            return
        what, request, reply = needed
        try:
            self._add(_entry(flow, path, request, reply))
        except OSError as error:
            _log.error("m26: %s was not written: %s", what, error.strerror)
        else:
            _log.info("m26: %s captured", what)

    def done(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _add(self, entry: dict[str, Any]) -> None:
        """Put an entry in place of the file's end, and the end behind it."""
        if self._file is None:
            self._file, self._end = self._create(), 0
        text = (b"," if self._end else _HEAD) + json.dumps(entry).encode()
        self._file.seek(self._end)
        rest = text + _TAIL
        while rest:
            rest = rest[self._file.write(rest) :]
        self._file.truncate()
        self._end += len(text)

    def _create(self) -> io.FileIO:
        folder = os.path.expanduser(self._master.options.m26_folder)  # noqa: PTH111
        os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103
        name = time.strftime(f"m26-%Y%m%d-%H%M%S-{os.getpid()}.har", time.gmtime())
        path = os.path.join(folder, name)  # noqa: PTH118
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        _log.info("m26: captures go to %s", path)
        return io.FileIO(descriptor, "w")


def _needed(flow: HTTPFlow, path: str) -> tuple[str, dict[str, str], dict[str, Any]] | None:
    """What a flow is, and the little of its request and its reply that m26 reads."""
    sent, answered = flow.request.get_text(strict=False), flow.response.get_text(strict=False)
    if path.endswith(_TOKEN):
        tokens = _pick(_parsed(answered), "access_token", "refresh_token", "expires_in")
        in_force = () if tokens.get("refresh_token") else ("refresh_token",)  # RFC 6749, section 6
        form = _pick(dict(parse_qsl(sent or "")), "client_id", "client_secret", *in_force)
        return "token exchange", {"mimeType": _FORM, "text": urlencode(form)}, tokens
    if path.endswith(_LOGIN):
        login = _pick(_parsed(sent), "accessToken", "productName")
        info = _pick(_parsed(answered), "userLoginInfo").get("userLoginInfo")
        return "login", _body(login), {"userLoginInfo": _pick(info, "sessionKey", "blazeId")}
    if _PROCESS in path:
        info = _parsed(_pick(_parsed(sent), "requestInfo").get("requestInfo"))
        signed = _pick(info, "commandName", "deviceId", "messageAuthData")
        return "signed request", _body({"requestInfo": json.dumps(signed)}), {}  # no auctions
    return None


def _entry(
    flow: HTTPFlow, path: str, request: dict[str, str], reply: dict[str, Any]
) -> dict[str, Any]:
    began = flow.request.timestamp_start
    ended = flow.response.timestamp_end or began
    second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(began))
    url = f"{_server(flow)}{path}"
    blaze_id = {"name": "x-blaze-id", "value": flow.request.headers.get("x-blaze-id", "")}
    return {
        "startedDateTime": f"{second}.{int(began % 1 * 1e6):06d}Z",
        "time": round((ended - began) * 1000, 3),
        "request": {
            "method": "POST",
            "url": url,
            "headers": [blaze_id],
            "postData": request,
        },
        "response": {"status": flow.response.status_code, "content": _body(reply) if reply else {}},
    }


def _server(flow: HTTPFlow) -> str:
    """Scheme and host, by the name that was asked for: the address may be a number."""
    asked = flow.request
    return f"{asked.scheme}://{asked.host_header or f'{asked.host}:{asked.port}'}"


def _body(document: dict[str, Any]) -> dict[str, str]:
    return {"mimeType": _JSON, "text": json.dumps(document)}


def _parsed(text: object) -> object:
    try:
        return json.loads(str(text).lstrip("\ufeff"), strict=False)
    except (ValueError, RecursionError):
        return None


def _pick(document: object, *names: str) -> dict[str, Any]:
    found = document if isinstance(document, dict) else {}
    return {name: found[name] for name in names if name in found}


addons = [Capture()]
