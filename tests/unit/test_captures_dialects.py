"""One start of the app in the dialect of each program that writes HAR files."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import orjson
import pytest
from tests.support.captures import har_entry, reply

from m26.auth.intake import read_credentials
from m26.offline import read_captures

SECRET = "CANARY+S/=="
TOKENS = {"access_token": "CANARY-A", "refresh_token": "CANARY-R", "expires_in": 14_400}
LOGIN = {
    "userLoginInfo": {
        "sessionKey": "CANARY+session/key",
        "blazeId": 7,
        "personaDetails": [{"personaId": 7, "displayName": "CANARY"}],
    }
}
Entry = dict[str, Any]


def start_of_the_app() -> list[Entry]:
    """Token exchange, login and one search, with all that HAR 1.2 asks for."""
    token = har_entry(orjson.dumps(TOKENS), path="/connect/token")
    form = "grant_type=authorization_code&client_id=CANARY-ID&client_secret=CANARY%2BS%2F%3D%3D"
    token["request"]["postData"] = {"mimeType": "application/x-www-form-urlencoded", "text": form}
    login = har_entry(orjson.dumps(LOGIN), path="/wal/authentication/login")
    asked = {"accessToken": "CANARY-A", "productName": "madden-2026-xbsx-mca"}
    login["request"]["postData"]["text"] = json.dumps(asked)
    entries = [token, login, har_entry(reply(1))]
    for second, entry in enumerate(entries):
        entry["startedDateTime"] = f"2026-08-15T20:57:2{second}.500Z"
        posted = entry["request"]["postData"]
        kind = {"name": "content-type", "value": posted["mimeType"]}
        entry["request"]["headers"].append(kind)
        entry["response"]["headers"] = [{"name": "content-type", "value": "application/json"}]
    return entries


def params(entry: Entry, *, encoded: bool) -> None:
    """A form as a list of its fields, and no text."""
    posted = entry["request"]["postData"]
    if "form" in posted["mimeType"]:
        text = posted.pop("text")
        pairs = [p.split("=", 1) for p in text.split("&")] if encoded else parse_qsl(text)
        posted["params"] = [{"name": name, "value": value} for name, value in pairs]


def in_base64(part: Entry) -> None:
    part |= {"text": base64.b64encode(part["text"].encode()).decode(), "encoding": "base64"}


def zone(entry: Entry, form: str) -> None:
    second = entry["startedDateTime"][17:19]
    entry["startedDateTime"] = form.replace("SS", second)


def chrome(entry: Entry) -> None:
    entry |= {"_initiator": {"type": "script"}, "_resourceType": "xhr", "connection": "443"}
    entry["request"]["headers"].insert(0, {"name": ":authority", "value": "gateway.example"})
    entry["request"]["httpVersion"] = "h3"
    if "form" in entry["request"]["postData"]["mimeType"]:
        text = entry["request"]["postData"]["text"]
        params(entry, encoded=True)
        entry["request"]["postData"]["text"] = text
    entry["response"]["_transferSize"] = 300


def firefox(entry: Entry) -> None:
    zone(entry, "2026-08-15T22:57:SS.500+02:00")
    entry["request"]["postData"]["params"] = []
    entry["request"]["headers"] = [
        {"name": header["name"].title(), "value": header["value"], "comment": ""}
        for header in entry["request"]["headers"]
    ]
    entry |= {"comment": "", "time": 250, "pageref": "page_1"}
    entry["response"]["content"]["mimeType"] = "application/json; charset=utf-8"


def charles(entry: Entry) -> None:
    zone(entry, "2026-08-15T16:57:SS.500-04:00")
    params(entry, encoded=False)
    in_base64(entry["response"]["content"])
    entry["request"]["headers"] = [
        {**header, "name": header["name"].upper()} for header in entry["request"]["headers"]
    ]


def proxyman(entry: Entry) -> None:
    in_base64(entry["request"]["postData"])
    in_base64(entry["response"]["content"])
    del entry["time"]


def mitmproxy(entry: Entry) -> None:
    zone(entry, "2026-08-15T20:57:SS.500000+00:00")
    posted = entry["request"]["postData"]
    posted["params"] = [
        {"name": name, "value": value}
        for name, value in parse_qsl(posted["text"] if "form" in posted["mimeType"] else "")
    ]
    entry["response"]["content"] |= {"size": 1, "compression": 0}


def fiddler(entry: Entry) -> None:
    zone(entry, "2026-08-15T22:57:SS.5000000+02:00")
    params(entry, encoded=False)
    entry["response"]["content"]["text"] = "\ufeff" + entry["response"]["content"]["text"]
    entry |= {"comment": "[#1]", "time": 250, "timings": None}


def http_toolkit(entry: Entry) -> None:
    params(entry, encoded=False)
    posted = entry["request"]["postData"]
    if "text" in posted:
        in_base64(posted)
        del posted["mimeType"]
        entry["request"]["_content"] = entry["request"].pop("postData")
        entry["request"]["_requestBodyStatus"] = "discarded:not-representable"


def without_types(entry: Entry) -> None:
    del entry["request"]["postData"]["mimeType"]
    del entry["response"]["content"]["mimeType"]


DIALECTS: dict[str, tuple[Callable[[Entry], None], Callable[[dict[str, Any]], bytes]]] = {
    "plain": (lambda _: None, orjson.dumps),
    "Chrome": (chrome, lambda har: json.dumps(har, indent=2).encode()),
    "Firefox": (firefox, orjson.dumps),
    "Charles": (charles, orjson.dumps),
    "Proxyman": (proxyman, orjson.dumps),
    "mitmproxy": (mitmproxy, lambda har: json.dumps(har, indent=4).encode()),
    "Fiddler": (fiddler, lambda har: b"\xef\xbb\xbf" + orjson.dumps(har)),
    "HTTP Toolkit": (http_toolkit, orjson.dumps),
    "types in headers only": (without_types, orjson.dumps),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_token_login_and_search_are_found_in_every_dialect(tmp_path: Path, dialect: str) -> None:
    change, write = DIALECTS[dialect]
    entries = deepcopy(start_of_the_app())
    for entry in entries:
        change(entry)
    page = {"id": "page_1", "title": "entries"}
    log = {"version": "1.2", "creator": {"name": dialect}, "pages": [page], "entries": entries}
    path = tmp_path / "capture.har"
    path.write_bytes(write({"log": log}))

    found = read_credentials(path)
    assert (found.requests, found.platform, found.problems) == (3, "xbsx", ())
    assert found.client_id is not None
    assert found.client_secret is not None
    assert (found.client_id.reveal(), found.client_secret.reveal()) == ("CANARY-ID", SECRET)
    assert found.tokens is not None
    assert found.tokens.refresh is not None
    assert (found.tokens.access.reveal(), found.tokens.refresh.reveal()) == ("CANARY-A", "CANARY-R")
    assert found.tokens.obtained_at == pytest.approx(1_786_827_440.5, abs=0.3)
    assert found.tokens.expires_at - found.tokens.obtained_at == 14_400
    assert found.ticket is not None
    assert (found.ticket.session_key.reveal(), found.ticket.blaze_id) == ("CANARY+session/key", 7)
    assert [(b.blaze_id, b.auth_data.reveal()) for b in found.bundles] == [(7, "CANARY-DATA")]

    (page_,) = read_captures(path)
    assert page_.body.removeprefix(b"\xef\xbb\xbf") == reply(1)
    assert (page_.platform, page_.command) == ("xbsx", "Mobile_SearchAuctions")
    assert page_.content_type.startswith("application/json")
