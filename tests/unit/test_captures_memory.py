"""A capture of any size is read with the memory of one flow."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import orjson
import pytest
from tests.support.captures import flow, har_entry, reply

from m26.captures.flow import MAX_FLOW_BYTES
from m26.captures.har import read_har
from m26.captures.mitm import read_flows

MB = 10**6
_PEAK = """
from pathlib import Path
status = Path("/proc/self/status").read_text()
print(found, status.split("VmHWM:")[1].split()[0])
"""
# Not getrusage: a child takes over the peak of the process that started it.
_IMPORT = """
import sys
from m26.cli import run_command
found = run_command(["auth", "import", sys.argv[1], "--home", sys.argv[2], "--json"])
"""
_READ = """
import sys
import m26
found = sum(len(page.body) for page in m26.read_captures(sys.argv[1]))
"""


def write_har(path: Path, size: int) -> int:
    """A HAR of `size` bytes and more: searches of 100 auctions, each with its own signature."""
    entry = orjson.dumps(har_entry(reply(1, auctions=100)))
    count = size // len(entry) + 1
    with path.open("wb") as file:
        file.write(b'{"log":{"version":"1.2","entries":[')
        for number in range(count):
            file.write(b"," if number else b"")
            file.write(entry.replace(b"CANARY-DATA", b"CANARY-DATA-%d" % number))
        file.write(b"]}}")
    return count


def child(code: str, *arguments: Path) -> list[bytes]:
    """The lines that a Python of its own prints for `code`; the last: `found`, peak memory, KiB."""
    command = [sys.executable, "-c", code + _PEAK, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=True).stdout.splitlines()


@pytest.mark.parametrize(
    ("size", "most"),
    [(60 * MB, 120 * 1024), pytest.param(500 * MB, 200 * 1024, marks=pytest.mark.soak)],
    ids=["60 MB", "500 MB"],
)
def test_a_large_har_needs_little_memory(tmp_path: Path, size: int, most: int) -> None:
    path = tmp_path / "large.har"
    count = write_har(path, size)
    document, told = child(_IMPORT, path, tmp_path / "home")
    code, peak = map(int, told.split())
    (capture,) = orjson.loads(document)["captures"]
    assert (code, capture["found"]["requests"]) == (0, count)
    assert capture["found"]["bundles"] == count
    assert peak <= most
    ((read, peak),) = (map(int, line.split()) for line in child(_READ, path))
    assert read == count * len(reply(1, auctions=100))
    assert peak <= most
    path.unlink()


@pytest.mark.parametrize("kind", ["HAR", "flows"])
def test_a_flow_that_is_too_long_is_told_and_not_held(tmp_path: Path, kind: str) -> None:
    path, length = tmp_path / "long", 3 * MAX_FLOW_BYTES
    is_har = kind == "HAR"
    before = b'{"log":{"entries":[{"a":"' if is_har else b"%d:1:a;" % length
    after = b'"},' + orjson.dumps(har_entry(b"{}")) + b"]}}" if is_har else b"}" + flow(b"{}")
    with path.open("wb") as file:
        file.write(before)
        file.seek(length - 4 * (not is_har), os.SEEK_CUR)  # takes no space on the disk
        file.write(after)
    problems: list[str] = []
    tracemalloc.start()
    with path.open("rb") as stream:
        read = read_har if is_har else read_flows
        flows = list(read(stream, "long", problems.append))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [flow.response for flow in flows] == [b"{}"]
    what = "entry" if is_har else "flow"
    told = f"long: {what} 0 is longer than 24 MiB, or has very many parts, and was passed over"
    assert problems == [told]
    assert peak < 2.5 * MAX_FLOW_BYTES
