from __future__ import annotations

import gzip
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
import zstandard
from tests.support.captures import REFUSAL, flow, har, har_entry, reply, tnetstring
from tests.support.journals import make_page, open_journal

from m26._native import MAX_PAGE_BYTES
from m26.errors import ShapeError, UsageError
from m26.models import SWEEP_END, Page
from m26.offline import read_captures

FETCHED = 1_786_827_445_750_125


def save(folder: Path, data: bytes, name: str = "capture.bin") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def bodies(path: Path) -> list[bytes]:
    return [page.body for page in read_captures(path)]


def test_a_har_gives_the_process_replies_and_nothing_secret(tmp_path: Path) -> None:
    entries = [
        har_entry(b"{}", path="/connect/token"),
        har_entry(reply(1)),
        har_entry(reply(2), encoded=True),
    ]
    pages = list(read_captures(save(tmp_path, har(entries))))
    assert [page.body for page in pages] == [reply(1), reply(2)]
    assert pages[0] == Page(
        account="",
        platform="xbsx",
        command="Mobile_SearchAuctions",
        query='{"filters":[],"itemName":"","offset":100,"count":99}',
        status=200,
        content_type="application/json",
        fetched_at=FETCHED,
        body=reply(1),
    )
    assert "CANARY" not in repr(pages)


def test_a_har_entry_without_its_reply_is_reported_and_the_others_are_read(tmp_path: Path) -> None:
    empty = har_entry(reply(1))
    del empty["response"]["content"]["text"]
    path = save(tmp_path, har([empty, har_entry(reply(2))]))
    problems: list[str] = []
    pages = list(read_captures(path, on_problem=problems.append))
    assert [page.body for page in pages] == [reply(2)]
    assert len(problems) == 1
    assert "entry 0" in problems[0]
    with pytest.raises(ShapeError, match="entry 0"):
        bodies(path)


@pytest.mark.parametrize(
    "entry", [None, 5, {}, {"request": [], "response": 3}, {"request": {"url": 7}}]
)
def test_nonsense_among_har_entries_is_passed(tmp_path: Path, entry: object) -> None:
    document = {"log": {"entries": [entry, har_entry(reply(1))]}}
    assert bodies(save(tmp_path, orjson.dumps(document))) == [reply(1)]


def test_a_har_entry_with_nonsense_around_its_body_is_still_read(tmp_path: Path) -> None:
    entry = har_entry(reply(1))
    entry |= {"startedDateTime": "yesterday", "time": None}
    entry["request"] |= {"headers": None, "postData": {"text": "not json"}}
    (page,) = read_captures(save(tmp_path, har([entry])))
    assert (page.body, page.fetched_at, page.platform, page.command) == (reply(1), 0, "", "")


def test_odd_requests_leave_their_replies_readable(tmp_path: Path) -> None:
    far = har_entry(reply(1), path=f"/wal/mca/Process/CANARY?offset={'9' * 30}&count=\u0664")
    deep = har_entry(reply(2))
    info = {"commandName": "x", "requestPayload": "[" * 500 + "]" * 500}
    asked = orjson.dumps({"requestInfo": orjson.dumps(info).decode()}).decode()
    deep["request"]["postData"]["text"] = asked
    first, second = read_captures(save(tmp_path, har([far, deep])))
    assert (first.body, first.query) == (reply(1), '{"filters":[],"itemName":""}')
    assert (second.body, second.query) == (reply(2), "{}")


def test_a_cut_har_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="cut off in entry 0"):
        bodies(save(tmp_path, har([har_entry(reply(1))])[:-10]))


def test_mitmproxy_flows_are_read_and_decompressed(tmp_path: Path) -> None:
    packed = flow(gzip.compress(reply(2)), headers=[("content-encoding", "gzip")])
    other = tnetstring({"comment": "", "version": 21, "type": "tcp"})
    pages = list(read_captures(save(tmp_path, flow(reply(1)) + other + packed)))
    assert [page.body for page in pages] == [reply(1), reply(2)]
    assert (pages[0].platform, pages[0].status) == ("pc", 200)
    assert pages[0].query == '{"filters":[],"itemName":"","offset":100,"count":99}'
    assert pages[0].fetched_at == 1_786_827_445_750_000
    assert "CANARY" not in repr(pages)


def test_an_unknown_flow_version_is_named_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="flow version 99") as caught:
        bodies(save(tmp_path, flow(reply(1), version=99)))
    assert "hardump" in caught.value.hint


def test_a_cut_flow_file_gives_what_is_whole(tmp_path: Path) -> None:
    problems: list[str] = []
    path = save(tmp_path, flow(reply(1)) + flow(reply(2))[:-50])
    assert [p.body for p in read_captures(path, on_problem=problems.append)] == [reply(1)]
    assert "cut off in flow 1" in problems[0]


@pytest.mark.parametrize(
    "body",
    [b"\x1f\x8bnonsense", gzip.compress(b"x" * 5000)[:-20]],
    ids=["nonsense", "cut"],  # gzip notes the second: workers would not agree on a name
)
def test_a_flow_with_a_broken_gzip_body_is_reported(tmp_path: Path, body: bytes) -> None:
    problems: list[str] = []
    broken = flow(body, headers=[("content-encoding", "gzip")])
    path = save(tmp_path, broken + flow(reply(2)))
    assert [p.body for p in read_captures(path, on_problem=problems.append)] == [reply(2)]
    assert len(problems) == 1


def test_deep_nesting_in_a_flow_file_is_an_error_not_a_crash(tmp_path: Path) -> None:
    deep = b""
    for _ in range(3000):
        deep = b"%d:%b]" % (len(deep), deep)
    data = tnetstring("comment") + deep
    with pytest.raises(ShapeError, match="damaged in flow 0"):
        bodies(save(tmp_path, b"%d:%b}" % (len(data), data)))


NDJSON = b"\n".join([reply(1), b"", reply(2), b'{"broken": ', REFUSAL]) + b"\r\n"


@pytest.mark.parametrize(
    "pack",
    [bytes, gzip.compress, zstandard.compress, lambda data: b"\xef\xbb\xbf" + data],
    ids=["plain", "gzip", "zstd", "with a BOM"],
)
def test_ndjson_is_read_line_by_line_whatever_is_around_it(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    found = bodies(save(tmp_path, pack(NDJSON)))
    assert [body.removeprefix(b"\xef\xbb\xbf") for body in found] == [
        reply(1),
        reply(2),
        b'{"broken":',
        REFUSAL,
    ]


def test_ndjson_whose_first_line_is_broken_keeps_the_others(tmp_path: Path) -> None:
    path = save(tmp_path, reply(1)[:500] + b"\n" + reply(2))
    assert bodies(path) == [reply(1)[:500], reply(2)]


def test_several_zstd_frames_are_one_file(tmp_path: Path) -> None:
    path = save(tmp_path, b"".join(zstandard.compress(reply(n) + b"\n") for n in (1, 2)))
    assert bodies(path) == [reply(1), reply(2)]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_a_cut_compressed_file_gives_its_whole_lines_and_says_so(
    tmp_path: Path, pack: object
) -> None:
    assert callable(pack)
    lines = [reply(n, auctions=20) for n in range(30)]
    problems: list[str] = []
    path = save(tmp_path, pack(b"\n".join(lines))[:-9])
    found = [page.body for page in read_captures(path, on_problem=problems.append)]
    assert len(found) >= 20
    assert found == lines[: len(found)]
    assert "cut off" in problems[0]


@pytest.mark.parametrize("indent", [False, True], ids=["compact", "indented"])
def test_a_single_reply_is_one_page(tmp_path: Path, *, indent: bool) -> None:
    option = orjson.OPT_INDENT_2 if indent else 0
    data = orjson.dumps(orjson.loads(reply(1)), option=option)
    assert bodies(save(tmp_path, data + b"\n")) == [data]


def test_a_line_without_an_end_is_not_taken_into_memory(tmp_path: Path) -> None:
    path = save(tmp_path, reply(1) + b"\n{" + b" " * (3 * MAX_PAGE_BYTES) + b"}\n" + reply(2))
    found = bodies(path)
    assert [found[0], found[2]] == [reply(1), reply(2)]
    assert len(found) == 3
    assert len(found[1]) <= MAX_PAGE_BYTES + 1


def test_a_journal_gives_its_pages_but_not_its_sweep_ends(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, segment_bytes=900)
    pages = [make_page(number) for number in range(9)]
    for page in pages:
        journal.append(page)
        journal.append(replace(page, command=SWEEP_END))
    journal.close()
    assert list(read_captures(tmp_path)) == pages
    first = list(read_captures(min(tmp_path.glob("*.seg"))))
    assert first
    assert first == pages[: len(first)]


def test_a_damaged_journal_record_is_reported(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, segment_bytes=1 << 20)
    for number in range(3):
        journal.append(make_page(number))
    journal.close()
    (segment,) = tmp_path.glob("*.seg")
    data = bytearray(segment.read_bytes())
    data[-1] ^= 1
    segment.write_bytes(data)
    problems: list[str] = []
    found = list(read_captures(tmp_path, on_problem=problems.append))
    assert found == [make_page(0), make_page(1)]
    assert "record 2" in problems[0]


def test_a_folder_of_captures_is_read_in_order_of_names(tmp_path: Path) -> None:
    save(tmp_path, har([har_entry(reply(2))]), "b.har")
    save(tmp_path, reply(1), "a.json")
    save(tmp_path, b"not read", ".hidden")
    assert bodies(tmp_path) == [reply(1), reply(2)]


def test_what_cannot_be_read_at_all_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        bodies(tmp_path / "missing.har")
    for nothing in (b" \n\xef\xbb\xbf", b"\x0b\x0c"):
        with pytest.raises(ShapeError, match="is empty"):
            bodies(save(tmp_path, nothing))
    (tmp_path / "folder").mkdir()
    with pytest.raises(ShapeError, match="holds no captures"):
        bodies(tmp_path / "folder")


def test_reading_tells_how_far_it_is(tmp_path: Path) -> None:
    data = zstandard.compress(NDJSON * 50)
    told: list[int] = []
    assert len(list(read_captures(save(tmp_path, data), on_read=told.append))) == 200
    assert sum(told) == len(data)


def test_reading_captures_loads_no_network_library() -> None:
    network = ("httpx", "asyncpg", "redis", "starlette")
    code = (
        "import sys; import m26.offline.convert, m26.upstream.profile;"
        f"print([name for name in {network} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert found.stdout.strip() == "[]"
