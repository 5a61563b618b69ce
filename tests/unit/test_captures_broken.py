"""Broken captures: both faces take what is whole, and refuse the rest in the same words."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.captures import flow, har, har_entry, reply, tnetstring
from tests.unit.test_captures import both, save

from m26.auth.intake import import_capture, read_credentials
from m26.auth.vault import Vault
from m26.errors import AuthError, ShapeError, UsageError
from m26.offline import read_captures


def refusals(path: Path, error: type[UsageError | ShapeError]) -> UsageError | ShapeError:
    with pytest.raises(error) as caught:
        both(path) if error is ShapeError else read_credentials(path)
    return caught.value


@pytest.mark.parametrize(
    ("data", "said", "hint"),
    [
        (flow(b"{}", version=99), "flow version 99; m26 reads 4 to 21", "hardump"),
        (b"0:1:CANARY-SECRET#" + flow(b"{}")[5:], "damaged in flow 0", "mitmdump"),
        (b"999999999999:1:a;", "damaged in flow 0", "mitmdump"),
        # A negative length that leads back to the item before it.
        (b"20:1:a;1:b;0:,-4:xxxxxx}", "damaged in flow 0", "mitmdump"),
        (har([])[:-12], "has no log.entries", "HAR"),
        (b'{"log":{"entries":5}}', "has no log.entries", "HAR"),
    ],
    ids=["version", "damaged", "too long", "negative", "cut before entries", "no entries"],
)
def test_both_faces_refuse_what_is_broken_in_the_same_words(
    tmp_path: Path, data: bytes, said: str, hint: str
) -> None:
    path = save(tmp_path, data)
    told = [refusals(path, error) for error in (UsageError, ShapeError)]
    assert told[0].message == told[1].message
    assert said in told[0].message
    assert "CANARY" not in told[0].message
    assert all(hint in error.hint for error in told)
    with pytest.raises(UsageError):
        import_capture(Vault.open(tmp_path), path, platform="pc")
    assert Vault.open(tmp_path).accounts() == ()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (flow(reply(1)) + flow(b"{}")[:-30], "is cut off in flow 1"),
        (flow(reply(1)) + b"13:CANARY-SECRET#", "is damaged in flow 1"),
        (flow(reply(1)) + flow(b"{}", version=99), "flow 1 has flow version 99"),
        (b"7:" + flow(reply(1)), "is damaged in flow 0"),
        (har([har_entry(reply(1)), har_entry(b"{}")])[:-30], "is cut off in entry 1"),
        (har([har_entry(reply(1))])[:-1], "is cut off in entry 1"),
        (har([har_entry(reply(1))]) + b"\n{", "goes on after the end of its HAR"),
    ],
    ids=["flows", "damaged", "version", "damaged before it", "HAR", "the last brace", "more"],
)
def test_of_a_cut_capture_both_faces_take_what_is_whole_and_say_so(
    tmp_path: Path, data: bytes, said: str
) -> None:
    path = save(tmp_path, data)
    problems: list[str] = []
    (page,) = read_captures(path, on_problem=problems.append)
    assert page.body == reply(1)
    assert len(problems) == 1
    assert said in problems[0]
    found = read_credentials(path)
    assert list(found.problems) == problems
    assert len(found.bundles) == 1
    with pytest.raises(ShapeError, match=said):
        list(read_captures(path))


def test_flows_with_damaged_fields_never_raise(tmp_path: Path) -> None:
    whole = flow(reply(1), ended=float("nan"))
    odd = [
        {"version": 21, "type": "http", "request": request, "response": response}
        for request in (None, {"headers": 5}, {"headers": [5], "path": None, "method": 7})
        for response in (None, 5, {"headers": None, "content": 5, "timestamp_end": b"x"})
    ]
    data = b"".join(tnetstring({"comment": ""} | flow) for flow in odd)
    found, page = both(save(tmp_path, data + whole))
    assert (page.body, page.fetched_at) == (reply(1), 0)
    assert len(found.bundles) == 1
    with pytest.raises(AuthError, match="in 6 requests"):
        import_capture(Vault.open(tmp_path), save(tmp_path, data), platform="pc")
