from __future__ import annotations

import base64
import csv
import gzip
import io
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard
from tests.support.captures import REFUSAL, har, har_entry, reply

from m26.cli import run_command
from m26.offline.convert import COLUMNS

REAL_REPLY = Path(__file__).parents[3] / "shared" / "data" / "search-reply-real.json"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("M26_HOME", str(tmp_path / "home"))


def save(folder: Path, data: bytes, name: str = "capture.bin") -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_a_har_becomes_rows_with_their_cards_names(tmp_path: Path) -> None:
    source = save(tmp_path, har([har_entry(reply(1)), har_entry(reply(2, first_id=2000))]))
    out = tmp_path / "out.ndjson"
    assert run_command(["normalize", source, "-o", str(out)]) == 0
    rows = rows_of(out)
    assert [row["auction_id"] for row in rows] == [1000, 1001, 1002, 2000, 2001, 2002]
    assert tuple(rows[0]) == COLUMNS
    first = rows[0]
    assert first["platform"] == "xbsx"
    assert first["posted_at"] == "2026-08-15T20:57:15Z"
    assert first["buyout_price"] == 2000
    assert first["start_price"] is None
    assert len(first["card_version"]) == 16
    assert int(first["card_version"], 16) >= 0
    assert all(row["card_name"] and row["position"] and row["overall"] for row in rows)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["capture.bin", "out.ndjson"]


def test_csv_and_ndjson_say_the_same(tmp_path: Path) -> None:
    source = save(tmp_path, reply(1, auctions=20))
    for name in ("out.ndjson", "out.csv"):
        assert run_command(["normalize", source, "-o", str(tmp_path / name)]) == 0
    data = (tmp_path / "out.csv").read_bytes()
    assert data.count(b"\r\n") == data.count(b"\n") == 21
    table = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    expected = [
        {name: "" if value is None else str(value) for name, value in row.items()}
        for row in rows_of(tmp_path / "out.ndjson")
    ]
    assert table == expected


@pytest.mark.parametrize("name", ["out.csv.gz", "out.jsonl.gz", "out.csv.zst", "out.jsonl.zst"])
def test_a_compressed_output_holds_the_same_rows(tmp_path: Path, name: str) -> None:
    source = save(tmp_path, reply(1))
    plain = name.rsplit(".", 1)[0]
    for target in (plain, name):
        assert run_command(["normalize", source, "-o", str(tmp_path / target)]) == 0
    packed = (tmp_path / name).read_bytes()
    if name.endswith("gz"):
        data = gzip.decompress(packed)
    else:
        data = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
    assert data == (tmp_path / plain).read_bytes()


def test_what_gives_no_row_is_in_the_rejects_file_with_its_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = reply(1).replace(b'"buyoutPrice":2001', b'"buyoutPrice":"5"')
    source = save(tmp_path, bad + b"\n<html>no</html>\n" + REFUSAL + b"\n" + reply(2, first_id=9))
    out = tmp_path / "out.ndjson"
    assert run_command(["normalize", source, "-o", str(out), "--json"]) == 0
    assert [row["auction_id"] for row in rows_of(out)] == [1000, 1002, 9, 10, 11]
    item, page = rows_of(tmp_path / "out.ndjson.rejects.ndjson")
    assert (item["file"], item["page"], item["item"]) == (source, 0, 1)
    raw = base64.b64decode(item["raw"])
    assert raw == bad[item["byte_from"] : item["byte_to"]]
    assert b'"buyoutPrice":"5"' in raw
    assert (page["page"], page["item"]) == (1, None)
    summary = orjson.loads(capsys.readouterr().out)
    assert summary["pages"] == 4
    assert summary["rows"] == 5
    assert summary["refused_pages"] == 1
    assert sum(summary["rejects"].values()) == 2
    # a later run without rejects does not leave the old ones lying there
    assert run_command(["normalize", save(tmp_path, reply(1), "b"), "-o", str(out)]) == 0
    assert not (tmp_path / "out.ndjson.rejects.ndjson").exists()


def test_rows_on_standard_output_are_not_mixed_with_the_summary(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    source = save(tmp_path, reply(1) + b"\n<html>\n")
    assert run_command(["normalize", source, "-o", "-", "--json"]) == 0
    printed = capfdbinary.readouterr()
    assert len([orjson.loads(line) for line in printed.out.splitlines()]) == 3
    assert orjson.loads(printed.err)["rejects_file"] is None
    assert [path.name for path in tmp_path.iterdir()] == ["capture.bin"]


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (["--platform", "ps4"], "pc", "ps4"),
        ([], "pc", "pc"),
        ([], None, "xbsx"),
    ],
    ids=["command line", "environment", "capture"],
)
def test_the_platform_is_taken_from_the_nearest_word(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    environment: str | None,
    expected: str,
) -> None:
    if environment:
        monkeypatch.setenv("M26_PLATFORM", environment)
    source = save(tmp_path, har([har_entry(reply(1))]))
    assert run_command(["normalize", source, "-o", str(tmp_path / "o.csv"), *arguments]) == 0
    assert (tmp_path / "o.csv").read_text().splitlines()[1].startswith(expected + ",")


def test_without_any_word_the_platform_is_the_profiles_first(tmp_path: Path) -> None:
    assert run_command(["normalize", save(tmp_path, reply(1)), "-o", str(tmp_path / "o.csv")]) == 0
    assert (tmp_path / "o.csv").read_text().splitlines()[1].startswith("ps5,")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>Forbidden</html>",
        reply(1)[:2000],
        b"[" + b"null," * 10**7 + b"null]",
        REFUSAL,
        har([]),
        b"[" * 10**5,
    ],
    ids=["empty", "html", "truncated", "nulls", "refusal", "no replies", "deep"],
)
def test_input_that_gives_nothing_is_exit_7_and_no_output(tmp_path: Path, data: bytes) -> None:
    out = tmp_path / "out.csv"
    assert run_command(["normalize", save(tmp_path, data), "-o", str(out)]) == 7
    assert not out.exists()


def test_truly_empty_pages_are_a_result(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    assert run_command(["normalize", save(tmp_path, reply(1, auctions=0)), "-o", str(out)]) == 0
    assert out.read_text().splitlines() == [",".join(COLUMNS)]


def test_one_bad_file_does_not_take_the_others_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [save(tmp_path, b"", "empty"), save(tmp_path, reply(1), "good")]
    assert run_command(["normalize", *files, "-o", str(tmp_path / "out.csv"), "--json"]) == 0
    summary = orjson.loads(capsys.readouterr().out)
    assert summary["rows"] == 3
    assert "is empty" in summary["problems"][0]


def test_replies_to_other_commands_are_counted_not_rejected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [har_entry(b'{"hub":1}', command="Mobile_GetHub"), har_entry(reply(1))]
    out = str(tmp_path / "out.csv")
    assert run_command(["normalize", save(tmp_path, har(entries)), "-o", out, "--json"]) == 0
    summary = orjson.loads(capsys.readouterr().out)
    assert (summary["other_replies"], summary["rejects"], summary["rows"]) == (1, {}, 3)


@pytest.mark.parametrize(
    "arguments",
    [
        ["missing.har", "-o", "out.csv"],
        ["capture.bin", "-o", "out.parquet"],
        ["capture.bin", "-o", "missing/out.csv"],
        ["capture.bin", "-o", "capture.bin", "--format", "csv"],
        ["capture.bin", "-o", "out.csv", "--platform", "ps6"],
        ["capture.bin", "-o", "out.csv", "--plattform", "ps5"],
        ["capture.bin", "-o", "out.csv", "--rejects", "out.csv"],
        ["capture.bin"],
    ],
)
def test_impossible_requests_are_exit_2_and_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    save(tmp_path, reply(1))
    monkeypatch.chdir(tmp_path)
    assert run_command(["normalize", *arguments]) == 2
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "capture.bin": reply(1)
    }


def test_ctrl_c_ends_with_130_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    out = tmp_path / "out.ndjson"
    out.write_bytes(b"from before")
    process = subprocess.Popen(
        [sys.executable, "-m", "m26", "normalize", "-", "-o", str(out)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    for number in range(10):
        process.stdin.write(reply(number, auctions=30) + b"\n")
    process.stdin.flush()
    deadline = time.monotonic() + 20
    while not list(tmp_path.glob(".out*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert out.read_bytes() == b"from before"
    assert [path.name for path in tmp_path.iterdir()] == ["out.ndjson"]


def test_a_reader_that_goes_away_is_not_an_error(tmp_path: Path) -> None:
    source = save(tmp_path, b"\n".join(reply(n, auctions=30) for n in range(40)))
    process = subprocess.Popen(
        [sys.executable, "-m", "m26", "normalize", source, "-o", "-"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=20) == 0
    assert b"Traceback" not in errors


def test_the_published_reply_gives_its_row(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Runs where the published reply lies beside the project; it is not part of it."""
    if not REAL_REPLY.exists():
        return
    assert run_command(["normalize", str(REAL_REPLY), "-o", "-"]) == 0
    (row,) = [orjson.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    del row["card_version"]
    assert row == {
        "platform": "ps5",
        "auction_id": 57828095,
        "card_id": 13522975,
        "card_instance_id": 4133423131,
        "acquired_at": "2026-08-15T20:55:39Z",
        "posted_at": "2026-08-15T20:57:15Z",
        "expires_at": "2026-08-16T20:57:15Z",
        "status": "active",
        "start_price": None,
        "buyout_price": 2787,
        "current_bid": 250,
        "next_bid": 300,
        "bids": 1,
        "median_price": 2775,
        "min_price": 100,
        "max_price": 22200,
        "observed_at": "2026-08-16T19:43:31Z",
        "card_name": "Drew Sanders",
        "position": "MLB",
        "overall": 82,
        "tier": 4,
        "program": "Team Builders",
    }
