"""Bodies and files in every encoding that exporters leave behind: both faces read the same."""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard
from tests.support.captures import flow, har, har_entry, login_entry, reply, tnetstring, token_entry
from tests.unit.test_captures import save

from m26._native import MAX_PAGE_BYTES
from m26.auth.intake import read_credentials
from m26.offline import read_captures

LOGIN = {"userLoginInfo": {"sessionKey": "CANARY+key", "blazeId": 7}}
TOKENS = orjson.dumps({"access_token": "CANARY-A", "refresh_token": "CANARY-R>?>?"})
Pack = Callable[[bytes], bytes]


def bare(data: bytes) -> bytes:
    """Deflate without any head (RFC 1951), as some servers understand ``deflate``."""
    return zlib.compress(data, wbits=-15)


def members(data: bytes) -> bytes:
    return gzip.compress(data[:9]) + gzip.compress(b"") + gzip.compress(data[9:])


def frames(data: bytes) -> bytes:
    return zstandard.compress(data[:9]) + zstandard.compress(data[9:])


PACKED: dict[str, tuple[Pack, str]] = {
    "gzip": (gzip.compress, "gzip"),
    "members": (members, "gzip"),
    "zeros behind gzip": (lambda data: gzip.compress(data) + bytes(7), "gzip"),
    "junk behind gzip": (lambda data: gzip.compress(data) + b"junk", "gzip"),
    "zlib": (zlib.compress, "deflate"),
    "bare deflate": (bare, "deflate"),
    "zstd": (zstandard.compress, "zstd"),
    "frames": (frames, "zstd"),
    "gzip, twice": (lambda data: gzip.compress(gzip.compress(data)), "gzip, gzip"),
    "gzip that nothing names": (gzip.compress, ""),
    "gzip named none": (gzip.compress, "none"),
    "zstd named gzip": (zstandard.compress, "gzip"),
    "plain named none": (bytes, "none"),
    "plain named gzip": (bytes, "gzip"),
    "plain named deflate": (bytes, "deflate"),
    "plain named br": (bytes, "br"),
    "plain named utf-8": (bytes, "UTF-8"),
    "UTF-16": (lambda data: data.decode().encode("utf-16"), ""),
    "UTF-16 in gzip": (lambda data: gzip.compress(data.decode().encode("utf-16")), "gzip"),
}


def in_flows(pack: Pack, encoding: str) -> bytes:
    headers = [("Content-Encoding", encoding)] if encoding else []
    asked = "/connect/token", "/wal/authentication/login"
    login = orjson.dumps(LOGIN)
    return b"".join(
        (
            flow(pack(TOKENS), path=asked[0], headers=headers),
            flow(pack(login), path=asked[1], headers=headers),
            flow(pack(reply(1)), headers=headers),
        )
    )


def in_base64(data: bytes) -> dict[str, Any]:
    return {"text": base64.b64encode(data).decode(), "encoding": "base64"}


def entries(content: Callable[[bytes], dict[str, Any]], encoding: str = "") -> list[dict[str, Any]]:
    token, login = token_entry(), login_entry()
    found = [token, login, har_entry(reply(1), path="/wal/mca/Process/CANARY%2Bkey")]
    for entry, body in zip(found, (TOKENS, orjson.dumps(LOGIN), reply(1)), strict=True):
        entry["request"]["headers"] = [{"name": "x-blaze-id", "value": "madden-2026-ps5"}]
        entry["response"] = {"status": 200, "content": content(body)}
        entry["response"]["headers"] = [{"name": "content-encoding", "value": encoding}]
    return found


def check(path: Path) -> None:
    """Both faces find everything, and have nothing to tell."""
    found = read_credentials(path)
    assert (found.problems, found.requests) == ((), 3)
    assert found.tokens is not None
    assert found.tokens.refresh is not None
    assert (found.tokens.access.reveal(), found.tokens.refresh.reveal()) == (
        "CANARY-A",
        "CANARY-R>?>?",
    )
    assert found.ticket is not None
    assert len(found.bundles) == 1
    problems: list[str] = []
    assert [page.body for page in read_captures(path, on_problem=problems.append)] == [reply(1)]
    assert problems == []


@pytest.mark.parametrize("name", PACKED)
def test_flows_are_read_whatever_their_bodies_are_packed_in(tmp_path: Path, name: str) -> None:
    check(save(tmp_path, in_flows(*PACKED[name])))


@pytest.mark.parametrize("name", PACKED)
def test_a_har_is_read_whose_bodies_were_kept_packed(tmp_path: Path, name: str) -> None:
    pack, encoding = PACKED[name]
    made = entries(lambda body: in_base64(pack(body)), encoding)
    check(save(tmp_path, har(made)))


CONTENTS: dict[str, Callable[[bytes], dict[str, Any]]] = {
    "marked base64 and none": lambda body: {"text": body.decode(), "encoding": "base64"},
    "unpadded": lambda body: {**in_base64(body), "text": in_base64(body)["text"].rstrip("=")},
    "url-safe": lambda body: {
        "text": base64.urlsafe_b64encode(body).decode().rstrip("="),
        "encoding": "base64",
    },
    "in lines": lambda body: {"text": base64.encodebytes(body).decode(), "encoding": " Base64"},
    "bytes as characters": lambda body: {"text": gzip.compress(body).decode("latin-1")},
    "a document in place of its text": lambda body: {"text": orjson.loads(body)},
    "another encoding": lambda body: {"text": body.decode(), "encoding": "utf-8"},
}


@pytest.mark.parametrize("name", CONTENTS)
def test_a_har_is_read_however_it_writes_its_texts(tmp_path: Path, name: str) -> None:
    check(save(tmp_path, har(entries(CONTENTS[name]))))


def utf16(data: bytes) -> bytes:
    return data.decode().encode("utf-16")


FILES: dict[str, Pack] = {
    "UTF-16": utf16,
    "UTF-16, big end first": lambda data: b"\xfe\xff" + data.decode().encode("utf-16-be"),
    "UTF-16 without its mark": lambda data: data.decode().encode("utf-16-le"),
    "UTF-32": lambda data: data.decode().encode("utf-32"),
    "UTF-8 with its mark": lambda data: b"\xef\xbb\xbf" + data,
    "gzip": gzip.compress,
    "gzip of UTF-16": lambda data: gzip.compress(utf16(data)),
    "zstd": zstandard.compress,
    "log behind 64 KiB": lambda data: b'{"comment":"' + b"x" * 100_000 + b'",' + data[1:],
    "blanks before it": lambda data: b" \n" * 50_000 + data,
}


@pytest.mark.parametrize("name", FILES)
def test_a_har_file_is_the_same_to_both_faces(tmp_path: Path, name: str) -> None:
    check(save(tmp_path, FILES[name](har(entries(lambda body: {"text": body.decode()})))))


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_a_packed_flow_file_is_the_same_to_both_faces(tmp_path: Path, name: str) -> None:
    check(save(tmp_path, FILES[name](in_flows(bytes, ""))))


def test_replies_one_a_line_in_utf_16_are_read(tmp_path: Path) -> None:
    path = save(tmp_path, utf16(reply(1) + b"\r\n" + reply(2)))
    assert [page.body for page in read_captures(path)] == [reply(1), reply(2)]


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, bare, zstandard.compress])
def test_a_bomb_is_cut_a_byte_beyond_what_a_page_may_have(tmp_path: Path, pack: Pack) -> None:
    encoding = "zstd" if pack is zstandard.compress else "deflate"
    packed = pack(bytes(4 * MAX_PAGE_BYTES))
    path = save(tmp_path, flow(packed, headers=[("content-encoding", encoding)]))
    (page,) = read_captures(path)
    assert len(page.body) == MAX_PAGE_BYTES + 1


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, bare, zstandard.compress, members])
def test_a_packed_body_that_is_cut_off_is_told(tmp_path: Path, pack: Pack) -> None:
    encoding = "zstd" if pack is zstandard.compress else "deflate"
    path = save(tmp_path, flow(pack(reply(1))[:-12], headers=[("content-encoding", encoding)]))
    problems: list[str] = []
    assert list(read_captures(path, on_problem=problems.append)) == []
    assert len(problems) == 1
    assert "flow 0 cannot be decompressed" in problems[0]


JUNK = {
    "line ends": b"\r\n",
    "a text": b"CANARY: this is no flow\n",
    "a length": b"12:",
    "a long length": b"999999999:",
    "half a flow": flow(reply(7))[:-60],
    "another document": tnetstring({"CANARY": {"comment": "", "type": "http"}}),
    "another version": flow(reply(7), version=99),
    "a key that is none": b"15:7:version!2:21#}",
    "a version that is none": tnetstring({"comment": "", "version": [0, 18], "type": "http"}),
}


@pytest.mark.parametrize("name", JUNK)
def test_junk_between_flows_costs_no_flow(tmp_path: Path, name: str) -> None:
    first, second = flow(TOKENS, path="/connect/token"), flow(reply(1))
    path = save(tmp_path, first + JUNK[name] + second)
    problems: list[str] = []
    assert [page.body for page in read_captures(path, on_problem=problems.append)] == [reply(1)]
    found = read_credentials(path)
    assert found.tokens is not None
    assert len(found.bundles) == 1
    assert list(found.problems) == problems
    assert len(problems) == (name != "line ends")
    assert not any("CANARY" in problem for problem in problems)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_of_a_packed_file_that_is_damaged_all_before_the_damage_is_read(
    tmp_path: Path, pack: Pack
) -> None:
    lines = [reply(n, auctions=1) for n in range(40)]
    packed = pack(b"\n".join(lines) + b"\n") + pack(b"{}")[:-3]
    problems: list[str] = []
    path = save(tmp_path, packed)
    found = [page.body for page in read_captures(path, on_problem=problems.append)]
    assert found[:40] == lines
    assert len(problems) == 1


def test_a_flow_file_that_is_packed_and_cut_gives_its_whole_flows_to_both_faces(
    tmp_path: Path,
) -> None:
    flows = [flow(reply(n), path=f"/wal/mca/Process/CANARY?{n}") for n in range(20)]
    path = save(tmp_path, gzip.compress(b"".join(flows))[:-20])
    problems: list[str] = []
    pages = list(read_captures(path, on_problem=problems.append))
    found = read_credentials(path)
    assert found.requests == len(pages) >= 18
    assert found.problems == tuple(problems)
