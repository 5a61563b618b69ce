"""Every dialect of a capture through both of its faces: credentials and pages."""

from __future__ import annotations

import base64
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from tests.support.captures import COMMAND, flow, har, har_entry, reply, tnetstring

from m26.auth.intake import Found, import_capture, read_credentials
from m26.auth.vault import Vault
from m26.captures.har import read_har
from m26.cli import run_command
from m26.models import Page
from m26.offline import read_captures

SESSION = "CANARY+session/key"
ENDED = 1_786_827_445_750_125
FLOW_ENDED = 1_786_827_445_750_000
BOM = b"\xef\xbb\xbf"


def save(folder: Path, data: bytes) -> Path:
    path = folder / "capture.bin"
    path.write_bytes(data)
    return path


def both(path: Path) -> tuple[Found, Page]:
    (page,) = read_captures(path)
    return read_credentials(path), page


def packed(part: dict[str, Any]) -> None:
    part.update(text=base64.b64encode(part["text"].encode()).decode(), encoding="base64")


@pytest.mark.parametrize(
    "change",
    [
        lambda e: None,
        lambda e: packed(e["response"]["content"]),
        lambda e: packed(e["request"]["postData"]),
        lambda e: e.update(startedDateTime="2026-08-15T20:57:25.500"),
        lambda e: e.update(startedDateTime="2026-08-15T20:57:25.5001259Z", time=250),
        lambda e: e.update(comment="\ud800 alone"),
        lambda e: e.update(comment="raw \x01 control"),
        lambda e: e["request"]["headers"].append({"name": "\udcff", "value": "\udcff"}),
        lambda e: e["request"]["headers"].insert(0, None),
        lambda e: e["request"]["postData"].update(params=[None, {"name": "a", "value": None}]),
        lambda e: e["request"]["postData"].pop("mimeType"),
        lambda e: e["request"].update(method="post"),
    ],
    ids=[
        "plain",
        "reply in base64",
        "request in base64",
        "naive time",
        "long fraction",
        "lone surrogate",
        "control byte",
        "surrogates in a header",
        "nonsense header",
        "nonsense params",
        "no request type",
        "small method",
    ],
)
@pytest.mark.parametrize("bom", [b"", BOM], ids=["", "BOM"])
def test_a_dialect_of_har_is_the_same_to_both_faces(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], bom: bytes
) -> None:
    entry = har_entry(reply(1))
    change(entry)
    text = json.dumps({"log": {"entries": [None, entry]}}).replace(r"\u0001", "\x01")
    found, page = both(save(tmp_path, bom + text.encode()))
    assert (page.body, page.command, page.platform) == (reply(1), COMMAND, "xbsx")
    assert page.fetched_at in (ENDED, 1_786_827_445_750_000 + 125)
    assert (found.requests, found.platform) == (1, "xbsx")
    assert found.ticket is not None
    assert found.ticket.session_key.reveal() == SESSION
    assert found.ticket.obtained_at == page.fetched_at / 1e6
    assert len(found.bundles) == 1


@pytest.mark.parametrize(
    ("began", "took", "ended"),
    [
        ("2026-08-15T20:57:25.500Z", "soon", 1_786_827_445_500_000),
        ("2026-08-15T20:57:25.500Z", None, 1_786_827_445_500_000),
        ("2026-08-15T20:57:25.500Z", -1, 1_786_827_445_500_000),
        ("2026-08-15T20:57:25.500Z", 1e300, 0),
        ("yesterday", 250, 0),
        (None, 250, 0),
    ],
)
def test_times_of_any_form_are_the_same_to_both_faces(
    tmp_path: Path, began: object, took: object, ended: int
) -> None:
    entry = har_entry(reply(1)) | {"startedDateTime": began, "time": took}
    found, page = both(save(tmp_path, har([entry])))
    assert page.fetched_at == ended
    assert found.ticket is not None
    assert found.ticket.obtained_at == ended / 1e6


@pytest.mark.parametrize(
    "content",
    [
        None,
        {},
        {"text": 5},
        {"text": None, "encoding": "base64"},
    ],
)
def test_a_request_without_its_reply_still_gives_its_credentials(
    tmp_path: Path, content: dict[str, Any] | None
) -> None:
    entry = har_entry(reply(1))
    entry["response"]["content"] = content
    path = save(tmp_path, har([entry]))
    problems: list[str] = []
    assert list(read_captures(path, on_problem=problems.append)) == []
    assert [problem.split(": ", 1)[1] for problem in problems] == [
        "entry 0 holds no reply body (export the HAR with content)"
    ]
    found = read_credentials(path)
    assert found.ticket is not None
    assert len(found.bundles) == 1


def test_surrogates_in_what_is_kept_can_be_stored(tmp_path: Path) -> None:
    entry = har_entry(reply(1), path="/wal/mca/Process/CANARY\udcff")
    login = har_entry(b"{}", path="/wal/authentication/login")
    login["response"]["content"]["text"] = (
        '{"userLoginInfo":{"sessionKey":"CANARY-KEY","name":"\ud800"}}'
    )
    path = save(tmp_path, json.dumps({"log": {"entries": [login, entry]}}).encode())
    found = read_credentials(path)
    assert found.requests == 2
    vault = Vault.open(tmp_path)
    import_capture(vault, path, now=ENDED / 1e6)
    held = vault.read("main").ticket
    assert held is not None
    assert held.session_key.reveal() == "CANARY-KEY"  # the other one could not be sent
    entries = json.dumps({"log": {"entries": [login]}}).encode()
    found = read_credentials(save(tmp_path, entries))
    assert found.ticket is not None
    assert found.ticket.session_key.reveal() == "CANARY-KEY"


def test_a_flow_shows_nothing_of_what_it_carries() -> None:
    posted = {
        "mimeType": "application/x-www-form-urlencoded; charset=UTF-8",
        "params": [{"name": "client%5Fid", "value": "CANARY%2D1"}, {"name": "number", "value": 5}],
    }
    entry = har_entry(b"CANARY-REPLY")
    entry["request"]["postData"] = posted
    (found,) = read_har(io.BytesIO(har([entry])), "x", pytest.fail)
    assert found.form() == {"client_id": "CANARY-1", "number": "5"}
    assert repr(found) == "Flow(POST, status=200)"


def start_of_the_app() -> bytes:
    form = {"client_id": "CANARY-ID", "client_secret": "CANARY-SECRET", "code": "CANARY"}
    token = {"access_token": "CANARY-A", "refresh_token": "CANARY-R", "expires_in": 14_400}
    login = {"userLoginInfo": {"sessionKey": SESSION, "blazeId": 7}}
    return b"".join(
        [
            flow(None, path="/connect/token?x", sent=b"\xff"),
            tnetstring({"comment": "", "version": 21, "type": "tcp"}),
            flow(
                orjson.dumps(token),
                path="/connect/token",
                sent=urlencode(form).encode(),
                mime="application/x-www-form-urlencoded",
                ended=1_786_827_440.25,
            ),
            flow(
                gzip.compress(orjson.dumps(login)),
                path="/wal/authentication/login",
                sent=b'{"productName":"madden-2026-pc-mca"}',
                headers=[("Content-Encoding", "gzip")],
                ended=1_786_827_441.0,
            ),
            flow(reply(1)),
        ]
    )


def test_flows_are_the_same_to_both_faces(tmp_path: Path) -> None:
    found, page = both(save(tmp_path, start_of_the_app()))
    assert (page.body, page.command, page.fetched_at) == (reply(1), COMMAND, FLOW_ENDED)
    assert (found.requests, found.platform, page.platform) == (4, "pc", "pc")
    assert found.client_id is not None
    assert found.client_id.reveal() == "CANARY-ID"
    assert found.client_secret is not None
    assert found.client_secret.reveal() == "CANARY-SECRET"
    assert found.tokens is not None
    assert found.tokens.access.reveal() == "CANARY-A"
    assert found.tokens.obtained_at == 1_786_827_440.25
    assert found.ticket is not None
    assert (found.ticket.session_key.reveal(), found.ticket.blaze_id) == (SESSION, 7)
    assert len(found.bundles) == 1
    assert "CANARY" not in repr(found)


def test_a_flow_file_is_imported_by_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("M26_HOME", str(tmp_path / "home"))
    path = save(tmp_path, start_of_the_app())
    assert run_command(["auth", "import", str(path), "--json"]) == 0
    printed = capsys.readouterr().out
    (capture,) = orjson.loads(printed)["captures"]
    assert capture["found"]["refresh token"] is True
    assert capture["found"]["bundles"] == 1
    assert "CANARY" not in printed
    assert run_command(["auth", "import", str(save(tmp_path, flow(b"", version=99)))]) == 2
    assert run_command(["auth", "import", str(save(tmp_path, start_of_the_app()[:-9]))]) == 0
    assert "cut off in flow 4" in capsys.readouterr().err


def test_a_reply_that_cannot_be_decompressed_leaves_the_credentials(tmp_path: Path) -> None:
    data = flow(b"\x1f\x8bnonsense", headers=[("content-encoding", "gzip")])
    path = save(tmp_path, data)
    problems: list[str] = []
    assert list(read_captures(path, on_problem=problems.append)) == []
    assert "flow 0 cannot be decompressed" in problems[0]
    assert len(read_credentials(path).bundles) == 1
