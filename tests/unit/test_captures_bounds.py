"""What takes many times its size is read only where a credential is, and only so much of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.support.captures import entry, flow, har, process_entry, server, token_entry

from m26.auth.extract import Found, read_credentials

MB = 10**6
FORM = "application/x-www-form-urlencoded"
MOST = 170
"""MB that a child may take, of which 60 are Python and m26."""
_READ = """
import sys
from pathlib import Path
from m26.auth.extract import read_credentials
found = read_credentials(Path(sys.argv[1]))
status = Path("/proc/self/status").read_text()
print(found.tokens is not None, len(found.problems), status.split("VmHWM:")[1].split()[0])
"""


def form(size: int) -> str:
    return "".join(f"k{number:07}=v&" for number in range(size // 11))


def listed(size: int) -> dict[str, Any]:
    made = token_entry()
    fields = [{"name": f"k{number:07}", "value": "v"} for number in range(size // 33)]
    made["request"]["postData"] = {"mimeType": FORM, "params": fields}
    return made


def long_key(size: int) -> dict[str, Any]:
    made = process_entry()
    made["request"]["url"] = f"https://{server('/wal')}/wal/mca/Process/{'%41' * (size // 3)}"
    return made


def parsed(size: int) -> dict[str, Any]:
    made = process_entry()
    made["response"]["content"]["text"] = [{"a": 0}] * (size // 8)
    return made


def nested(size: int) -> str:
    return f'{{"requestInfo": [{"[]," * (size // 3)}[]]}}'


GOOD = [token_entry()]
LOGIN, OAUTH = "/wal/authentication/login", "/connect/token"
MULTIPART = "multipart/form-data; boundary=x"


def form_in_flow() -> bytes:
    return flow(b"{}", path=OAUTH, sent=form(8 * MB).encode(), mime=FORM) + good_flow()


def values_of_flow() -> bytes:
    lists = b"8:response;%d:%b]" % (4 * MB * 3, b"0:]" * (4 * MB))
    values = b"7:version;2:21#4:type;4:http;" + lists
    return good_flow() + b"%d:%b}" % (len(values), values) + good_flow()


def good_flow() -> bytes:
    good = token_entry()
    answer, sent = good["response"]["content"]["text"], good["request"]["postData"]["text"]
    return flow(answer.encode(), path=OAUTH, sent=sent.encode(), mime=FORM)


HOSTILE: dict[str, tuple[Callable[[], bytes], bool]] = {
    "forms of others": (lambda: har([entry("/x", form(8 * MB), {}, mime=FORM)] * 2 + GOOD), False),
    "a form of ours": (lambda: har([entry(OAUTH, form(8 * MB), {}, mime=FORM), *GOOD]), True),
    "fields of a form": (lambda: har([listed(12 * MB), *GOOD]), True),
    "a query": (lambda: har([entry(f"{OAUTH}?{form(8 * MB)}", "", {}, mime=FORM), *GOOD]), False),
    "a key": (lambda: har([long_key(16 * MB), *GOOD]), False),
    "a login": (lambda: har([entry(LOGIN, nested(12 * MB), {}), *GOOD]), True),
    "an answer": (lambda: har([entry(LOGIN, "{}", nested(12 * MB)), *GOOD]), True),
    "parts of an entry": (lambda: har([parsed(8 * MB), *GOOD]), True),
    "multipart": (lambda: har([entry(OAUTH, form(8 * MB), {}, mime=MULTIPART), *GOOD]), False),
    "a form in a flow": (form_in_flow, True),
    "values of a flow": (values_of_flow, True),
}
"""What would take hundreds of MB, beside a login that is whole; and whether that is told."""


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_capture_takes_many_times_its_size(tmp_path: Path, kind: str) -> None:
    make, is_told = HOSTILE[kind]
    path = tmp_path / "x.har"
    path.write_bytes(make())
    command = [sys.executable, "-c", _READ, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    has_tokens, problems, peak = done.stdout.split()
    assert int(peak) < MOST * 1024, f"{int(peak) // 1024} MB"
    assert (has_tokens, int(problems)) == ("True", int(is_told))


_PAGES = """
import sys
from pathlib import Path
import m26
found = sum(1 for _ in m26.read_captures(sys.argv[1]))
status = Path("/proc/self/status").read_text()
print(found, status.split("VmHWM:")[1].split()[0])
"""


@pytest.mark.parametrize("kind", ["query", "request"])
def test_no_page_takes_many_times_its_size(tmp_path: Path, kind: str) -> None:
    path, made = tmp_path / "x.har", process_entry()
    if kind == "query":
        made["request"]["url"] += f"&{form(8 * MB)}"
    else:
        made["request"]["postData"]["text"] = nested(12 * MB)
    path.write_bytes(har([made, process_entry()]))
    command = [sys.executable, "-c", _PAGES, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found, peak = map(int, done.stdout.split())
    assert found == 2
    assert peak < MOST * 1024, f"{peak // 1024} MB"


def read(tmp_path: Path, fields: str) -> Found:
    made = token_entry()
    made["request"]["postData"]["text"] = fields
    path = tmp_path / "x.har"
    path.write_bytes(har([made]))
    return read_credentials(path)


CLIENT = f"client_id={quote('CANARY-CLIENT')}"


@pytest.mark.parametrize(
    ("fields", "is_read"),
    [
        ("&".join([CLIENT, *(f"k{n}=v" for n in range(99))]), True),
        ("&".join([CLIENT, *(f"k{n}=v" for n in range(100))]), False),
        (f"{CLIENT}&x={'y' * (64 * 1024 - len(CLIENT) - 3)}", True),
        (f"{CLIENT}&x={'y' * (64 * 1024 - len(CLIENT) - 2)}", False),
    ],
    ids=["100 fields", "101", "64 KiB", "a byte more"],
)
def test_a_form_is_read_as_far_as_it_can_be_one_of_a_login(
    tmp_path: Path, fields: str, is_read: bool
) -> None:
    found = read(tmp_path, fields)
    assert (found.client_id is not None) == is_read
    assert found.tokens is not None
    assert [("was not read" in problem) for problem in found.problems] == [True] * (not is_read)
